"""Whose history a message belongs to. Does: links message ↔ contact with reasons, reviews of unassigned messages.

Owns: Link, LinkBan, Review and Unassigned, the mark of messages without a link. Never: fetching or showing mail.
"""
