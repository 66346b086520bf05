"""The only door to an IMAP server. Does: sign in, list, examine, search, fetch sections, stream, append, idle.

Owns: the wire. Never: Django, the database, decisions about what to keep. Reading changes nothing (EXAMINE, BODY.PEEK).
"""
