"""A fresh installation for a benchmark: its own data folder, on SQLite or on a PostgreSQL of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.rig.postgres import Postgres

ROOT = Path(__file__).resolve().parents[1]
DATABASES = ("sqlite", "postgresql")
#: as deploy/compose.yaml has it, with the memory of a small server; as it comes PostgreSQL takes 128 MB
POSTGRESQL = {"shared_buffers": "1GB", "max_wal_size": "4GB", "checkpoint_timeout": "30min"}


@contextlib.contextmanager
def installation(database: str) -> Iterator[dict[str, str]]:
    """Give the environment of a migrated installation; it is gone afterwards."""
    folder = tempfile.mkdtemp(prefix="bench-mailwall-")
    env = {key: value for key, value in os.environ.items() if not key.startswith(("MAILWALL_", "DJANGO_"))}
    env |= {"MAILWALL_DATA_DIR": folder, "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1"}
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if database == "postgresql":
            server = Postgres(POSTGRESQL)
            stack.callback(server.stop)
            env["MAILWALL_DATABASE_URL"] = server.url
        call(env, "mailwall.config", "migrate", "--verbosity", "0")
        yield env


def call(env: dict[str, str], module: str, *arguments: str) -> None:
    """Run a module of ours in the installation; what it prints is printed."""
    subprocess.run([sys.executable, "-m", module, *arguments], env=env, cwd=ROOT, check=True)
