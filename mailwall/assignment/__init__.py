"""Whose history a message belongs to. Does: links message ↔ contact with reasons, reviews of unassigned messages.

Owns: Link, LinkBan, Review and the column Message.assigned. Never: fetching or showing mail.
"""
