"""Which accounts are due: one indexed query, claimed in the database, so that a double tick does nothing twice."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber

from mailwall.email_accounts import rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync.models import SyncRun

#: a wish that nobody serves for so long was forgotten by the queue, or its worker died
FORGOTTEN_AFTER = timedelta(seconds=10)
#: turns are dealt out among so many times more accounts than can be started: a backlog of all makes no tick slow
LOOK_AHEAD = 20
_SLACK = timedelta(minutes=5)


def claim_due(now: datetime, limit: int) -> list[int]:
    """Claim accounts whose synchronisation, or hourly probe, is due, and give their ids in a fair order.

    Fair: the longest waiting of every mail host first, then the second of every host, and so on; of those that wait
    longest. A claimed account is due again after the time of a lease, should the queue lose it.
    """
    accounts = EmailAccount.objects
    return _claim(accounts.due(now), now, limit) + _claim(accounts.probe_due(now), now, limit)


def make_due(account_id: int, now: datetime) -> bool:
    """Have an active account synchronised as soon as possible. False: it does not connect by itself now."""
    active = EmailAccount.objects.connecting().filter(pk=account_id, state=State.ACTIVE)
    return active.update(next_sync_at=now) == 1


def host_of(account_id: int) -> str:
    """The account's mail host, '' when there is no such account."""
    return EmailAccount.objects.filter(pk=account_id).values_list("imap_host", flat=True).first() or ""


def put_back(account_id: int, at: datetime) -> None:
    """Have a claimed account that nobody could work on come again then."""
    free = EmailAccount.objects.connected().filter(pk=account_id, state=State.ACTIVE, lease_until__isnull=True)
    free.update(next_sync_at=at)


def after_a_clock_jump(now: datetime) -> None:
    """Make due, and free, what lies further ahead than anything is ever set: the clock was ahead then."""
    longest = max(timedelta(seconds=settings.SYNC_INTERVAL_SECONDS), rules.PROBE_EVERY) + _SLACK
    connected = EmailAccount.objects.connected()
    connected.filter(next_sync_at__gt=now + longest).update(next_sync_at=now)
    too_long = now + timedelta(seconds=settings.LEASE_SECONDS) + _SLACK
    connected.filter(lease_until__gt=too_long).update(lease_token="", lease_until=None)


def forgotten_downloads(now: datetime) -> list[int]:
    """Accounts on whose download somebody waits while nobody works on it."""
    free = Q(account__lease_until__isnull=True) | Q(account__lease_until__lt=now)
    forgotten = SyncRun.objects.filter(
        free,
        account__owner__is_active=True,
        kind=SyncRun.Kind.MANUAL,
        state__in=(SyncRun.State.WAITING, SyncRun.State.RUNNING),
        requested_at__lt=now - FORGOTTEN_AFTER,
    )
    return list(forgotten.values_list("account_id", flat=True))


def _claim(accounts, now: datetime, limit: int) -> list[int]:  # type: ignore[no-untyped-def]
    waiting = accounts.order_by("next_sync_at").values("pk")[: limit * LOOK_AHEAD]
    turn = Window(RowNumber(), partition_by=F("imap_host"), order_by=F("next_sync_at").asc())
    turns = EmailAccount.objects.filter(pk__in=waiting).annotate(turn=turn)
    ids = list(turns.order_by("turn", "next_sync_at", "pk").values_list("pk", flat=True)[:limit])
    if not ids:
        return []
    with transaction.atomic():
        mine = set(
            accounts.filter(pk__in=ids).select_for_update(skip_locked=True, of=("self",)).values_list("pk", flat=True)
        )
        EmailAccount.objects.filter(pk__in=mine).update(next_sync_at=now + timedelta(seconds=settings.LEASE_SECONDS))
    return [pk for pk in ids if pk in mine]
