"""What is costly to make and the same for each test is made once and copied: a migrated database, collected static files.

To apply all migrations takes ten seconds. Whoever tests them, or the first start, starts without.
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
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "mailwall.sqlite3"
KEPT_DAYS = 3


def put_into(data: Path) -> None:
    """Give a data folder a database on which `migrate` finds nothing to do."""
    copy_to(data / NAME)


def copy_to(database: Path) -> None:
    """An empty SQLite database with all migrations applied."""
    database.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made_once("sqlite", _make_sqlite), database)


def migrate(data: str, **env: str) -> None:
    """Apply all migrations, as `mailwall migrate` does."""
    _run(["-m", "mailwall.config", "migrate", "--verbosity", "0"], data, **env)


def put_static_into(data: Path) -> None:
    """Give a data folder the collected static files, on which the start finds nothing to do."""
    shutil.copytree(made_once(f"static-{_static_digest()}", _make_static), data / "static")


@functools.cache
def made_once(name: str, make: Callable[[Path], None]) -> Path:
    """What `make` writes to the path it is given, of the migrations as they are now, whichever of several processes asks first."""
    folder = Path(tempfile.gettempdir()) / f"mailwall-made-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    made = folder / f"{name}-{_digest()}"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _remove_old(folder)
            unfinished = folder / f"{name}.unfinished"
            _remove(unfinished)
            make(unfinished)
            unfinished.rename(made)
    os.utime(made)
    return made


@functools.cache
def _digest() -> str:
    digest = hashlib.blake2b(digest_size=8)
    migrations, models = ROOT.glob("mailwall/*/migrations/*.py"), ROOT.glob("mailwall/*/models.py")
    for file in [ROOT / "uv.lock", *sorted(migrations), *sorted(models)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _make_sqlite(made: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="mailwall-migrated-") as data:
        migrate(data)
        with sqlite3.connect(f"{data}/{NAME}") as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        shutil.copyfile(f"{data}/{NAME}", made)


@functools.cache
def _static_digest() -> str:
    """Of what the start compares: name, size and time of each file."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(ROOT.glob("mailwall/*/static/**/*")):
        stat = file.stat()
        digest.update(f"{file.relative_to(ROOT)}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _make_static(made: Path) -> None:
    code = "import django; django.setup(); from mailwall.config import prepare; prepare.prepare_files()"
    with tempfile.TemporaryDirectory(prefix="mailwall-static-") as data:
        _run(["-c", code], data, DJANGO_SETTINGS_MODULE="mailwall.config.settings")
        shutil.copytree(f"{data}/static", made)


def _run(arguments: list[str], data: str, **env: str) -> None:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))}
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env={**kept, "MAILWALL_DATA_DIR": data, **env}, check=True)


def _remove_old(folder: Path) -> None:
    """Of migrations that nobody has any more."""
    for path in folder.iterdir():
        if path.stat().st_mtime < time.time() - KEPT_DAYS * 86_400:
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
