"""Pure decisions of assigning: when the daily review is due, what an unknown sender is called."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from mailwall.contacts.rules import clean_line, split_name


def next_review_at(now: datetime, review_time: time, zone: tzinfo) -> datetime:
    """The first moment after `now` at which a daily review is due, in UTC."""
    today = now.astimezone(zone).date()
    moments = (_moment_of(today + timedelta(days=ahead), review_time, zone) for ahead in range(3))
    return next(moment for moment in moments if moment > now)


def last_review_due(now: datetime, review_time: time, zone: tzinfo) -> datetime:
    """The last moment up to `now` at which a daily review was due, in UTC."""
    today = now.astimezone(zone).date()
    moments = (_moment_of(today - timedelta(days=back), review_time, zone) for back in range(3))
    return next(moment for moment in moments if moment <= now)


def _moment_of(day: date, review_time: time, zone: tzinfo) -> datetime:
    """That time of that day, once: the first of two when clocks go back, an hour later when they skip it (PEP 495)."""
    return datetime.combine(day, review_time, tzinfo=zone).astimezone(UTC)


def name_for(display_name: str, address: str) -> tuple[str, str]:
    """(first, last name) of a sender: as their mail says, else as their address lets us guess.

    `jan.nowy@x.example` is ("Jan", "Nowy"); `office@x.example` is ("Office", "").
    """
    name = clean_line(display_name)
    if name and "@" not in name:
        return split_name(name)
    words = [word for word in re.split(r"[._+-]+", address.rpartition("@")[0]) if word.strip("0123456789")]
    return split_name(" ".join(word.capitalize() for word in words) or address)
