"""A contact's history. Does: the wall of notes and visible messages, "Email messages", search.

Owns: Note. Never: storing mail; a row that the viewer may not see.
"""
