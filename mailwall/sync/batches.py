"""One batch, one short transaction: store, place, assign, note, and move the cursor with them.

The transaction begins by renewing the lease (fencing): a worker that was overtaken writes nothing. All statements are
set-based. Running the same batch again changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from mailwall.assignment import services as assignment_services
from mailwall.email_accounts import leases
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import hooks, sql
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.types import StoredMessage
from mailwall.sync import rules, runs
from mailwall.sync.interpreting import NO_TEXT, Reading
from mailwall.sync.models import Folder, LedgerEntry, Placement

logger = logging.getLogger(__name__)

NOT_STORABLE = "not_storable"
CursorOf = Callable[[Sequence[Reading]], Mapping[str, object]]


@dataclass(slots=True)
class Counts:
    """What a batch, or a whole slice, brought. read: uids looked at; new: messages that were not here before."""

    read: int = 0
    new: int = 0
    assigned: int = 0

    def add(self, other: Counts) -> None:
        self.read += other.read
        self.new += other.new
        self.assigned += other.assigned


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Whose mail is written, and the token that every write carries. counted: open runs tell of it as new."""

    account: EmailAccount
    token: str
    counted: bool = True


def commit(work: Work, folder: Folder, readings: Sequence[Reading], cursor_of: CursorOf) -> Counts:
    """Write a batch. cursor_of: readings → columns of the folder that move with them.

    A message that the database refuses is found by halving, noted as failed, and the rest goes on.
    :raises LeaseLost: nothing was written. :raises django.db.OperationalError: the database does not answer.
    """
    try:
        return _commit(work, folder, readings, cursor_of)
    except (leases.LeaseLost, OperationalError, InterfaceError):
        raise
    except Exception:
        if len(readings) > 1:
            half = len(readings) // 2
            counts = commit(work, folder, readings[:half], cursor_of)
            counts.add(commit(work, folder, readings[half:], cursor_of))
            return counts
        logger.exception("message cannot be stored", extra={"folder_id": folder.pk, "uid": readings[0].uid})
        if readings[0].incoming is None:
            raise
    return _commit(work, folder, [replace(readings[0], incoming=None, rule=NOT_STORABLE, failed=True)], cursor_of)


def uidvalidity_of(folder: Folder) -> int:
    """Of a folder whose import has begun."""
    if folder.uidvalidity is None:
        raise ValueError("the folder's import has not begun")
    return folder.uidvalidity


def _commit(work: Work, folder: Folder, readings: Sequence[Reading], cursor_of: CursorOf) -> Counts:
    account = work.account
    kept = [reading for reading in readings if reading.incoming is not None]
    with transaction.atomic():
        leases.fence(account.pk, work.token)
        stored = mailstore_services.store_messages(account, [r.incoming for r in kept if r.incoming is not None])
        placed = [(reading, row) for reading, row in zip(kept, stored, strict=True) if row.message_id is not None]
        removed = [reading for reading, row in zip(kept, stored, strict=True) if row.message_id is None]
        _place(folder, placed)
        _note(folder, readings, removed)
        created = [row.message_id for row in stored if row.created and row.message_id is not None]
        assigned = assignment_services.assign_messages(created) if created else 0
        hooks.tell_messages_arrived(created, history=not work.counted)
        if work.counted:
            runs.count(account.pk, new=len(created), assigned=assigned)
        moved = cursor_of(readings)
        if moved:
            Folder.objects.filter(pk=folder.pk).update(**moved)
    return Counts(read=len(readings), new=len(created), assigned=assigned)


def _place(folder: Folder, placed: Sequence[tuple[Reading, StoredMessage]]) -> None:
    uidvalidity = uidvalidity_of(folder)
    sql.insert_rows(
        Placement,
        ["folder_id", "uidvalidity", "uid", "message_id"],
        [(folder.pk, uidvalidity, reading.uid, row.message_id) for reading, row in placed],
        conflict="ON CONFLICT DO NOTHING",  # the same uid again
    )


def _note(folder: Folder, readings: Sequence[Reading], removed: Sequence[Reading]) -> None:
    """Bring the ledger in line: entries for what is skipped or failed, none for what is stored or gone."""
    now = timezone.now()
    noted = [_entry(folder, reading, now) for reading in readings if reading.rule]
    noted += [_entry(folder, replace(reading, rule=rules.REMOVED_HERE), now) for reading in removed]
    settled = {reading.uid for reading in readings} - {entry.uid for entry in noted}
    of_folder = LedgerEntry.objects.filter(folder=folder, uidvalidity=uidvalidity_of(folder))
    if settled:
        of_folder.filter(uid__one_of=settled).delete()
    if noted:
        LedgerEntry.objects.bulk_create(
            noted,
            update_conflicts=True,
            unique_fields=["folder", "uidvalidity", "uid"],
            update_fields=["outcome", "rule", "internaldate", "size_bytes", "attempts", "next_try_at"],
        )


def _entry(folder: Folder, reading: Reading, now: datetime) -> LedgerEntry:
    attempts = reading.attempts + 1 if reading.failed else 0
    return LedgerEntry(
        folder=folder,
        uidvalidity=uidvalidity_of(folder),
        uid=reading.uid,
        outcome=LedgerEntry.Outcome.FAILED if reading.failed else LedgerEntry.Outcome.SKIPPED,
        rule=reading.rule[:60],
        internaldate=reading.internaldate,
        size_bytes=reading.size_bytes,
        attempts=attempts,
        next_try_at=_next_try(reading, attempts, now) if reading.failed else None,
    )


def _next_try(reading: Reading, attempts: int, now: datetime) -> datetime:
    """A message whose sections gave no text is read whole in the same pass; others wait."""
    if reading.rule == NO_TEXT and attempts == 1:
        return now
    return now + rules.retry_after(attempts)
