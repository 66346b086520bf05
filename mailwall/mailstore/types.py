"""What goes into the store and what comes back: frozen, between rooms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from mailwall.mailstore.documents import IndexWords
from mailwall.mime.types import ParsedMessage, Sendable


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(Sendable):
    """What `preparing.prepare` works out of a mail. Keys: mime.threads.dedupe_key, rules.content_key."""

    dedupe_key: str
    content_key: str
    snippet: str
    words: IndexWords


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage(Sendable):
    """A parsed mail on its way into the store.

    direction: 'received' or 'sent'. internaldate: aware, the server's (RFC 9051 §2.3.3). size_bytes: RFC822.SIZE.
    incomplete: the server gave no or not the whole text; a better copy may come later. prepared: where it was done
    before; else it is done when the mail is stored.
    """

    parsed: ParsedMessage
    direction: str
    internaldate: datetime
    size_bytes: int
    incomplete: bool = False
    prepared: Prepared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredMessage:
    """Where an incoming mail went. message_id: None when its owner removed it here before (a tombstone)."""

    message_id: int | None
    created: bool
