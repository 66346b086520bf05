"""`mailwall watch`: hold connections on which mail servers tell of new mail (IDLE), in a process of their own."""

from __future__ import annotations

import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mailwall import queue
from mailwall.sync import idle, tasks


class Command(BaseCommand):
    help = "Watch INBOXes of servers that offer IDLE; new mail then comes within seconds."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: queue.stopping.set())
        idle.watch(tasks.pushed, limit=settings.PUSH_CONNECTIONS, stopping=queue.stopping.is_set)
        queue.stopping.wait()
