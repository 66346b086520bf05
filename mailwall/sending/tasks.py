"""Wake-ups of the queue `fast`: ids in, one service call. What is lost here is found again by the tick."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, close_old_connections, transaction
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.sending import copies, delivery, idempotency, outbox, rules
from mailwall.sending.models import Outgoing
from mailwall.web import clock

logger = logging.getLogger(__name__)

TICK_SECONDS = 3.0
TIDY_SECONDS = 3600.0
WAITING_LIMIT = 100
_WOKEN_WITHIN = timedelta(minutes=5)  # what is due later is found by the tick


def deliver(outgoing: Outgoing) -> None:
    """Wake a worker when a queued mail is due, after the commit. A queue that is away delays it until the next tick."""
    delay = outgoing.due_at - clock.now()
    if delay < _WOKEN_WITHIN:
        transaction.on_commit(partial(_wake, outgoing.account_id, max(0.0, delay.total_seconds())))


def tick() -> int:
    """Start what is due; gives how many tasks. Called every few seconds by every worker, and harmless twice."""
    now = clock.now()
    started = 0
    if queue.fast.pending_count() > WAITING_LIMIT:
        return started
    for account_id in outbox.accounts_to_deliver(now):
        deliver_task(account_id)
        started += 1
    for account_id in outbox.accounts_to_file(now):
        file_task(account_id)
        started += 1
    return started


def tidy() -> None:
    """What may wait: mails of accounts that stay blocked are given up, old keys are forgotten."""
    now = clock.now()
    outbox.give_up_blocked(now)
    idempotency.forget_old_keys(now)


@queue.fast.task()
def deliver_task(account_id: int) -> None:
    """Hand over what is due from one account, then see to the copies; once more when a new server had its time."""
    if _run(delivery.deliver_account, account_id) and not queue.stopping.is_set():
        file_task(account_id)
        file_task.schedule(args=(account_id,), delay=rules.UNKNOWN_SERVER_FILES_WITHIN.total_seconds())


@queue.fast.task()
def file_task(account_id: int) -> None:
    """File copies in Sent, and look there for mails whose outcome is unknown."""
    _run(copies.work_account, account_id)


def _wake(account_id: int, delay_seconds: float) -> None:
    try:
        if delay_seconds:
            deliver_task.schedule(args=(account_id,), delay=delay_seconds)
        else:
            deliver_task(account_id)
    except (RedisError, sqlite3.Error, OSError):
        logger.warning("queue does not answer, the next tick starts it", extra={"account_id": account_id})


def _run(work: Callable[..., Any], account_id: int) -> Any:
    close_old_connections()
    try:
        return work(account_id, stopping=queue.stopping.is_set)
    except DatabaseError:
        logger.warning("database does not answer, tried again later", extra={"account_id": account_id})
    except Exception:
        logger.exception("work on the outbox broke", extra={"account_id": account_id})
    finally:
        close_old_connections()
    return None
