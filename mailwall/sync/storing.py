"""From uids to rows: what is wanted of a folder is read and written batch by batch.

While a batch is written, a thread reads the next one, and a process beside ours interprets it where the import is long:
the server, the line, the parser and the database work at the same time. Only the thread uses the connection to the mail
server, only the caller uses the database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeAlias

from mailwall.imap.session import ImapSession
from mailwall.sync import batches, helper, reading, rules
from mailwall.sync.batches import Work
from mailwall.sync.interpreting import InterpretAll, Reading, Scope
from mailwall.sync.models import Folder
from mailwall.sync.turns import Turn

STREAM_MESSAGES = 10_000
Batch: TypeAlias = list[Reading]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Messages of the open folder, in the order in which they are to be stored."""

    folder: Folder
    uids: Sequence[int]
    scope: Scope


def store(session: ImapSession, work: Work, turn: Turn, wanted: Wanted, cursor: batches.CursorOf) -> bool:
    """Read and write in batches, the cursor with each; gives whether all was done before the turn was over."""
    with helper.for_import(len(wanted.uids)) as interpret_all:
        return _store(session, work, turn, wanted, cursor, interpret_all)


def _store(
    session: ImapSession,
    work: Work,
    turn: Turn,
    wanted: Wanted,
    cursor: batches.CursorOf,
    interpret_all: InterpretAll,
) -> bool:
    first = rules.FIRST_BATCH_MESSAGES
    for piece in rules.batches(wanted.uids, _stream_size(turn)):
        done = 0
        readings = reading.in_batches(reading.read(session, piece, wanted.scope, interpret_all), first=first)
        with contextlib.closing(_one_ahead(readings, lambda batch: turn.is_over_after(len(batch)))) as ahead:
            for batch in ahead:
                turn.counts.add(batches.commit(work, wanted.folder, batch, cursor))
                done += len(batch)
        first = rules.BATCH_MESSAGES
        if done < len(piece) or (turn.is_over and piece[-1] != wanted.uids[-1]):
            return False
    return True


def _stream_size(turn: Turn) -> int:
    """How much to ask for in one go: what is asked for must also be read."""
    return turn.messages if turn.others_wait() else STREAM_MESSAGES


def _one_ahead(made: Generator[Batch, None, None], is_last: Callable[[Batch], bool]) -> Generator[Batch, None, None]:
    """Batches, each made in a thread while the one before it is used; the one that `is_last` says is the last.

    At its end what was asked for is read, so that the connection can be used again.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as thread:
        try:
            batch = thread.submit(next, made, None).result()
            while batch is not None:
                coming = None if is_last(batch) else thread.submit(next, made, None)
                yield batch
                batch = coming.result() if coming else None
        finally:
            thread.submit(made.close).result()
