"""Reading one batch ahead: order, errors and the end are those of reading."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from mailwall.imap.errors import ImapUnreachable
from mailwall.sync import reading, storing
from mailwall.sync.reading import Reading


class Source:
    """Readings by number, and what became of them."""

    def __init__(self, count: int, *, breaks: bool = False) -> None:
        self.count, self.breaks = count, breaks
        self.read = 0
        self.closed = False
        self.threads: set[int] = set()

    def readings(self) -> Generator[Reading, None, None]:
        try:
            for uid in range(self.count):
                self.threads.add(threading.get_ident())
                self.read += 1
                yield Reading(uid=uid)
            if self.breaks:
                raise ImapUnreachable(ImapUnreachable.MSGID_LOST, {"host": "mail.example"})
        finally:
            self.closed = True

    def ahead(self, *, first: int) -> Generator[list[Reading], None, None]:
        return storing._one_ahead(reading.in_batches(self.readings(), first=first), lambda batch: False)


def test_batches_come_in_order_and_are_made_elsewhere():
    source = Source(1_700)
    batches = list(source.ahead(first=100))
    assert [len(batch) for batch in batches] == [100, 500, 500, 500, 100]
    assert [each.uid for batch in batches for each in batch] == list(range(1_700))
    assert source.closed and threading.get_ident() not in source.threads


def test_what_was_read_before_a_broken_connection_is_given_first():
    ahead = Source(700, breaks=True).ahead(first=100)
    assert [len(next(ahead)), len(next(ahead))] == [100, 500]
    with pytest.raises(ImapUnreachable):
        next(ahead)


def test_who_stops_has_read_one_batch_more_at_most_and_the_source_is_closed():
    source = Source(10_000)
    ahead = source.ahead(first=100)
    assert len(next(ahead)) == 100
    ahead.close()
    assert source.closed and source.read <= 600


def test_after_the_last_batch_nothing_is_read_that_would_not_be_stored():
    source = Source(10_000)
    ahead = storing._one_ahead(reading.in_batches(source.readings()), lambda batch: batch[-1].uid > 900)
    assert [len(batch) for batch in ahead] == [500, 500]
    assert source.closed and source.read == 1_000
