"""Mail hosts that keep a worker's threads waiting: they may have half of them, so that the other hosts are served."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

SLOW_SECONDS = 2.0  # who refuses at once holds no thread
REMEMBERED_SECONDS = 600.0  # unless it answers before


class SlowHosts:
    """What one process has seen lately. Safe between threads. A host is slow from a failure that took its time on."""

    def __init__(self, threads: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.threads = threads
        self._clock = clock
        self._slow_until: dict[str, float] = {}
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def any(self) -> bool:
        """Whether any host is slow."""
        return bool(self._slow_until)

    def enter(self, host: str) -> bool:
        """Take a thread for a host; to be left again. False: slow ones have their half already, come back later."""
        with self._lock:
            self._forget()
            slow = sum(self._busy[each] for each in self._slow_until)
            if host in self._slow_until and slow >= max(1, self.threads // 2):
                return False
            self._busy[host] += 1
            return True

    def leave(self, host: str) -> None:
        """Give the thread back."""
        with self._lock:
            self._busy[host] -= 1
            self._busy += Counter()  # only what is above zero stays

    def note(self, host: str, *, failed: bool, seconds: float) -> None:
        """How work on a host ended: failed by the network or not, after so many seconds."""
        with self._lock:
            if not failed:
                self._slow_until.pop(host, None)
            elif seconds >= SLOW_SECONDS:
                self._slow_until[host] = self._clock() + REMEMBERED_SECONDS

    def _forget(self) -> None:
        now = self._clock()
        self._slow_until = {host: until for host, until in self._slow_until.items() if until > now}
