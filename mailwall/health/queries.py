"""What metrics, `doctor` and System status tell: few set-based queries over what all machines wrote. No viewer: every
door here asks for an administrator or the metrics token first, and no figure is of one person's mail."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q
from django.db.models.functions import Coalesce
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.health import rules
from mailwall.health.models import Beat
from mailwall.health.rules import Fleet
from mailwall.sending.models import Outgoing, OutgoingState

WAITING_STATES = (OutgoingState.HELD, OutgoingState.QUEUED, OutgoingState.SENDING, OutgoingState.NEEDS_REVIEW)


@dataclass(frozen=True, slots=True)
class Worker:
    """A process and what is to be said of it."""

    beat: Beat
    is_silent: bool

    @property
    def clock_is_off(self) -> bool:
        return abs(self.beat.clock_off_seconds) > rules.CLOCK_OFF_SECONDS


def fleet(now: datetime) -> Fleet:
    """How the accounts stand: one pass over their table."""
    bounds = {
        f"lag{seconds}": Count("pk", filter=_active() & Q(last__gte=now - timedelta(seconds=seconds)))
        for seconds in rules.LAG_SECONDS
    }
    found: dict[str, Any] = _dated().aggregate(
        **bounds,
        active=Count("pk", filter=_active()),
        due=Count("pk", filter=_active() & Q(next_sync_at__lte=now) & ~Q(lease_until__gte=now)),
        overdue=Count("pk", filter=_overdue(now)),
        working=Count("pk", filter=Q(lease_until__gte=now)),
        **{f"is_{state}": Count("pk", filter=Q(state=state)) for state in State.values},
    )
    return Fleet(
        states={state: found[f"is_{state}"] for state in State.values},
        lags=[*(found[f"lag{seconds}"] for seconds in rules.LAG_SECONDS), found["active"]],
        due=found["due"],
        overdue=found["overdue"],
        working=found["working"],
    )


def overdue_accounts(now: datetime, limit: int) -> list[EmailAccount]:
    """Those that were not synchronised for longest."""
    return list(_dated().filter(_overdue(now)).order_by("last", "pk")[:limit])


def last_successes() -> Iterator[tuple[int, datetime | None]]:
    """Every connected account's id and last success."""
    accounts = EmailAccount.objects.connected().order_by("pk").values_list("pk", "last_synchronized_at")
    return accounts.iterator(chunk_size=2000)


def workers(now: datetime) -> list[Worker]:
    """Every process heard of within a day, by machine."""
    beats = Beat.objects.order_by("machine", "part", "pid")
    return [Worker(beat, rules.is_silent(beat.seen_at, now)) for beat in beats]


def has_worker(now: datetime) -> bool:
    """Whether any process that takes tasks was heard of lately."""
    return Beat.objects.filter(part="worker", seen_at__gt=now - rules.SILENT_AFTER).exists()


def queue_depths() -> dict[str, int | None]:
    """How many tasks wait, by queue; None: the queue does not answer."""
    return {"fast": _depth(queue.fast), "bulk": _depth(queue.bulk)}


def outgoing_waiting() -> dict[str, int]:
    """Mails that have not left, or of which nobody knows, by state."""
    rows = Outgoing.objects.filter(state__in=WAITING_STATES).order_by().values_list("state").annotate(Count("pk"))
    return {**dict.fromkeys((str(state) for state in WAITING_STATES), 0), **dict(rows)}


def _depth(which: Any) -> int | None:
    try:
        return int(which.pending_count())
    except (RedisError, sqlite3.Error, OSError):
        return None


def _dated() -> Any:
    """Connected accounts, a new one's last success being the moment it was connected."""
    return EmailAccount.objects.connected().annotate(last=Coalesce(F("last_synchronized_at"), F("created_at")))


def _active() -> Q:
    return Q(state=State.ACTIVE, owner__is_active=True)


def _overdue(now: datetime) -> Q:
    return _active() & Q(last__lt=now - timedelta(seconds=2 * settings.SYNC_INTERVAL_SECONDS + 30))
