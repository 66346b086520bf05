"""The home screen. Does: newest assigned mail of the accounts that opted in, what waits for an answer, problems.

Owns: nothing. Never: a row that the viewer may not see.
"""
