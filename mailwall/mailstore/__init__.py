"""Stored mail. Does: messages, participants, attachment information, threads, search documents; who may see them.

Owns: Message and all that hangs on it. Never: IMAP, contacts.
"""
