"""Pure decisions of assigning: when the daily review is due."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo


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
