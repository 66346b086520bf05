"""A real Redis of our own on loopback, in memory only: restarted, it is empty."""

from __future__ import annotations

import subprocess

from tests.rig.processes import answers, end, free_port, wait_until


class Redis:
    """Start on construction, `url` for MAILWALL_REDIS_URL; stop() and start() lose all that was in it."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        wait_until(lambda: answers(self.port), seconds=20, what="Redis does not answer")

    def stop(self) -> None:
        end(self._process)
