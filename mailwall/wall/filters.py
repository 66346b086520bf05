"""What a history is narrowed to beside its search: read from an address, written back into one, said as a query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from urllib.parse import urlencode

from mailwall.wall import rules
from mailwall.wall.rules import SearchQuery

KINDS, WAYS = ("", "email", "note"), ("", "received", "sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class WallFilter:
    """The fields are the names in the address; empty: not narrowed. since, until: ISO dates, both included."""

    q: str = ""
    type: str = ""
    way: str = ""
    since: str = ""
    until: str = ""
    file: str = ""
    person: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> WallFilter:
        """What is none of ours counts as not given."""
        return cls(
            q=given.get("q", "").strip(),
            type=_one_of(given.get("type", ""), KINDS),
            way=_one_of(given.get("way", ""), WAYS),
            since=_day(given.get("since", "")),
            until=_day(given.get("until", "")),
            file="1" if given.get("file") else "",
            person=given.get("person", "")
            if given.get("person", "").isascii() and given.get("person", "").isdigit()
            else "",
        )

    @property
    def is_empty(self) -> bool:
        return self == WallFilter()

    @property
    def is_narrowed(self) -> bool:
        """By more than the words and the kind, which have places of their own on the page."""
        return replace(self, q="", type="") != WallFilter()

    def query(self) -> SearchQuery | None:
        """All of it as one query, None when there is nothing to look for."""
        query = rules.parse_query(self.q) if self.q else SearchQuery()
        if self.q and query.is_empty:
            return query
        days = [day for day in (query.since, _date(self.since)) if day]
        ends = [day for day in (query.before, _after(_date(self.until))) if day]
        query = replace(
            query,
            direction=self.way or query.direction,
            has_attachment=bool(self.file) or query.has_attachment,
            since=max(days, default=None),
            before=min(ends, default=None),
        )
        return None if query.is_empty else query

    def url(self, base: str, **others: str) -> str:
        """The address of the same, but for the others."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | others
        text = urlencode({name: value for name, value in values.items() if value})
        return f"{base}?{text}" if text else base


def _one_of(value: str, known: tuple[str, ...]) -> str:
    return value if value in known else ""


def _day(text: str) -> str:
    found = _date(text)
    return found.isoformat() if found else ""


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _after(day: date | None) -> date | None:
    return day + timedelta(days=1) if day and day < date.max else day
