"""Pure decisions of an answer: to whom, under which subject, and how the original is quoted."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailwall.mime.types import Address

_ANSWERED = re.compile(r"\s*(?:re|odp|aw|sv|antw)(?:\[\d+\])?\s*:", re.IGNORECASE)
_FORWARDED = re.compile(r"\s*(?:fwd?|pd|wg|tr)\s*:", re.IGNORECASE)
_BLOCKQUOTE = '<blockquote type="cite" style="margin:0 0 0 8px;border-left:2px solid #a0a8b0;padding-left:10px">'


@dataclass(frozen=True, slots=True, kw_only=True)
class Receivers:
    to: tuple[Address, ...]
    cc: tuple[Address, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parties:
    """The people of the original. sent: the writer wrote it, so an answer goes to whom it went."""

    from_: Sequence[Address]
    reply_to: Sequence[Address]
    to: Sequence[Address]
    cc: Sequence[Address]
    sent: bool


def receivers_of_reply(original: Parties, own: Collection[str], *, to_all: bool) -> Receivers:
    """Whom an answer goes to: Reply-To before From; to_all: also To and Cc of the original, without own addresses.

    own: folded addresses of the writer. A mail to oneself is answered to oneself.
    """
    asked = tuple(original.reply_to) or tuple(original.from_)
    first = tuple(original.to) if original.sent else asked
    if not to_all:
        return Receivers(to=_once(first))
    to = _once([*first, *([] if original.sent else original.to)], besides=own)
    cc = _once(original.cc, besides={*own, *(person.address for person in to)})
    if not to:
        to, cc = (cc, ()) if cc else (_once(first), ())
    return Receivers(to=to, cc=cc)


def _once(people: Sequence[Address], besides: Collection[str] = ()) -> tuple[Address, ...]:
    found: dict[str, Address] = {}
    for person in people:
        if person.address and person.address not in besides:
            found.setdefault(person.address, person)
    return tuple(found.values())


def reply_subject(subject: str) -> str:
    """`Re: …`, once."""
    return subject.strip() if _ANSWERED.match(subject) else f"Re: {subject.strip()}".strip()


def forward_subject(subject: str) -> str:
    """`Fwd: …`, once."""
    return subject.strip() if _FORWARDED.match(subject) else f"Fwd: {subject.strip()}".strip()


def quote_html(heading: str, quoted_html: str, *, cited: bool) -> str:
    """heading: lines of text above it. cited: inside a quotation, as in an answer; else as it is, as when forwarded."""
    lines = "<br>".join(html.escape(line) for line in heading.split("\n"))
    inner = f"{_BLOCKQUOTE}{quoted_html}</blockquote>" if cited else f"<br>{quoted_html}"
    return f"<div>{lines}</div>{inner}"


def quote_text(heading: str, text: str, *, cited: bool) -> str:
    """The same for a plain text mail."""
    lines = text.strip("\n").split("\n")
    quoted = "\n".join(f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines)
    return f"{heading}\n{quoted if cited else chr(10) + text}"
