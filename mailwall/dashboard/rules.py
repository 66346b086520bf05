"""Pure decisions of the home screen. Imports no Django."""

from __future__ import annotations

from datetime import timedelta

FEED_LENGTH = 20
WAITING_LENGTH = 10
WAITS_AFTER = timedelta(days=1)
WAITS_AT_MOST = timedelta(days=30)
SHOWN_ATTEMPTS = 3  # a hiccup is no problem yet


def time_of_day(hour: int) -> str:
    """'morning', 'day' or 'evening' for an hour of the viewer's clock."""
    if 4 <= hour < 12:
        return "morning"
    return "day" if 12 <= hour < 18 else "evening"


def first_name(name: str) -> str:
    """How to greet somebody called `name`."""
    return name.split()[0] if name.split() else ""
