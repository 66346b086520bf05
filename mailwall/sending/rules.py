"""Pure decisions about outgoing mail."""

from __future__ import annotations

import secrets


def new_message_id(address: str) -> str:
    """A Message-ID, without brackets, in the domain of the account's address (RFC 5322 §3.6.4)."""
    return f"{secrets.token_hex(16)}@{address.rpartition('@')[2]}"
