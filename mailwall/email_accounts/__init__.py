"""Connected accounts. Does: server settings, owner, direction, visibility, import window, failed attempts, states.

Owns: EmailAccount and its sealed passwords. Never: folders, messages or what a synchronisation does.
"""
