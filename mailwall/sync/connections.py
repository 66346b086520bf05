"""At most DOWNLOADS_AT_ONCE connections for downloads of one account on a machine; who comes later waits in line.

Locks on files: the system gives them back when a process dies, and all processes of a machine share them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator

from django.conf import settings

from mailwall.sync.errors import MailServerTimeout

DOWNLOADS_AT_ONCE = 2
WAIT_SECONDS = 45.0
_PAUSE_SECONDS = 0.05


@contextlib.contextmanager
def download_slot(account_id: int, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold one of the account's places for downloads.

    :raises MailServerTimeout: none became free in time.
    """
    handle = _wait(account_id, time.monotonic() + wait_seconds)
    try:
        yield
    finally:
        os.close(handle)


def _wait(account_id: int, end: float) -> int:
    folder = settings.DATA_DIR / "locks"
    folder.mkdir(exist_ok=True)
    while True:
        for number in range(DOWNLOADS_AT_ONCE):
            handle = os.open(folder / f"download-{account_id}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return handle
            except BlockingIOError:
                os.close(handle)
        if time.monotonic() >= end:
            raise MailServerTimeout(MailServerTimeout.MSGID_QUEUE)
        time.sleep(_PAUSE_SECONDS)
