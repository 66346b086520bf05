"""What a server has told of one message so far, and what we make of it: an overview, a message, or why it is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailwall.imap import reader
from mailwall.imap.dates import parse_internaldate
from mailwall.imap.reader import Response, Token
from mailwall.imap.types import FetchedMessage, Overview
from mailwall.mime import headers
from mailwall.mime.types import BodyPart

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Record:
    """What is known of one message so far. wanted: item names of the text sections that were asked for."""

    uid: int
    items: dict[bytes, Token] = field(default_factory=dict)
    structure: BodyPart | None = None
    wanted: tuple[str, ...] = ()
    whole: bool = False

    def raw(self, *names: bytes) -> bytes | None:
        for name in names:
            value = self.items.get(name)
            if isinstance(value, bytes):
                return value
        return None

    @property
    def size_bytes(self) -> int:
        value = self.items.get(b"RFC822.SIZE")
        return int(value) if isinstance(value, bytes) and value.isdigit() else 0

    @property
    def flags(self) -> tuple[str, ...]:
        value = self.items.get(b"FLAGS")
        found = value if isinstance(value, list) else []
        return tuple(flag.decode("ascii", "replace") for flag in found if isinstance(flag, bytes))

    @property
    def internaldate(self) -> datetime:
        value = self.items.get(b"INTERNALDATE")
        return (parse_internaldate(value) if isinstance(value, bytes) else None) or EPOCH

    @property
    def raw_header(self) -> bytes:
        return self.raw(b"BODY[HEADER]") or b""

    def section(self, number: str) -> bytes | None:
        name = number.encode()
        return self.raw(b"BODY[%b]<0>" % name, b"BODY[%b]" % name)

    @property
    def whole_message(self) -> bytes | None:
        return self.raw(b"BODY[]<0>", b"BODY[]")


def overview(response: Response) -> Overview | None:
    """One answer to the cheap pass, None when it is something else."""
    items = reader.fetch_items(response)
    if not items or not isinstance(uid := items.get(b"UID"), bytes) or b"RFC822.SIZE" not in items:
        return None
    record = Record(int(uid), items)
    return Overview(
        uid=record.uid,
        internaldate=record.internaldate,
        size_bytes=record.size_bytes,
        flags=record.flags,
        message_id=_message_id(items),
    )


def _message_id(items: Mapping[bytes, Token]) -> str:
    raw = next((value for name, value in items.items() if name.startswith(b"BODY[HEADER.FIELDS")), None)
    fields = headers.split_headers(raw) if isinstance(raw, bytes) else []
    ids = headers.parse_message_ids(next((value for name, value in fields if name == "message-id"), b""))
    return ids[0] if ids else ""


def has_basics(record: Record) -> bool:
    return b"RFC822.SIZE" in record.items and b"INTERNALDATE" in record.items


def is_complete(record: Record) -> bool:
    """Whether all asked for has come. A section may be empty only where the structure says so."""
    if not has_basics(record) or record.structure is None:
        return True  # nothing more to ask for
    absent = [number for number in record.wanted if not record.section(number)]
    if not absent:
        return True
    sizes = {part.section: part.size_bytes for part in record.structure.walk() if not part.children}
    return not any(sizes.get(number) for number in absent)


def message_of(record: Record, section_limit_bytes: int) -> FetchedMessage:
    problem, raw_whole, sections = _problem(record), None, {}
    if record.whole and not problem:
        raw_whole = record.whole_message
    for number in record.wanted:
        raw = record.section(number)
        if raw is not None:
            sections[number] = raw
    return FetchedMessage(
        uid=record.uid,
        internaldate=record.internaldate,
        size_bytes=record.size_bytes,
        flags=record.flags,
        raw_header=record.raw_header,
        structure=None if raw_whole is not None else record.structure,
        raw_sections={} if raw_whole is not None else sections,
        truncated_sections=frozenset(
            number for number, raw in sections.items() if len(raw) >= section_limit_bytes and raw_whole is None
        ),
        raw_whole=raw_whole,
        problem=problem,
    )


def _problem(record: Record) -> str:
    if not record.items:
        return "vanished"
    if not has_basics(record):
        return "empty"
    if not record.size_bytes and record.raw(b"BODY[HEADER]") is None and record.whole_message is None:
        return "vanished"  # so Dovecot tells of what was expunged meanwhile: size 0, NIL; it is no empty mail
    if record.whole:
        return "" if record.whole_message or not record.size_bytes else "empty"
    if record.structure is None:
        return "unparsable structure"
    return "" if is_complete(record) and record.raw_header else "empty"
