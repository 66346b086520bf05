"""`mailwall up`: everything on one machine. Web and worker are processes; whichever dies is started again."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from mailwall.config import prepare
from mailwall.config.management.commands.web import gunicorn_command
from mailwall.demo import services as demo_services
from mailwall.demo.wording import people_lines
from mailwall.operations import running
from mailwall.team import services as team_services

logger = logging.getLogger(__name__)

STOP_SECONDS = 9.0


@dataclass(slots=True)
class Part:
    """One process of ours and when it may be started again."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    start_at: float = 0.0


class Command(BaseCommand):
    help = "Start web, worker and schedule; bring the database up to date first."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--data", help="the data folder (also MAILWALL_DATA_DIR)")
        parser.add_argument("--demo", action="store_true", help="with sample people and mail, in ./demo-data")

    def handle(self, *args: Any, **options: Any) -> None:
        running.hold_shared()
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: stop.set())
        prepare.prepare_files()
        migrated = self._migrate()
        if settings.DEMO:
            self._load_demo()
        parts = [
            *([_part("mail server of the demo", "demo", "serve")] if settings.DEMO else []),
            Part("web", gunicorn_command(options["host"], options["port"])),  # `mailwall web` would prepare again
            _part("worker", "worker", "--watch"),
        ]
        self._greet(migrated)
        try:
            while not stop.is_set():
                for part in parts:
                    _keep_running(part)
                migrated = migrated or self._migrate()
                stop.wait(0.3)
        finally:
            _stop(parts)

    def _migrate(self) -> bool:
        """An absent database is no reason to end: /readyz says so, and we try again."""
        try:
            prepare.migrate()
        except DatabaseError:
            logger.warning("database does not answer, migration is tried again")
            time.sleep(1)
            return False
        return True

    def _greet(self, migrated: bool) -> None:
        self.stdout.write(f"Mailwall is at {settings.BASE_URL}/  (data: {settings.DATA_DIR}, Ctrl-C stops)")
        link = team_services.make_setup_link(settings.BASE_URL) if migrated else None
        if link:
            self.stdout.write(f"Nobody can sign in yet. Create the first administrator here, once: {link}")
        for line in people_lines(demo) if settings.DEMO and (demo := demo_services.loaded()) else ():
            self.stdout.write(line)
        self.stdout.flush()

    def _load_demo(self) -> None:
        try:
            if demo_services.loaded() is None:
                demo_services.load()
        except demo_services.DemoRefused as error:
            raise CommandError(f"{error.message} (data: {settings.DATA_DIR})") from error


def _part(name: str, *arguments: str) -> Part:
    return Part(name, [sys.executable, "-m", "mailwall.config", *arguments])


def _keep_running(part: Part) -> None:
    """Start a part that is not running; one that keeps dying waits longer each time, up to 30 s."""
    if part.process is not None and part.process.poll() is not None:
        extra = {"part": part.name, "status": part.process.returncode}
        logger.error("a part ended and is started again", extra=extra)
        lived = time.monotonic() - part.start_at
        part.starts = 0 if lived > 60 else part.starts + 1
        part.start_at = time.monotonic() + min(30.0, 0.5 * 2**part.starts if part.starts > 1 else 0.0)
        part.process = None
    if part.process is None and time.monotonic() >= part.start_at:
        part.start_at = time.monotonic()
        part.process = subprocess.Popen(part.command, preexec_fn=_die_with_parent, start_new_session=False)  # noqa: S603


def _die_with_parent() -> None:
    """On Linux a child gets SIGTERM when `up` is killed, so that nothing is left behind."""
    if sys.platform == "linux":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def _stop(parts: list[Part]) -> None:
    running = [part.process for part in parts if part.process is not None and part.process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(1)
    logger.info("stopped", extra={"pid": os.getpid()})
