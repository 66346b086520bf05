"""A mail as an IMAP server sees it: numbered parts and their BODYSTRUCTURE. For the well-formed mails of the rig."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PARAMETER = re.compile(rb';\s*([^=;\s]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))')


@dataclass(frozen=True)
class Part:
    """One part: its own bytes split at the first blank line, and the parts in it."""

    header: bytes
    body: bytes
    children: tuple[Part, ...]

    def field(self, name: bytes) -> bytes:
        found = re.search(rb"^%b:[ \t]*((?:.*\r\n[ \t])*.*)\r\n" % name, self.header, re.IGNORECASE | re.MULTILINE)
        return re.sub(rb"\r\n[ \t]+", b" ", found.group(1)).strip() if found else b""

    @property
    def content_type(self) -> bytes:
        return (self.field(b"Content-Type") or b"text/plain").split(b";")[0].strip().lower()

    def section(self, number: bytes) -> bytes | None:
        """The bytes of a section such as b'2.1', None when there is no such part (RFC 3501 §6.4.5)."""
        part = self
        for step in number.split(b"."):
            if part.content_type == b"message/rfc822":
                part = part.children[0]
            if part.children and part.content_type.startswith(b"multipart/"):
                if int(step) > len(part.children):
                    return None
                part = part.children[int(step) - 1]
            elif step != b"1":
                return None
        return part.body


def split(raw: bytes) -> Part:
    """The part tree of a whole mail."""
    header, _, body = raw.partition(b"\r\n\r\n")
    part = Part(header + b"\r\n", body, ())
    if part.content_type == b"message/rfc822":
        return Part(part.header, body, (split(body),))
    boundary = dict(parameters(part.field(b"Content-Type"))).get(b"boundary")
    if not part.content_type.startswith(b"multipart/") or not boundary:
        return part
    pieces = re.split(rb"(?:\A|\r\n)--%b(?:--)?[ \t]*(?:\r\n|\Z)" % re.escape(boundary), body)
    return Part(part.header, body, tuple(split(piece) for piece in pieces[1:-1]))


def parameters(field: bytes) -> list[tuple[bytes, bytes]]:
    """Names, lower case, and values of a field's parameters, as they are written."""
    return [
        (name.lower(), quoted or plain) for name, quoted, plain in _PARAMETER.findall(b";" + field.partition(b";")[2])
    ]


def structure(part: Part, *, nested: bool = True) -> bytes:
    """BODYSTRUCTURE (RFC 3501 §7.4.2). nested False: nothing is told of a mail in the mail."""
    kind, _, subtype = part.content_type.partition(b"/")
    told = _parameters(part.field(b"Content-Type"))
    disposition = _disposition(part.field(b"Content-Disposition"))
    if kind == b"multipart":
        inner = b"".join(structure(child, nested=nested) for child in part.children)
        return b"(%b %b %b %b NIL NIL)" % (inner, string(subtype), told, disposition)
    if not part.field(b"Content-Type"):
        told = b'("charset" "us-ascii")'
    basics = b"%b %b %b %b %b %b %d" % (
        string(kind),
        string(subtype),
        told,
        string(part.field(b"Content-ID")),
        string(part.field(b"Content-Description")),
        string(part.field(b"Content-Transfer-Encoding") or b"7bit"),
        len(part.body),
    )
    if part.content_type == b"message/rfc822":
        inner = part.children[0]
        basics += b" %b %b" % (envelope(inner), structure(inner)) if nested else b" NIL NIL"
    if part.content_type == b"message/rfc822" or kind == b"text":
        basics += b" %d" % part.body.count(b"\n")
    return b"(%b NIL %b NIL NIL)" % (basics, disposition)


def envelope(part: Part) -> bytes:
    """ENVELOPE with date, subject and Message-ID, which is all that anybody here reads."""
    empty = b" ".join([b"NIL"] * 6)
    date, subject, message_id = (string(part.field(name)) for name in (b"Date", b"Subject", b"Message-ID"))
    return b"(%b %b %b NIL NIL %b)" % (date, subject, empty[: -len(b" NIL")], message_id)


def string(raw: bytes) -> bytes:
    """NIL, a quoted string, or a literal for what cannot be quoted."""
    if not raw:
        return b"NIL"
    if raw.isascii() and not re.search(rb"[\r\n\0]", raw):
        return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d}\r\n%b" % (len(raw), raw)


def _parameters(field: bytes) -> bytes:
    told = [string(name) + b" " + (string(value) if value else b'""') for name, value in parameters(field)]
    return b"(" + b" ".join(told) + b")" if told else b"NIL"


def _disposition(field: bytes) -> bytes:
    return b"(%b %b)" % (string(field.split(b";")[0].strip()), _parameters(field)) if field else b"NIL"
