"""How the rooms become one program. Does: settings, URLs, the API object, schedule, processes, command line.

Owns: the environment variables. Never: a business decision.
"""
