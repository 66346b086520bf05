"""The shell. Does: base page, look, sign-in pages, error pages, sealed secrets, the form of REST answers.

Owns: everything that every room's pages share. Never: a business word, a model of another room.
"""
