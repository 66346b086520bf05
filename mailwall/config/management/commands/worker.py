"""`mailwall worker`: takes tasks from the queues and ticks."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import logging
import os
import signal
import sys
import threading
import time
from argparse import ArgumentParser
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from huey import Huey
from huey.consumer import Consumer

from mailwall import queue
from mailwall.config import schedule
from mailwall.email_accounts import kept
from mailwall.health import beats
from mailwall.operations import running
from mailwall.sync import idle
from mailwall.sync import tasks as sync_tasks

logger = logging.getLogger(__name__)

BEAT_SECONDS = 10.0
STOP_SECONDS = 6.0  # `up` promises to be gone within ten
#: of <malloc.h>: M_ARENA_MAX, M_TRIM_THRESHOLD
_MALLOC_OPTIONS = {-8: 2, -1: 1_000_000}


class QuietConsumer(Consumer):
    """A consumer that shares its process: signals belong to the command, not to one of several queues."""

    def _set_signal_handlers(self) -> None:
        return


class Command(BaseCommand):
    help = "Take tasks from the queues, and tick."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--queue", choices=["fast", "bulk", "all"], default="all")
        parser.add_argument("--concurrency", type=int, default=settings.WORKER_CONCURRENCY)
        parser.add_argument("--watch", action="store_true", help="also hold the connections of `mailwall watch`")

    def handle(self, *args: Any, **options: Any) -> None:
        _give_memory_back()
        running.hold_shared()
        concurrency = max(1, options["concurrency"])
        _import_tasks()
        signal.signal(signal.SIGTERM, lambda *_: queue.stopping.set())
        signal.signal(signal.SIGINT, lambda *_: queue.stopping.set())
        _keep_connections()
        sync_tasks.slow_hosts.threads = concurrency
        consumers = []
        if options["queue"] in ("fast", "all"):
            consumers.append(_consumer(queue.fast, concurrency, max_delay=0.2))
        if options["queue"] in ("bulk", "all"):
            consumers.append(_consumer(queue.bulk, concurrency, max_delay=1.0))
        for consumer in consumers:
            consumer.start()
        if options["watch"]:
            threading.Thread(target=_watch, name="watch", daemon=True).start()
        logger.info("worker started", extra={"queue": options["queue"], "concurrency": concurrency})
        _tick_until_stopped(consumers)
        _stop(consumers)


def _give_memory_back() -> None:
    """glibc keeps what each thread once needed, thread by thread; few pools, trimmed early, keep memory flat."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # musl has no such thing, and no such need
            for option, value in _MALLOC_OPTIONS.items():
                ctypes.CDLL(None).mallopt(option, value)


def _consumer(which: Huey, workers: int, *, max_delay: float) -> QuietConsumer:
    return QuietConsumer(
        which,
        workers=workers,
        periodic=False,
        initial_delay=0.05,
        backoff=1.2,
        max_delay=max_delay,
        shutdown_timeout=STOP_SECONDS,
    )


def _import_tasks() -> None:
    """A queue knows a task once its module has been imported."""
    for app in apps.get_app_configs():
        if app.name.startswith("mailwall."):
            try:
                importlib.import_module(f"{app.name}.tasks")
            except ModuleNotFoundError as error:
                if error.name != f"{app.name}.tasks":
                    raise


def _keep_connections() -> None:
    """Between two synchronisations of an account, when they come soon enough."""
    often = settings.SYNC_INTERVAL_SECONDS < kept.IDLE_SECONDS
    seconds = min(kept.IDLE_SECONDS, 2 * settings.SYNC_INTERVAL_SECONDS + 60)
    keeper = kept.start(settings.KEPT_CONNECTIONS if often else 0, idle_seconds=seconds)
    if keeper is not None:
        watch = functools.partial(kept.watch, keeper, stopping=queue.stopping.wait)
        threading.Thread(target=watch, name="kept", daemon=True).start()


def _watch() -> None:
    idle.watch(sync_tasks.pushed, limit=settings.PUSH_CONNECTIONS, stopping=queue.stopping.is_set)


def _tick_until_stopped(consumers: list[QuietConsumer]) -> None:
    entries = [*schedule.entries(), _beats()]
    next_health_check = time.monotonic() + 10
    while not queue.stopping.wait(0.5):
        schedule.run_due(entries)
        if time.monotonic() > next_health_check:
            next_health_check = time.monotonic() + 10
            for consumer in consumers:
                consumer.check_worker_health()


def _beats() -> schedule.Entry:
    """Written last, after a whole round of ticks: it tells that they happen."""
    started_at = timezone.now()
    return schedule.Entry("tell that it lives", BEAT_SECONDS, lambda: beats.beat("worker", started_at))


def _stop(consumers: list[QuietConsumer]) -> None:
    """Let running tasks reach their next batch, then go: what is left is picked up again from the database."""
    threads = [threading.Thread(target=consumer.stop, kwargs={"graceful": True}) for consumer in consumers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(STOP_SECONDS + 1)
    with contextlib.suppress(DatabaseError):
        beats.stop("worker")
    close_old_connections()
    logger.info("worker stopped")
    os._exit(0)  # a thread that waits for a silent mail server must not hold the process
