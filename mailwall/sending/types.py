"""What a writer hands over: frozen, between rooms."""

from __future__ import annotations

from dataclasses import dataclass

from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.types import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class LetterFile:
    """A file that goes with a letter. content_id: set for an inline part (`<img src="cid:…">`), else an attachment."""

    filename: str
    content_type: str = "application/octet-stream"
    raw_content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail as its writer means it; `services.queue_outgoing` makes it correct or refuses it.

    account: None for the sender's default account. html and text: either or both; what is missing is made from the
    other. Images with data: addresses in html become inline parts. in_reply_to: the id of a message here, which gives
    In-Reply-To and References. with_signature: add the sender's signature once, unless the writer has placed it.
    forward_attachments: ids of attachments of messages that the sender may see; fetched from IMAP when the mail goes.
    """

    account: EmailAccount | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    subject: str = ""
    html: str = ""
    text: str = ""
    files: tuple[LetterFile, ...] = ()
    in_reply_to: int | None = None
    with_signature: bool = True
    forward_attachments: tuple[int, ...] = ()
