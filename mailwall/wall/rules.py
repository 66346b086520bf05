"""Pure decisions of the wall: what a search asks for, what a hit shows, how tall a frame is. Imports no Django.

A search query is words (all must be there, the last may be a beginning), "phrases" and the operators `from:` `to:`
`in:received|sent` `has:attachment` `before:` (exclusive) `after:` (inclusive). An operator whose value cannot be used
is searched for as words; no input is an error.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from mailwall.mime.fold import fold_text, folded_ends, words

MAX_QUERY_LENGTH = 1_000
MAX_TERMS = 32
SNIPPET_LENGTH = 220

_PIECE = re.compile(
    r"""(?:(?P<operator>from|to|in|has|before|after):(?=\S))?(?:"(?P<phrase>[^"]*)"|(?P<word>[^\s"]+))|"|\s+""",
    re.IGNORECASE,
)
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Folded words that stand side by side. prefix: the last of them is only the beginning of a word."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What to look for; all parts must hold. since/before are days in the viewer's zone."""

    terms: tuple[Term, ...] = ()
    senders: tuple[Term, ...] = ()
    receivers: tuple[Term, ...] = ()
    direction: str = ""
    has_attachment: bool = False
    since: date | None = None
    before: date | None = None

    @property
    def is_empty(self) -> bool:
        """Nothing in it that could be searched for: it finds nothing."""
        return self == SearchQuery()

    @property
    def only_mail(self) -> bool:
        """It asks for what only mail has, so that notes are out."""
        return bool(self.senders or self.receivers or self.direction or self.has_attachment)


def parse_query(text: str) -> SearchQuery:
    """Read what somebody typed. Never raises; what is beyond 1,000 characters or 32 terms is left out."""
    terms: list[Term] = []
    people: dict[str, list[Term]] = {"from": [], "to": []}
    days: dict[str, date] = {}
    direction, has_attachment, last_is_word = "", False, False
    for match in _PIECE.finditer(text[:MAX_QUERY_LENGTH].replace("\x00", " ")):
        operator, phrase, word = (match["operator"] or "").lower(), match["phrase"], match["word"]
        value = phrase if phrase is not None else word
        if value is None:
            continue
        folded = tuple(words(value))
        if operator in people and folded:
            people[operator].append(Term(words=folded, prefix="@" not in value and phrase is None))
        elif operator == "in" and value.lower() in ("received", "sent"):
            direction = value.lower()
        elif operator == "has" and value.lower() in ("attachment", "attachments"):
            has_attachment = True
        elif operator in ("before", "after") and (day := _day(value)) is not None:
            days[operator] = day
        else:
            folded = tuple(words(operator)) + folded
            if folded:
                terms.append(Term(words=folded[:MAX_TERMS]))
                last_is_word = phrase is None
    terms = terms[:MAX_TERMS]
    if terms and last_is_word:
        terms[-1] = Term(words=terms[-1].words, prefix=True)
    return SearchQuery(
        terms=tuple(terms),
        senders=tuple(people["from"][:MAX_TERMS]),
        receivers=tuple(people["to"][:MAX_TERMS]),
        direction=direction,
        has_attachment=has_attachment,
        since=days.get("after"),
        before=days.get("before"),
    )


def _day(text: str) -> date | None:
    match = _DAY.fullmatch(text)
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None


# -- moments and ids


def read_moment(text: str, zone: tzinfo, *, end_of_day: bool = False) -> datetime | None:
    """A date (its first moment in `zone`; the first moment of the next day with end_of_day) or a date-time.

    A date-time without offset is in `zone`. None for anything else, and for moments no database holds.
    """
    day = _day(text)
    try:
        if day is not None:
            return first_moment(day + timedelta(days=1) if end_of_day else day, zone)
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
        return moment if 1900 <= moment.year <= 9000 else None
    except (ValueError, OverflowError):
        return None


def first_moment(day: date, zone: tzinfo) -> datetime:
    """When `day` begins in `zone`; days outside 1900 to 9000 count as those years."""
    return datetime.combine(min(max(day, date(1900, 1, 1)), date(9000, 1, 1)), time.min, tzinfo=zone)


# -- hits


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of text, marked where it was searched for."""

    text: str
    hit: bool


def find_hit(text: str, terms: Sequence[Term]) -> int:
    """Where in `text` the first of the terms stands, -1 when none does."""
    folded = fold_text(text)
    best = -1
    for term in terms:
        match = _pattern(term).search(folded)
        if match and (best < 0 or match.start() < best):
            best = match.start()
    return _unfolded_offset(text, folded, best) if best > 0 else best


@lru_cache
def _pattern(term: Term) -> re.Pattern[str]:
    joined = r"[\W_]+".join(re.escape(word) for word in term.words)
    return re.compile(rf"(?<![^\W_]){joined}" + ("" if term.prefix else r"(?![^\W_])"))


def _unfolded_offset(text: str, folded: str, offset: int) -> int:
    """The place in `text` of a place in its folded form; folding works character by character, so halving finds it."""
    if len(folded) == len(text):
        return offset
    return bisect_left(range(len(text)), offset + 1, key=lambda end: len(fold_text(text[:end]))) - 1


def cut_snippet(text: str, terms: Sequence[Term], *, length: int = SNIPPET_LENGTH) -> str:
    """About `length` characters of `text` around the first hit, in one line, with … where something was left out."""
    at = max(find_hit(text, terms), 0)
    begin = max(0, at - length // 3)
    if begin:
        space = text.find(" ", begin, at)
        begin = space + 1 if space >= 0 else begin
    cut = text[begin : begin + length * 2]
    line = " ".join(cut.split())
    shown = line[:length].rstrip()
    return ("… " if begin else "") + shown + ("…" if len(line) > length or len(text) > begin + len(cut) else "")


def mark_hits(text: str, terms: Sequence[Term]) -> list[Piece]:
    """`text` in pieces, the words of the terms marked. Meant for lines, not for whole mails."""
    pieces: list[Piece] = []
    done = 0
    hits = list(_words_of(tuple(terms)).finditer(fold_text(text))) if terms else []
    ends = folded_ends(text) if hits else ()
    for match in hits:
        begin, end = bisect_left(ends, match.start() + 1), bisect_left(ends, match.end()) + 1
        begin = max(begin, done)  # ¼ folds into two words
        if begin >= end:
            continue
        if begin > done:
            pieces.append(Piece(text=text[done:begin], hit=False))
        pieces.append(Piece(text=text[begin:end], hit=True))
        done = end
    if done < len(text):
        pieces.append(Piece(text=text[done:], hit=False))
    return pieces


@lru_cache
def _words_of(terms: tuple[Term, ...]) -> re.Pattern[str]:
    """Each word of the terms wherever it stands in folded text; a beginning takes its whole word."""
    whole = {word for term in terms for word in term.words[: -1 if term.prefix else None]}
    beginnings = {term.words[-1] for term in terms if term.prefix}
    wanted = [*map(re.escape, sorted(whole)), *(rf"{re.escape(word)}[^\W_]*" for word in sorted(beginnings))]
    return re.compile(rf"(?<![^\W_])(?:{'|'.join(wanted)})(?![^\W_])")


# -- how things look

_LINE_PIXELS, _CHARACTERS_PER_LINE = 25, 84
MIN_FRAME_PIXELS, MAX_FRAME_PIXELS = 96, 420


def frame_height(text: str, *, is_whole: bool = False) -> int:
    """How tall the frame of an HTML mail should be, in CSS pixels, guessed from its text; more on its own page."""
    lines = sum(1 + len(line) // _CHARACTERS_PER_LINE for line in text[:40_000].splitlines())
    most = MAX_FRAME_PIXELS * 2 if is_whole else MAX_FRAME_PIXELS
    return min(most, max(MIN_FRAME_PIXELS, 48 + lines * _LINE_PIXELS))


_OWN_LOOK = re.compile(r"color|background|<table|<font|<img|bgcolor", re.IGNORECASE)


def is_simple_html(cleaned: str) -> bool:
    """Whether HTML brings no look of its own, so that it may take on the reader's dark colours."""
    return _OWN_LOOK.search(cleaned) is None


def cut_text(text: str, limit_bytes: int) -> tuple[str, bool]:
    """`text` of at most `limit_bytes` in UTF-8, whole characters only, and whether something was cut."""
    if len(text) * 4 <= limit_bytes:
        return text, False
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit_bytes:
        return text, False
    return raw[:limit_bytes].decode("utf-8", "ignore"), True


def file_kind(filename: str, content_type: str) -> str:
    """What a file is, in a word: the ending by which a computer opens it, else its content type."""
    ending = filename.rpartition(".")[2] if "." in filename else ""
    return ending.upper() if 0 < len(ending) <= 5 and ending.isascii() and ending.isalnum() else content_type
