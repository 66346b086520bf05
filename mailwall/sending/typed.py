"""Pure readings of what a writer typed: address lists, moments to send at, words about an attachment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailwall.mime.addresses import AddressInvalid, normalize_email
from mailwall.mime.types import Address

MAX_TYPED = 100_000
MORNING = 8

_PIECES = re.compile(r'((?:"(?:[^"\\]|\\.)*"|<[^<>]*>|[^,;\r\n"<])+|["<])')
_ANGLE = re.compile(r"(.*?)<\s*([^<>]*?)\s*>\s*", re.DOTALL)
_SPECIAL = re.compile(r'[()<>\[\]:;@\\,."]')
_QUOTED_LINE = re.compile(r"^\s*>.*$", re.MULTILINE)
_ATTACHMENT_WORDS = re.compile(
    r"\b(?:attached|attaching|i attach|we attach|attachments?|(?:find|see) enclosed|"
    r"załącz\w*|zalacz\w*|w załączeniu|w zalaczeniu|przesyłam w załączniku)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """One receiver as typed; address None: it is no address."""

    text: str
    address: Address | None


def read_receivers(text: str) -> tuple[Typed, ...]:
    """The receivers of a typed or pasted list: separated by commas, semicolons or lines, each address once.

    `Nowak, Jan <jan@x>` of a list with semicolons (Outlook) is one receiver.
    """
    pieces = [" ".join(piece.split()) for piece in _PIECES.findall(text[:MAX_TYPED])]
    pieces = [piece for piece in pieces if piece]
    if ";" in text or "\n" in text.strip():
        pieces = _joined_names(pieces)
    found: dict[str, Typed] = {}
    for piece in pieces:
        typed = _read_receiver(piece)
        found.setdefault(typed.address.address if typed.address else piece, typed)
    return tuple(found.values())


def _joined_names(pieces: list[str]) -> list[str]:
    joined: list[str] = []
    for piece in pieces:
        if joined and "@" not in joined[-1] and "<" in piece:
            piece = f"{joined.pop()}, {piece}"
        joined.append(piece)
    return joined


def _read_receiver(piece: str) -> Typed:
    match = _ANGLE.fullmatch(piece)
    name, bare = (match[1], match[2]) if match else ("", piece)
    name = " ".join(name.split()).strip()
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    try:
        return Typed(text=piece, address=Address(name=name[:300], address=normalize_email(bare)))
    except AddressInvalid:
        return Typed(text=piece, address=None)


def write_receiver(person: Address) -> str:
    """`Anna Kowalska <anna@x>`, the name in quotes where a list needs them."""
    name = " ".join(person.name.split())
    if not name or name == person.address:
        return person.address
    if _SPECIAL.search(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{escaped}"'
    return f"{name} <{person.address}>"


def write_receivers(people: tuple[Address, ...] | list[Address]) -> str:
    return ", ".join(write_receiver(person) for person in people)


def mentions_attachment(text: str) -> bool:
    """Whether the writer says (in English or Polish) that something is attached; quoted lines do not count."""
    return _ATTACHMENT_WORDS.search(_QUOTED_LINE.sub("", text)) is not None


def tomorrow_morning(now: datetime) -> datetime:
    """8:00 of the next day; now: in the writer's zone."""
    return _at_eight(now, days=1)


def monday_morning(now: datetime) -> datetime:
    """8:00 of the next Monday, never today; now: in the writer's zone."""
    return _at_eight(now, days=7 - now.weekday())


def _at_eight(now: datetime, *, days: int) -> datetime:
    return (now + timedelta(days=days)).replace(hour=MORNING, minute=0, second=0, microsecond=0)
