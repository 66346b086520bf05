"""Draft → bytes ready to send: CRLF, ASCII wherever it can be, no line beyond 998 octets, no Bcc.

Sources: RFC 5322, RFC 2045–2047, RFC 2183 (disposition), RFC 2231, RFC 2387 (related). HeaderInvalid tells what would
end a header field early.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from email.utils import format_datetime

from mailwall.mime import fields
from mailwall.mime.charsets import clean
from mailwall.mime.fields import HeaderInvalid
from mailwall.mime.types import Address, Draft, DraftFile

__all__ = ["OWN_ID_FIELD", "HeaderInvalid", "bcc_line", "compose", "text_part", "with_files"]

_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,80}/[a-z0-9][a-z0-9!#$&^_.+-]{0,80}")
_LINE_ENDS = re.compile("\r\n|\r|\n")
_PLAIN_LINE_LENGTH = 78
_END_OF_HEAD = b"\r\nMIME-Version: 1.0\r\n"  # the fields of the root part follow
#: the Message-ID once more: servers that give a mail another one (Microsoft's) leave fields that they do not know
OWN_ID_FIELD = "X-Mailwall-Message-ID"
#: set by compose() itself, so nobody else may
_OWN_FIELDS = frozenset(
    ("from", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references", "mime-version", "sender",
     "resent-bcc", "return-path", "received", OWN_ID_FIELD.lower())
)  # fmt: skip


def compose(draft: Draft) -> bytes:
    """The whole message. Deterministic but for its boundaries.

    :raises HeaderInvalid: a value would end its field, or a further header may not be set.
    """
    head = [
        fields.address_field("From", [draft.from_]),
        fields.address_field("To", draft.to) if draft.to or draft.cc else "To: undisclosed-recipients:;",
        fields.address_field("Cc", draft.cc) if draft.cc else "",
        fields.text_field("Subject", draft.subject),
        f"Date: {format_datetime(draft.date)}",
        fields.ids_field("Message-ID", [draft.message_id]),
        fields.ids_field(OWN_ID_FIELD, [draft.message_id]),
        fields.ids_field("In-Reply-To", [draft.in_reply_to]),
        fields.ids_field("References", draft.references),
        *(_further(name, value) for name, value in draft.headers),
    ]
    return "\r\n".join(line for line in head if line).encode() + _END_OF_HEAD + _root(draft)


def bcc_line(people: Sequence[Address]) -> bytes:
    """The line to be put before a message where its sender keeps it; b"" for nobody."""
    return fields.address_field("Bcc", people).encode() + b"\r\n" if people else b""


def with_files(raw: bytes, files: Sequence[DraftFile]) -> bytes:
    """A message of compose() with more files behind what it has: inline ones beside the text that shows them."""
    start = raw.index(_END_OF_HEAD) + len(_END_OF_HEAD)
    root = raw[start:]
    inline, attached = _sorted(files)
    if inline:
        kind = root[len("Content-Type: ") : root.index(b";")].decode()
        root = _multipart("related", [root, *map(_file, inline)], f'type="{kind}"')
    return raw[:start] + (_multipart("mixed", [root, *map(_file, attached)]) if attached else root)


def _sorted(files: Sequence[DraftFile]) -> tuple[list[DraftFile], list[DraftFile]]:
    """Those that the HTML shows, and those that are attached."""
    return [file for file in files if file.content_id], [file for file in files if not file.content_id]


def _further(name: str, value: str) -> str:
    if name.lower() in _OWN_FIELDS or name.lower().startswith("content-"):
        raise HeaderInvalid(f"The header {name} cannot be set.")
    return fields.verbatim_field(name, value)


# Parts are bytes: their header fields, an empty line, their content.


def _root(draft: Draft) -> bytes:
    inline, attached = _sorted(draft.files)
    body = text_part("plain", draft.text)
    if draft.html:
        html = text_part("html", draft.html)
        if inline:
            html = _multipart("related", [html, *map(_file, inline)], 'type="text/html"')
        body = _multipart("alternative", [body, html])
    return _multipart("mixed", [body, *map(_file, attached)]) if attached else body


def _multipart(kind: str, parts: Sequence[bytes], more: str = "") -> bytes:
    boundary = f"=_{secrets.token_hex(16)}"
    head = f'Content-Type: multipart/{kind};{f" {more};" if more else ""}\r\n boundary="{boundary}"\r\n\r\n'.encode()
    opened = f"--{boundary}\r\n".encode()
    return head + b"".join(opened + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()


def text_part(kind: str, text: str) -> bytes:
    """A body of text in the shortest encoding that survives every server on the way."""
    text = _LINE_ENDS.sub("\n", clean(text))
    raw = (text if text.endswith("\n") or not text else text + "\n").encode()
    lines = raw.split(b"\n")
    if raw.isascii() and all(_travels_well(line) for line in lines):
        charset, encoding, content = "us-ascii", "7bit", raw
    else:
        quoted, base = binascii.b2a_qp(raw, istext=True), base64.encodebytes(raw)
        charset, shorter = "utf-8", len(quoted) <= len(base)
        encoding, content = ("quoted-printable", quoted) if shorter else ("base64", base)
    head = f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + content.replace(b"\n", b"\r\n")


def _travels_well(line: bytes) -> bool:
    return len(line) <= _PLAIN_LINE_LENGTH and not line.endswith((b" ", b"\t")) and not line.startswith(b"From ")


def _file(file: DraftFile) -> bytes:
    """A file, always in base64, so that no server on the way touches a byte."""
    kind = _content_type(file)
    disposition = "inline" if file.content_id else "attachment"
    name = ";\r\n " + fields.parameter("filename", file.filename) if file.filename else ""
    lines = [f"Content-Type: {kind}", "Content-Transfer-Encoding: base64", f"Content-Disposition: {disposition}{name}"]
    if file.content_id:
        lines.append(fields.ids_field("Content-ID", [file.content_id]))
    content = base64.encodebytes(file.raw_content).replace(b"\n", b"\r\n")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def _content_type(file: DraftFile) -> str:
    """What base64 may carry (RFC 2046 §5.2.1 forbids it for messages); the charset of UTF-8 text is said."""
    kind = file.content_type.partition(";")[0].strip().lower()
    if fields.breaks_out(file.content_type):
        raise HeaderInvalid("The type of a file cannot hold line breaks.")
    if not _TYPE.fullmatch(kind) or kind.startswith(("message/", "multipart/")):
        return "application/octet-stream"
    if kind.startswith("text/") and not file.raw_content.isascii() and _is_utf8(file.raw_content):
        return f"{kind}; charset=utf-8"
    return kind


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
