"""Mail, links and notes for the tests of the wall, written through the rooms' own services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from mailwall.assignment import services as assignment
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_whole

NOW = datetime.now(UTC).replace(microsecond=0)


def raw_mail(
    sender: str,
    to: str,
    subject: str = "Hello",
    text: str = "A line.",
    *,
    html: str = "",
    cc: str = "",
    message_id: str = "",
    answers: str = "",
    days_ago: float = 1,
    files: tuple[str, ...] = (),
    **headers: str,
) -> bytes:
    """A whole mail. answers: the Message-ID (without brackets) of the mail that it replies to."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"] = format_datetime(NOW - timedelta(days=days_ago))
    if cc:
        mail["Cc"] = cc
    if message_id:
        mail["Message-ID"] = f"<{message_id}>"
    if answers:
        mail["In-Reply-To"] = mail["References"] = f"<{answers}>"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    for name in files:
        mail.add_attachment(b"bytes", maintype="application", subtype="pdf", filename=name)
    return mail.as_bytes()


_numbers = iter(range(1, 10**9))


def deliver(
    account: EmailAccount, sender: str, to: str, *args: Any, direction: str = "received", **options: Any
) -> Message:
    """Store a mail in an account and assign it, as a synchronisation does."""
    options.setdefault("message_id", f"wall-{next(_numbers)}@mail.example")
    raw = raw_mail(sender, to, *args, **options)
    return deliver_raw(account, raw, direction=direction, days_ago=options.get("days_ago", 1))


def deliver_raw(account: EmailAccount, raw: bytes, *, direction: str = "received", days_ago: float = 1) -> Message:
    incoming = IncomingMessage(
        parsed=parse_whole(raw),
        direction=direction,
        internaldate=NOW - timedelta(days=days_ago),
        size_bytes=len(raw),
    )
    [stored] = mailstore.store_messages(account, [incoming])
    assert stored.message_id is not None
    assignment.assign_messages([stored.message_id])
    return Message.objects.get(pk=stored.message_id)
