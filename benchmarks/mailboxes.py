"""Accounts on a Dovecot of our own, filled from the corpus: one of text mails, one with files, spread over 13 days."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from benchmarks import corpus
from tests.rig.dovecot import Dovecot

TEXT, FILES = "text@bench.example", "files@bench.example"
NEWEST = datetime.now(UTC)


def fill_text(dovecot: Dovecot, count: int) -> int:
    """Newest last; gives their bytes."""
    return _fill(dovecot, TEXT, count, corpus.text_mail)


def fill_files(dovecot: Dovecot, count: int) -> int:
    """With a file of 0.2 to 3 MB each; newest last; gives their bytes."""
    sizes = random.Random(7)
    wanted = [sizes.randint(200_000, 3_000_000) for _ in range(count)]
    return _fill(
        dovecot, FILES, count, lambda number, moment: corpus.file_mail(number, moment, size_bytes=wanted[number])
    )


def _fill(dovecot: Dovecot, user: str, count: int, make: Callable[[int, datetime], bytes]) -> int:
    total = 0

    def mails() -> Iterator[tuple[bytes, datetime]]:
        nonlocal total
        for number in range(count):
            moment = NEWEST - timedelta(days=13) * (1 - number / count)
            raw = make(number, moment)
            total += len(raw)
            yield raw, moment

    dovecot.fill(user, mails())
    return total
