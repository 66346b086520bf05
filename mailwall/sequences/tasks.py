"""Wake-ups of the queue `fast`: ids in, one service call. What is lost here is found again by the tick."""

from __future__ import annotations

import logging
import sqlite3
from functools import partial

from django.db import DatabaseError, close_old_connections, transaction
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.sending import tasks as sending_tasks
from mailwall.sequences import running
from mailwall.sequences.models import Sequence
from mailwall.web import clock

logger = logging.getLogger(__name__)

WAITING_LIMIT = 200  # more would only grow old in the queue


def tick() -> int:
    """Start what is due; gives how many tasks. Called every few seconds by every worker, and harmless twice."""
    running.end_orphans()
    room = max(0, WAITING_LIMIT - queue.fast.pending_count())
    due = running.accounts_due(clock.now())[:room]
    for account_id in due:
        run_account_task(account_id)
    return len(due)


def wake(sequence: Sequence) -> None:
    """Wake a worker for a sequence that may have due steps now, after the commit; without one the next tick does it."""
    if sequence.account_id is not None:
        transaction.on_commit(partial(_wake, sequence.account_id))


def _wake(account_id: int) -> None:
    try:
        run_account_task(account_id)
    except (RedisError, sqlite3.Error, OSError):
        logger.warning("queue does not answer, the next tick starts it", extra={"account_id": account_id})


@queue.fast.task()
def run_account_task(account_id: int) -> None:
    """The due steps of one account."""
    close_old_connections()
    try:
        if account_id in running.accounts_due(clock.now()):
            running.run_due(account_id, sending_tasks.deliver)
    except DatabaseError:
        logger.warning("database does not answer, tried again later", extra={"account_id": account_id})
    except Exception:
        logger.exception("steps of a sequence broke", extra={"account_id": account_id})
    finally:
        close_old_connections()
