"""Small makers of parsed mail for the tests of the store: no bytes involved."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services
from mailwall.mailstore.models import Message
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.types import Address, AttachmentInfo, ParsedMessage

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
_numbers = itertools.count(1)


def people(*addresses: str) -> tuple[Address, ...]:
    """`Jan Nowy <jan@nowak.example>` or bare addresses."""
    made = []
    for text in addresses:
        name, _, rest = text.rpartition("<")
        made.append(Address(name=name.strip(), address=rest.rstrip(">").strip()))
    return tuple(made)


def attachment(filename: str = "plan.pdf", size_bytes: int = 1_000, **fields: Any) -> AttachmentInfo:
    return AttachmentInfo(
        section="2", filename=filename, content_type="application/pdf", size_bytes=size_bytes,
        encoded_size_bytes=size_bytes * 4 // 3, encoding="base64", **fields,
    )  # fmt: skip


def incoming(
    sender: str = "Jan <jan@nowak.example>",
    to: Sequence[str] = ("alice@ours.example",),
    *,
    direction: str = "received",
    at: datetime | None = None,
    incomplete: bool = False,
    **fields: Any,
) -> IncomingMessage:
    """A mail with an id of its own; fields: of ParsedMessage, cc, bcc and reply_to as texts."""
    number = next(_numbers)
    for role in ("cc", "bcc", "reply_to"):
        fields[role] = people(*fields.get(role, ()))
    fields = {"message_id": f"made-{number}@mail.example", "subject": "Hello", "text": "A line.", **fields}
    at = at or NOW - timedelta(minutes=number % 1000)
    parsed = ParsedMessage(**{"date": at, "from_": people(sender) if sender else (), "to": people(*to), **fields})
    return IncomingMessage(parsed=parsed, direction=direction, internaldate=at, size_bytes=1_234, incomplete=incomplete)


def put(account: EmailAccount, *mails: IncomingMessage) -> list[Message]:
    """Store mails in one batch; the rows in their order."""
    stored = services.store_messages(account, mails)
    rows = Message.objects.in_bulk([found.message_id for found in stored])
    return [rows[found.message_id] for found in stored if found.message_id is not None]


def put_one(account: EmailAccount, sender: str = "Jan <jan@nowak.example>", *args: Any, **fields: Any) -> Message:
    [row] = put(account, incoming(sender, *args, **fields))
    return row
