"""The time by the database's clock, which all machines share; a worker's own may be wrong by an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

IGNORED = timedelta(seconds=1)  # a slow answer looks like a small difference

_ahead = timedelta(0)


def now() -> datetime:
    """What decides when work is due. Costs no query: see measure()."""
    return timezone.now() - _ahead


def measure() -> timedelta:
    """Compare this process's clock with the database's, and go by the latter from now on; gives how far it is ahead.

    Called by what runs for long, every few seconds.
    """
    global _ahead
    if connection.vendor != "postgresql":
        return timedelta(0)
    before = timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        told: datetime = cursor.fetchone()[0]
    ahead = before - told.astimezone(UTC)
    _ahead = ahead if abs(ahead) > IGNORED else timedelta(0)
    return ahead
