"""What a folder has that we do not know, and what we know that it has no more.

By the server's own account of changes where it gives one (QRESYNC), checked by counting; else, and once a day for all,
by comparing the sets of uids.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from mailwall.imap.types import Changes
from mailwall.sync import rules
from mailwall.sync.batches import uidvalidity_of
from mailwall.sync.models import Folder, LedgerEntry, Placement

COMPARE_EVERY = timedelta(days=1)
_MAX_RANGES = 50


def is_due(folder: Folder, now: datetime) -> bool:
    """Whether the sets of uids are to be compared though nothing calls for it: the safety net."""
    return folder.compared_at is None or now - folder.compared_at >= COMPARE_EVERY


def by_sets(folder: Folder, *, on_server: Iterable[int], in_window: Iterable[int]) -> rules.Differences:
    """Compare the server's uids of a folder with placements and ledger."""
    folder.refresh_from_db(fields=["high_uid"])
    return rules.compare_uids(
        on_server=on_server,
        in_window=in_window,
        placed=set(_placements(folder).values_list("uid", flat=True)),
        noted=set(_entries(folder).values_list("uid", flat=True)),
        high_uid=folder.high_uid,
    )


def by_changes(folder: Folder, changes: Changes, *, messages: int) -> rules.Differences | None:
    """The same from what the server says has changed; None when that does not explain how many `messages` it has."""
    folder.refresh_from_db(fields=["high_uid"])
    if len(changes.vanished) > _MAX_RANGES:
        return None
    gone, forgotten = _within(_placements(folder), changes), _within(_entries(folder), changes)
    below = [uid for uid in changes.changed if uid <= folder.high_uid]
    known = set(_placements(folder).filter(uid__in=below).values_list("uid", flat=True))
    known |= set(_entries(folder).filter(uid__in=below).values_list("uid", flat=True))
    on_server = messages - (len(changes.changed) - len(below))
    left = _placements(folder).count() + _entries(folder).count() - len(gone) - len(forgotten)
    unknown = [uid for uid in below if uid not in known]
    if unknown or left + folder.out_of_window != on_server:
        return None
    return rules.Differences(
        gone=gone, forgotten=forgotten, gaps=(), out_of_window=folder.out_of_window, on_server=on_server
    )


def forget(folder: Folder, uids: Iterable[int]) -> None:
    """Drop ledger entries of uids that the server has no more; in the caller's fenced transaction."""
    for piece in rules.batches(list(uids), rules.BATCH_MESSAGES):
        _entries(folder).filter(uid__in=piece).delete()


def placements_of(folder: Folder, uids: Iterable[int]) -> list[int]:
    """Ids of the placements at these uids."""
    wanted = set(uids)
    return [pk for uid, pk in _placements(folder).values_list("uid", "pk") if uid in wanted] if wanted else []


def placed_below(folder: Folder, uid: int) -> set[int]:
    """Uids below this one that are placed."""
    return set(_placements(folder).filter(uid__lt=uid).values_list("uid", flat=True))


def unknown(folder: Folder) -> int:
    """How many messages of the folder are neither placed nor in the ledger: they lie before every range asked for."""
    return max(0, folder.on_server - _placements(folder).count() - _entries(folder).count())


def _placements(folder: Folder) -> QuerySet[Placement]:
    return Placement.objects.filter(folder=folder, uidvalidity=uidvalidity_of(folder))


def _entries(folder: Folder) -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(folder=folder, uidvalidity=uidvalidity_of(folder))


def _within(rows: QuerySet[Placement] | QuerySet[LedgerEntry], changes: Changes) -> tuple[int, ...]:
    """The uids of rows that lie in a range that vanished, ascending."""
    if not changes.vanished:
        return ()
    ranges = Q()
    for low, high in changes.vanished:
        ranges |= Q(uid__range=(low, high))
    return tuple(rows.filter(ranges).order_by("uid").values_list("uid", flat=True))
