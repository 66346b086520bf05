"""Names of time zones as people type them."""

from __future__ import annotations

import zoneinfo
from collections import defaultdict
from functools import cache


@cache
def names() -> tuple[str, ...]:
    """What is offered: places by continent, and UTC."""
    return tuple(sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC"))


def find_zone(text: str) -> str | None:
    """The IANA name that a text means: the name in any case, or the place alone where there is one such (`tokyo`)."""
    exact, by_place = _index()
    key = _key(text)
    places = by_place.get(key, ())
    return exact.get(key) or (places[0] if len(places) == 1 else None)


@cache
def _index() -> tuple[dict[str, str], dict[str, list[str]]]:
    exact = {_key(name): name for name in zoneinfo.available_timezones()}
    by_place: dict[str, list[str]] = defaultdict(list)
    for name in names():
        by_place[_key(name.rpartition("/")[2])].append(name)
    return exact, by_place


def _key(text: str) -> str:
    return "_".join(text.split()).casefold()
