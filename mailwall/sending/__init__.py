"""Letter → mail that left, exactly once. Does: the outbox, delivery, the copy in Sent, bounces; drafts and signatures.

Owns: Outgoing, IdempotencyKey, UndeliverableAddress; Signature, DraftMessage, MailTemplate.
Never: speaking SMTP or IMAP itself, choosing whom to write to, counting as a reply.
"""
