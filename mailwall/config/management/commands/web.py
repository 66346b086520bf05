"""`mailwall web`: the pages and the REST API, served by gunicorn with threads."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from mailwall.config import prepare
from mailwall.operations import running


class Command(BaseCommand):
    help = "Serve the pages and the REST API."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        running.hold_shared()
        prepare.prepare_files()
        command = gunicorn_command(options["host"], options["port"])
        os.execv(command[0], command)  # noqa: S606 -- our own interpreter, our own arguments


def gunicorn_command(host: str, port: int) -> list[str]:
    """The server's own command line, for files that are prepared."""
    host = f"[{host}]" if ":" in host else host
    return [
        sys.executable, "-m", "gunicorn", "mailwall.config.wsgi:application",
        "--config", "python:mailwall.config.gunicorn_limits",
        "--bind", f"{host}:{port}",
        "--worker-class", "gthread",
        "--workers", str(settings.WEB_PROCESSES),
        "--threads", str(settings.WEB_THREADS),
        "--timeout", "120",
        "--graceful-timeout", "5",
        "--keep-alive", "5",
        "--max-requests", "0",
        "--log-level", "warning",
    ]  # fmt: skip
