"""Wake-ups of the two queues: ids in, one service call. What is lost here is found again by the tick."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from functools import partial

from django.conf import settings
from django.db import DatabaseError, close_old_connections, transaction
from huey import Huey
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.email_accounts import rules as account_rules
from mailwall.sync import due, removal, runs, services
from mailwall.sync.slow_hosts import SlowHosts
from mailwall.web import clock

logger = logging.getLogger(__name__)

WAITING_LIMIT = 200  # more would only grow old in the queue; the rest stays due in the database
PUSH_AGAIN_SECONDS = 2
#: of this process; the worker says how many threads it has
slow_hosts = SlowHosts(settings.WORKER_CONCURRENCY)
MANUAL_SECONDS = 10.0  # what is left after it goes on in `bulk`, so that the next person is served


def tick() -> int:
    """Start what is due; gives how many tasks. Called every few seconds by every worker, and harmless twice."""
    now = clock.now()
    started = 0
    for account_id in due.claim_due(now, max(0, WAITING_LIMIT - queue.bulk.pending_count())):
        sync_account_task(account_id)
        started += 1
    if not queue.fast.pending_count():
        for account_id in due.forgotten_downloads(now):
            download_task(account_id)
            started += 1
    if not queue.bulk.pending_count():
        for account_id in removal.accounts_to_purge():
            purge_task(account_id)
            started += 1
    removal.bury_removed(now)
    return started


def tidy() -> int:
    """Drop finished runs of long ago; gives how many. Mend what a wrong clock set. To be called now and then."""
    due.after_a_clock_jump(clock.now())
    return runs.forget_old(clock.now())


def download(account_id: int) -> None:
    """Wake a worker for a requested download, after the commit. A queue that is away delays it until the next tick."""
    transaction.on_commit(partial(_wake, account_id))


def fetch_history(account_id: int) -> None:
    """Wake a worker for older messages, after the commit; never in the queue that people wait for."""
    transaction.on_commit(partial(_wake, account_id, sync_account_task))


def purge(account_id: int) -> None:
    """Wake a worker to delete what a removed account left, after the commit."""
    transaction.on_commit(partial(_wake, account_id, purge_task))


def _wake(account_id: int, task: Callable[[int], object] | None = None) -> None:
    try:
        (task or download_task)(account_id)
    except (RedisError, sqlite3.Error, OSError):
        logger.warning("queue does not answer, the next tick starts it", extra={"account_id": account_id})


def pushed(account_id: int) -> None:
    """A server told of news: synchronise now, unless something is wrong with the account."""
    if due.make_due(account_id, clock.now()):
        push_task(account_id)


@queue.fast.task()
def push_task(account_id: int) -> None:
    """What a server told of; while a worker has the account it may have looked too early, so come again."""
    if _synchronise(account_id, queue.fast, seconds=MANUAL_SECONDS) == "busy":
        push_task.schedule(args=(account_id,), delay=PUSH_AGAIN_SECONDS)


@queue.fast.task()
def download_task(account_id: int) -> None:
    """What a person waits for."""
    _synchronise(account_id, queue.fast, seconds=MANUAL_SECONDS)


@queue.bulk.task()
def sync_account_task(account_id: int) -> None:
    """What the schedule asks for, and what is left of long imports."""
    if not slow_hosts.any:
        _synchronise(account_id, queue.bulk, seconds=services.SLICE_SECONDS)
        return
    host = due.host_of(account_id)
    if not slow_hosts.enter(host):
        due.put_back(account_id, clock.now() + services.AGAIN_WITHIN)
        return
    try:
        _synchronise(account_id, queue.bulk, seconds=services.SLICE_SECONDS)
    finally:
        slow_hosts.leave(host)


@queue.bulk.task()
def purge_task(account_id: int) -> None:
    """Delete the messages of an account that was removed with them."""
    close_old_connections()
    try:
        removal.purge(account_id)
    finally:
        close_old_connections()


def _synchronise(account_id: int, own: Huey, *, seconds: float) -> str:
    """One turn; gives its state, '' when it broke."""
    close_old_connections()
    begin = time.monotonic()
    try:
        outcome = services.sync_account(
            account_id, seconds=seconds, others_wait=_others_wait(own), stopping=queue.stopping.is_set
        )
        failed = outcome.error_code in account_rules.NETWORK_CODES
        slow_hosts.note(outcome.host, failed=failed, seconds=time.monotonic() - begin)
        if (outcome.more or outcome.more_history) and not queue.stopping.is_set():
            sync_account_task(account_id)  # behind the others
        return outcome.state
    except DatabaseError:
        logger.warning("database does not answer, tried again later", extra={"account_id": account_id})
    except Exception:
        logger.exception("synchronisation broke", extra={"account_id": account_id})
    finally:
        close_old_connections()
    return ""


def _others_wait(own: Huey) -> Callable[[], bool]:
    return lambda: own.pending_count() > 0
