"""An empty SQLite database with all migrations applied, made once and copied: to apply them takes each test ten seconds.

Whoever tests migrations, or the first start, starts without it.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "mailwall.sqlite3"


def put_into(data: Path) -> None:
    """Give a data folder a database on which `migrate` finds nothing to do."""
    data.mkdir(parents=True, exist_ok=True)
    shutil.copy2(_made(), data / NAME)


@functools.cache
def _made() -> Path:
    """Of the migrations as they are now, whichever of several test processes asks first."""
    digest = hashlib.blake2b(digest_size=8)
    for file in [
        ROOT / "uv.lock",
        *sorted(ROOT.glob("mailwall/*/migrations/*.py")),
        *ROOT.glob("mailwall/*/models.py"),
    ]:
        digest.update(file.read_bytes())
    folder = Path(tempfile.gettempdir()) / f"mailwall-migrated-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made = folder / f"{digest.hexdigest()}.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made)
    return made


def _make(made: Path) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))}
    with tempfile.TemporaryDirectory(prefix="mailwall-migrated-") as data:
        command = [sys.executable, "-m", "mailwall.config", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env={**kept, "MAILWALL_DATA_DIR": data}, check=True)
        with sqlite3.connect(f"{data}/{NAME}") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        shutil.copy2(f"{data}/{NAME}", f"{made}.new")
    os.replace(f"{made}.new", made)
