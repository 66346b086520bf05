"""What messages, wall items and hits look like in the REST API; the dashboard answers with the same."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.utils.html import escape
from ninja import Schema
from pydantic import Field

from mailwall.assignment.queries import ContactOfMessage
from mailwall.mime.types import Address
from mailwall.wall.cards import Card, MessageCard
from mailwall.wall.models import Note


class AddressOut(Schema):
    name: str
    address: str


class ReasonOut(Schema):
    field: str
    address: str


class LinkedContactOut(Schema):
    id: int
    kind: str
    name: str
    because: list[ReasonOut]


class AttachmentOut(Schema):
    """size: bytes after decoding, as near as the server's structure tells. available: still on the mail server."""

    id: int
    filename: str
    content_type: str
    size: int
    inline: bool
    available: bool


class MessageOut(Schema):
    """A message without its HTML. `text` beyond 64 kB is cut in lists (`text_truncated`). bcc: for the owner alone."""

    id: int
    email_account: int
    direction: Literal["received", "sent"]
    message_id: str
    thread: str
    subject: str
    date: datetime
    at: datetime
    from_: AddressOut | None = Field(alias="from")
    other_senders: list[AddressOut]
    to: list[AddressOut]
    cc: list[AddressOut]
    bcc: list[AddressOut]
    text: str
    text_truncated: bool
    attachments: list[AttachmentOut]
    contacts: list[LinkedContactOut]
    assigned: bool
    on_server: bool
    visible_to: list[int]
    defects: list[str]


class MessageDetailOut(MessageOut):
    """html: cleaned, remote sources moved to data-remote-src; null where the mail has none."""

    html: str | None


class NoteAuthor(Schema):
    id: int
    name: str


class NoteOut(Schema):
    id: int
    text: str
    author: NoteAuthor | None
    created_at: datetime
    updated_at: datetime


class PostOut(Schema):
    """What happened to the contact, such as the end of a sequence. message: the mail that it is about, if visible."""

    id: int
    text: str
    message: int | None


class WallItem(Schema):
    type: Literal["email", "note", "post"]
    at: datetime
    contacts: list[LinkedContactOut]
    email: MessageOut | None
    note: NoteOut | None
    post: PostOut | None
    thread_count: int
    copies: int
    copies_differ: bool


class HitOut(Schema):
    """snippet: escaped HTML, the hits in <mark>."""

    type: Literal["email", "note"]
    id: int
    contacts: list[LinkedContactOut]
    subject: str
    snippet: str
    at: datetime


def message_fields(card: MessageCard) -> dict[str, Any]:
    """The fields of MessageOut."""
    message = card.message
    return {
        "id": message.pk,
        "email_account": message.account_id,
        "direction": message.direction,
        "message_id": message.message_id,
        "thread": message.thread_key,
        "subject": message.subject,
        "date": message.date,
        "at": message.internaldate,
        "from": _address(card.from_) if card.from_ else None,
        "other_senders": _addresses(card.other_senders),
        "to": _addresses(card.to),
        "cc": _addresses(card.cc),
        "bcc": _addresses(card.bcc),
        "text": card.text,
        "text_truncated": card.text_truncated,
        "attachments": [
            {
                "id": attachment.pk,
                "filename": attachment.filename and attachment.safe_name,
                "content_type": attachment.content_type,
                "size": attachment.size_bytes,
                "inline": attachment.inline,
                "available": message.on_server,
            }
            for attachment in card.attachments
        ],
        "contacts": _contacts(card.contacts),
        "assigned": card.is_assigned,
        "on_server": message.on_server,
        "visible_to": [seer.id for seer in card.seers],
        "defects": message.defects,
    }


def wall_item(card: Card) -> dict[str, Any]:
    """The fields of WallItem."""
    return {
        "type": card.type,
        "at": card.at,
        "contacts": _contacts(card.contacts),
        "thread_count": card.thread_count,
        "copies": card.copies,
        "copies_differ": card.copies_differ,
        "email": message_fields(card.message) if card.message else None,
        "note": note_fields(card.note) if card.note else None,
        "post": {"id": card.post.post.pk, "text": card.post.text, "message": card.post.message_id}
        if card.post
        else None,
    }


def note_fields(note: Note) -> dict[str, Any]:
    """The fields of NoteOut."""
    return {
        "id": note.pk,
        "text": note.text,
        "author": {"id": note.author_id, "name": str(note.author)} if note.author else None,
        "created_at": note.created_at,
        "updated_at": note.updated_at,
    }


def hit(card: Card) -> dict[str, Any]:
    """The fields of HitOut. An excerpt of the mail's text around the first hit, or of what was found instead."""
    found = card.message or card.note
    assert found is not None
    return {
        "type": card.type,
        "id": found.id,
        "contacts": _contacts(card.contacts),
        "subject": card.message.message.subject if card.message else "",
        "snippet": "".join(
            f"<mark>{escape(piece.text)}</mark>" if piece.hit else escape(piece.text) for piece in card.excerpt
        ),
        "at": card.at,
    }


def _address(address: Address) -> dict[str, str]:
    return {"name": address.name, "address": address.address}


def _addresses(addresses: list[Address]) -> list[dict[str, str]]:
    return [_address(address) for address in addresses]


def _contacts(contacts: list[ContactOfMessage]) -> list[dict[str, Any]]:
    return [
        {
            "id": contact.id,
            "kind": contact.kind,
            "name": contact.name,
            "because": [{"field": reason.field, "address": reason.address} for reason in contact.because],
        }
        for contact in contacts
    ]
