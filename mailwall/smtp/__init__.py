"""The only door to an SMTP server. Does: sign in and submit one message. Never: Django, the database, composing."""
