"""Mailwall to try without any account: people, customers and lively mail on a mail server of its own.

Does: loads and clears the sample, serves IMAP and SMTP on loopback, answers what is sent. Owns: the folder `demo` in
the data folder. Never: a table, a way around the product: its accounts are connected and read as all others are.
"""
