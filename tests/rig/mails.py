"""Builders of realistic messages as raw bytes, CRLF, addresses in example domains only."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime


def mail(
    *,
    sender: str = "Ewa Kwiat <ewa@kwiat.example>",
    to: str = "Alice <alice@example.org>",
    subject: str = "Hello",
    text: str | None = "Good morning,\n\nplease see below.\n",
    html: str | None = None,
    cc: str = "",
    message_id: str = "",
    date: datetime | None = None,
    attachments: Iterable[tuple[str, str, bytes]] = (),
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """One message. attachments: (file name, content type, bytes)."""
    message = EmailMessage(policy=policy.SMTP.clone(max_line_length=78))
    message["From"] = sender
    message["To"] = to
    if cc:
        message["Cc"] = cc
    message["Subject"] = subject
    message["Date"] = format_datetime(date or datetime.now(UTC))
    message["Message-ID"] = message_id or f"<{uuid.uuid4().hex}@kwiat.example>"
    for name, value in (headers or {}).items():
        message[name] = value
    if text is not None:
        message.set_content(text)
    if html is not None and text is not None:
        message.add_alternative(html, subtype="html")
    elif html is not None:
        message.set_content(html, subtype="html")
    for filename, content_type, raw in attachments:
        kind, _, subtype = content_type.partition("/")
        message.add_attachment(raw, maintype=kind, subtype=subtype, filename=filename)
    return message.as_bytes()


def plain_mail(number: int, *, date: datetime | None = None, size: int = 1500) -> bytes:
    """A short mail of varied kind, the same for the same number."""
    rng = random.Random(number)
    words = ["oferta", "faktura", "spotkanie", "dziękuję", "pozdrawiam", "Angebot", "Grüße", "invoice", "contract"]
    text = ""
    while len(text) < size:
        text += " ".join(rng.choice(words) for _ in range(9)) + ".\n"
    html = f"<html><body><p>{text}</p></body></html>" if number % 3 else None
    return mail(
        sender=f"Kunde {number % 40} <kunde{number % 40}@kwiat.example>",
        subject=f"{rng.choice(words)} {number}",
        text=None if number % 7 == 1 and html else text,
        html=html,
        message_id=f"<mail-{number}@kwiat.example>",
        date=date,
    )


def attachment_mail(number: int, *, size_bytes: int, date: datetime | None = None) -> bytes:
    """A short text with one PDF-like attachment of that many bytes."""
    raw = random.Random(number).randbytes(size_bytes)
    return mail(
        subject=f"Files {number}",
        text=f"Please find file {number} attached.\n",
        message_id=f"<files-{number}@kwiat.example>",
        attachments=[(f"report żółty {number}.pdf", "application/pdf", raw)],
        date=date,
    )
