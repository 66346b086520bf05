"""`mailwall restore`: verify → load beside what is there → check → change places. Until then nothing old is touched."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from django.db import IntegrityError, connection, transaction
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.mailstore import reindex
from mailwall.mailstore.models import DeliveryState, Message
from mailwall.operations import backup, databases, tables, versions
from mailwall.operations.backup import Copied
from mailwall.operations.envelope import Lock
from mailwall.operations.errors import BackupUnreadable
from mailwall.operations.tables import Checksum, Table
from mailwall.sending.models import Outgoing, OutgoingState
from mailwall.sequences.models import Sequence, SequenceState
from mailwall.wall import search
from mailwall.wall.models import Note

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """restore_point: where the data of before is. Mail whose fate is unknown and sequences wait for somebody's look."""

    copied: Copied
    restore_point: str
    mails_to_review: int
    sequences_paused: int


def restore(path: Path, lock: Lock) -> Restored:
    """Replace the database by a backup. The caller holds the data folder alone (running.hold_alone).

    :raises OperationRefused: everything is as it was before.
    """
    databases.refuse_strangers()
    copied = backup.verify(path, lock)
    try:
        with databases.fresh():
            _load(path, lock)
            mails, paused = _come_to_rest()
            index_search()
        restore_point = databases.take_place()
    except BaseException:
        databases.forget_fresh()
        raise
    _forget_tasks()
    return Restored(copied=copied, restore_point=restore_point, mails_to_review=mails, sequences_paused=paused)


def _load(path: Path, lock: Lock) -> None:
    """Rows into tables as they were when the backup was made; then the tables are brought up to date."""
    with backup.reading(path, lock) as reader:
        known = tables.all_tables(versions.build(reader.manifest.migrations))
        tables.keep_times(known)
        tables.clear(known, "default")
        by_label = {table.label: table for table in known}
        try:
            with connection.constraint_checks_disabled():
                for label, lines in reader.tables():
                    table = by_label.get(label)
                    if table is None or list(table.names) != reader.columns:
                        raise BackupUnreadable(f"The backup's table {label} has another form than its version says.")
                    with transaction.atomic():
                        for batch in tables.in_batches(lines):
                            table.insert("default", batch)
                    reader.compare(label, _stored(table))
            connection.check_constraints()
        except IntegrityError as error:
            raise BackupUnreadable(f"The backup's rows do not fit together: {error}") from error
        tables.set_counters(known, "default")
    versions.bring_up_to_date()


def _stored(table: Table) -> Checksum:
    """Of what the database gives back."""
    with transaction.atomic():  # a cursor on the server lives in one
        return table.checksum("default")


def _come_to_rest() -> tuple[int, int]:
    """What left after the backup was made must not leave again: such mail waits for review, sequences are paused."""
    unsent = (OutgoingState.HELD, OutgoingState.QUEUED, OutgoingState.SENDING)
    waiting = Outgoing.objects.filter(state__in=unsent)
    Message.objects.filter(outgoing__in=waiting).update(
        delivery_state=DeliveryState.UNKNOWN
    )  # every message: no viewer
    mails = waiting.update(state=OutgoingState.NEEDS_REVIEW, look_at=None, lease_token="", lease_until=None)
    running = Sequence.objects.filter(state=SequenceState.RUNNING)
    return mails, running.update(state=SequenceState.PAUSED)


def index_search() -> None:
    """Write all search documents of the database in use anew."""
    reindex.index_messages()
    with transaction.atomic():
        for note in Note.objects.iterator():
            search.index_note(note)


def _forget_tasks() -> None:
    """Wake-ups of another time; what is due stands in the database."""
    try:
        for each in (queue.fast, queue.bulk):
            each.storage.flush_all()
    except (OSError, sqlite3.Error, RedisError):
        logger.warning("the queue does not answer, its old tasks will find nothing to do")
