"""Keeping an installation: back it up, restore it, move it, renew its keys, watch how it does.

Does: copies all tables, whatever rooms they are of, between databases and files. Owns: the lock of a data folder, the
backup file's form. Never: a business decision; a secret in the clear.
"""
