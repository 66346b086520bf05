"""Who uses a data folder: all that runs holds its lock together, what changes the data whole holds it alone."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError


def hold_shared() -> None:
    """Say that this process runs Mailwall here, until it ends; programs that it turns into (exec) hold it on.

    :raises CommandError: the data is being restored or moved.
    """
    handle = _lock(fcntl.LOCK_SH, "The data is being restored or moved. Start Mailwall when that is done.")
    os.set_inheritable(handle, True)


def hold_alone() -> None:
    """Keep Mailwall from running here until this process ends.

    :raises CommandError: it runs.
    """
    _lock(fcntl.LOCK_EX, "Mailwall runs with this data folder. Stop it, then try again.")


def _lock(how: int, refusal: str) -> int:
    handle = os.open(Path(settings.DATA_DIR) / "running.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise CommandError(refusal) from error
    return handle
