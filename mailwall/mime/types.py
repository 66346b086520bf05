"""What a message is, once bytes have become types. Frozen: they travel between rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, ClassVar


class Sendable:
    """Of frozen dataclasses with slots that travel between processes: their fields by position, in half the time."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        kind: Any = type(self)
        return _made, (kind, *[get(self) for get in _getters(kind)])


@lru_cache(maxsize=64)
def _getters(kind: Any) -> tuple[Callable[[Sendable], Any], ...]:
    return tuple(attrgetter(name) for name in kind.__slots__)


@lru_cache(maxsize=64)
def _setters(kind: Any) -> tuple[Callable[[Sendable, Any], None], ...]:
    return tuple(getattr(kind, name).__set__ for name in kind.__slots__)


def _made(kind: Any, *values: Any) -> Any:
    made: Any = object.__new__(kind)
    for set_field, value in zip(_setters(kind), values, strict=True):
        set_field(made, value)
    return made


@dataclass(frozen=True, slots=True, kw_only=True)
class Address(Sendable):
    """One mailbox of an address header. `address` is normalised (see normalize_email), `name` decoded, may be ''."""

    name: str = ""
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyPart(Sendable):
    """A node of the part tree (RFC 3501 §7.4.2 BODYSTRUCTURE, or read from the bytes of a whole message).

    section: IMAP section number ('1', '2.1'; '' for a multipart root). content_type: lower case 'text/plain'.
    size_bytes: octets as encoded on the wire. disposition: lower case 'attachment', 'inline' or ''.
    filename: as sent, RFC 2231 and RFC 2047 decoded, not yet made safe. children: of multipart and message/rfc822.
    """

    section: str
    content_type: str
    charset: str = ""
    encoding: str = "7bit"
    size_bytes: int = 0
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    params: tuple[tuple[str, str], ...] = ()
    children: tuple[BodyPart, ...] = ()

    def walk(self) -> Iterator[BodyPart]:
        """This node and all below it, depth first, without recursion."""
        pending = [self]
        while pending:
            part = pending.pop()
            yield part
            pending.extend(reversed(part.children))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentInfo(Sendable):
    """What we keep of an attachment: never its bytes. size_bytes: after decoding, as near as the structure tells."""

    section: str
    filename: str
    content_type: str
    size_bytes: int
    encoded_size_bytes: int
    encoding: str
    inline: bool = False
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage(Sendable):
    """A received or sent message as text. Strings hold no NUL and no lone surrogate, so any database takes them.

    message_id, in_reply_to, references: without angle brackets. original_id: the Message-ID that the mail had before a
    server gave it another one, '' where no field tells it. from_: all senders, `from_[0]` is the first.
    text: the whole decoded text (made from HTML where there is no plain part). html: as received, NOT cleaned; ''
    when there is none. automatic: '' for a human's mail, else why it counts as automatic ('auto-replied',
    'auto-generated', 'bulk', 'list', 'bounce'). report: what a bounce says for programs, as text. list_id: of
    List-Id, ''. defects: what was odd, in short words.
    """

    message_id: str = ""
    original_id: str = ""
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    subject: str = ""
    date: datetime | None = None
    from_: tuple[Address, ...] = ()
    sender: Address | None = None
    reply_to: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    bcc: tuple[Address, ...] = ()
    text: str = ""
    html: str = ""
    attachments: tuple[AttachmentInfo, ...] = ()
    automatic: str = ""
    report: str = ""
    list_id: str = ""
    defects: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """A file of a draft. content_type: 'type/subtype'. content_id: of an inline part that the HTML shows, else ''."""

    filename: str
    content_type: str
    raw_content: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A mail to be written as bytes. Ids without angle brackets. There is no Bcc: that is the envelope's alone.

    text and html: the two sides of the same body, '' for none. headers: further fields, names as they are to be spelt.
    """

    from_: Address
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    text: str = ""
    html: str = ""
    files: tuple[DraftFile, ...] = ()
    message_id: str
    date: datetime
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
