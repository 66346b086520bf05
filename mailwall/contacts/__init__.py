"""Customers. Does: people and companies with any number of addresses; search, create, edit, delete.

Owns: Contact, ContactAddress. Never: mail. Who must know of changed addresses registers in `hooks.py`.
"""
