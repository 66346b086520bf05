"""What a process needs before it serves: compiled translations, collected static files, tables."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

from mailwall.web import catalogues

logger = logging.getLogger(__name__)


def prepare_files() -> None:
    """Compile translations and collect static files when they are stale; a fraction of a second when they are not."""
    catalogues.compile_catalogues()
    stamp_file = Path(settings.STATIC_ROOT) / ".stamp"
    stamp = _static_stamp()
    if stamp_file.exists() and stamp_file.read_text() == stamp:
        return
    call_command("collectstatic", interactive=False, verbosity=0, clear=True, stdout=io.StringIO())
    stamp_file.write_text(stamp)


def migrate() -> None:
    """Bring the database up to date. Safe to run twice; processes that start together wait for each other."""
    call_command("migrate", interactive=False, verbosity=0)


def _static_stamp() -> str:
    """A hash over path, size and time of every static file."""
    known = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            stat = Path(storage.path(path)).stat()
            known.update(f"{path}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return known.hexdigest()
