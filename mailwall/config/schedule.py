"""What happens by the clock. Every worker may tick: entries claim their work first, a double tick is harmless."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, close_old_connections

from mailwall.assignment import tasks as assignment_tasks
from mailwall.email_accounts import kept
from mailwall.health import beats, tallies
from mailwall.sending import tasks as sending_tasks
from mailwall.sequences import tasks as sequence_tasks
from mailwall.sync import tasks as sync_tasks
from mailwall.web import clock

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Entry:
    """A function called every `seconds`; it looks for due work and starts tasks, and is done in a moment.

    busy_seconds: when it found something there may be more, so it is called again so soon. 0: never sooner.
    """

    name: str
    seconds: float
    call: Callable[[], object]
    busy_seconds: float = 0.0
    next_at: float = 0.0


def entries() -> list[Entry]:
    tick_seconds = min(15.0, max(1.0, settings.SYNC_INTERVAL_SECONDS / 5))
    return [
        Entry("synchronise due accounts", tick_seconds, sync_tasks.tick, busy_seconds=1.0),
        Entry("review unassigned messages", 20.0, assignment_tasks.review_if_due),
        Entry("run due steps of sequences", 3.0, sequence_tasks.tick),
        Entry("hang up what is not wanted", 3.0, kept.tidy),
        Entry("drop old runs", 3600.0, sync_tasks.tidy),
        Entry("deliver due mail", sending_tasks.TICK_SECONDS, sending_tasks.tick),
        Entry("tidy the outbox", sending_tasks.TIDY_SECONDS, sending_tasks.tidy),
        Entry("add up old tallies", 3600.0, _tidy_health),
    ]


def _tidy_health() -> None:
    now = clock.now()
    tallies.fold_old(now)
    beats.forget_old(now)


def run_due(schedule: list[Entry]) -> None:
    """Call what is due; one entry's trouble does not keep another from its turn."""
    now = time.monotonic()
    for entry in schedule:
        if entry.next_at > now:
            continue
        entry.next_at = now + entry.seconds
        try:
            if entry.call() and entry.busy_seconds:
                entry.next_at = now + entry.busy_seconds
        except DatabaseError:
            logger.warning("database does not answer, tick skipped", extra={"entry": entry.name})
        except Exception:
            logger.exception("a scheduled entry failed", extra={"entry": entry.name})
        finally:
            close_old_connections()
