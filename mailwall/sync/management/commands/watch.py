"""`mailwall watch`: hold connections on which mail servers tell of new mail (IDLE). `mailwall up` runs it."""

from __future__ import annotations

import logging
import resource
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mailwall import queue
from mailwall.sync import idle, tasks

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Watch INBOXes of servers that offer IDLE; new mail then comes within seconds."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: queue.stopping.set())
        limit = settings.PUSH_CONNECTIONS
        if not limit:
            queue.stopping.wait()
            return
        _allow_files(limit + 200)
        logger.info("watching", extra={"limit": limit})
        idle.Watcher(tasks.pushed, limit=limit).run(queue.stopping.is_set)


def _allow_files(number: int) -> None:
    """A connection is an open file; the system's soft limit is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
