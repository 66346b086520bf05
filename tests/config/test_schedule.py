"""The schedule calls what is due, and sooner again while there is work."""

from __future__ import annotations

import time

import pytest

from mailwall.config.schedule import Entry, run_due

pytestmark = pytest.mark.django_db


def test_an_entry_that_found_work_is_called_again_soon_and_an_idle_one_at_its_time():
    busy = Entry("busy", 100.0, lambda: 3, busy_seconds=1.0)
    idle = Entry("idle", 100.0, lambda: 0, busy_seconds=1.0)
    plain = Entry("plain", 100.0, lambda: 3)
    broken = Entry("broken", 100.0, lambda: 1 / 0, busy_seconds=1.0)
    run_due([broken, busy, idle, plain])
    waits = [round(entry.next_at - time.monotonic()) for entry in (busy, idle, plain, broken)]
    assert waits == [1, 100, 100, 100]
