"""Counting what happened: one row changes by a sum, in the transaction of what is counted; never once per message."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from mailwall.errors import MailwallError
from mailwall.health import rules
from mailwall.health.models import Tally
from mailwall.mailstore import sql

BEFORE = datetime(2000, 1, 1, tzinfo=UTC)
KEEP_HOURS_FOR = timedelta(hours=49)
SHARDS = 16

MESSAGES, IMAP_ERROR, OUTGOING, TAKEN_OVER = "messages", "imap_error", "outgoing", "taken_over"


def add(name: str, code: str = "", count: int = 1) -> None:
    """Count, in the caller's transaction: rolled back, it did not happen."""
    sql.insert_rows(
        Tally,
        ["name", "code", "hour", "shard", "total"],
        [(name, code[:60], _hour(timezone.now()), random.randrange(SHARDS), count)],  # noqa: S311 -- spreads writers
        conflict="ON CONFLICT (name, code, hour, shard) DO UPDATE SET total = health_tally.total + excluded.total",
    )


def totals(name: str) -> dict[str, int]:
    """Since the installation began, by code; only grows."""
    rows = Tally.objects.filter(name=name).values_list("code").annotate(Sum("total")).order_by("code")
    return dict(rows)


def lately(name: str, hours: int, now: datetime) -> dict[str, int]:
    """The sums over the last hours, by code."""
    rows = Tally.objects.filter(name=name, hour__gt=_hour(now) - timedelta(hours=hours)).order_by("code")
    return dict(rows.values_list("code").annotate(Sum("total")))


def by_hour(name: str, hours: int, now: datetime) -> list[tuple[datetime, int]]:
    """The sum of each of the last hours, oldest first, the running one last."""
    first = _hour(now) - timedelta(hours=hours - 1)
    rows = Tally.objects.filter(name=name, hour__gte=first).values_list("hour").annotate(Sum("total")).order_by()
    found = defaultdict(int, rows)
    return [(hour, found[hour]) for hour in (first + timedelta(hours=number) for number in range(hours))]


def fold_old(now: datetime) -> int:
    """Add the hours of long ago up; gives how many rows that spared. Harmless twice, and in several workers."""
    with transaction.atomic():
        old = Tally.objects.filter(hour__gt=BEFORE, hour__lt=_hour(now) - KEEP_HOURS_FOR)
        rows = list(old.select_for_update(skip_locked=True).order_by("pk"))
        sums: dict[tuple[str, str], int] = defaultdict(int)
        for row in rows:
            sums[row.name, row.code] += row.total
        for (name, code), total in sorted(sums.items()):
            Tally.objects.get_or_create(name=name, code=code, hour=BEFORE, shard=0)
            Tally.objects.filter(name=name, code=code, hour=BEFORE, shard=0).update(total=F("total") + total)
        Tally.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


# -- what lower rooms tell


def note_messages(message_ids: Sequence[int], _history: bool) -> None:
    add(MESSAGES, count=len(message_ids))


def note_outgoing(_outgoing_id: int, outcome: str) -> None:
    add(OUTGOING, outcome)


def note_failed_attempt(_account_id: int, error: MailwallError) -> None:
    add(IMAP_ERROR, f"{error.stage or rules.stage_of(error.code)} {error.code}")


def note_lease_taken_over(_account_id: int) -> None:
    add(TAKEN_OVER)


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
