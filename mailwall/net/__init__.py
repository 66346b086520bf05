"""Dialling mail servers. Does: resolve, refuse forbidden ranges, connect to exactly the checked address, TLS.

Owns: the policy of allowed hosts and the causes of a failed connection. Never: Django, IMAP or SMTP words.
"""
