"""At most PER_ACCOUNT connections to the mail server of one account on a machine: each needs a place.

Places are locks on files: the system gives them back when a process dies, and all processes of a machine share them.
Who only listens (IDLE) takes a place that is free and gives it up when somebody waits: see `try_place` and `wanted`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from mailwall.errors import MailwallError

PER_ACCOUNT = 2
_PAUSE_SECONDS = 0.05
_WANTED_SECONDS = 5.0  # older ones were left by somebody who died


class NoPlace(MailwallError):
    """All connections that an account may have were in use for too long."""

    code = "connections_in_use"
    retryable = True


class Place:
    """The right to one connection."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def release(self) -> None:
        """Give it back; again does nothing."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle = -1


@contextlib.contextmanager
def place(account_id: int, *, wait_seconds: float) -> Iterator[None]:
    """Hold a place of the account.

    :raises NoPlace: none became free in time.
    """
    mine = try_place(account_id) or _wait(account_id, time.monotonic() + wait_seconds)
    try:
        yield
    finally:
        mine.release()


def try_place(account_id: int) -> Place | None:
    """A place, if one is free now; to be released."""
    for number in range(PER_ACCOUNT):
        path = _folder() / f"account-{account_id}-{number}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return Place(handle)
        except BlockingIOError:
            os.close(handle)
    return None


def wanted() -> set[int]:
    """Accounts for a place of which somebody waits."""
    found = set()
    with contextlib.suppress(FileNotFoundError), os.scandir(_folder() / "wanted") as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - file.stat().st_mtime < _WANTED_SECONDS:
                    found.add(int(file.name.partition("-")[0]))
    return found


def _wait(account_id: int, end: float) -> Place:
    sign = _folder() / "wanted" / f"{account_id}-{os.getpid()}-{time.monotonic_ns()}"
    sign.parent.mkdir(exist_ok=True)
    try:
        while time.monotonic() < end:
            sign.touch()
            time.sleep(_PAUSE_SECONDS)
            if (mine := try_place(account_id)) is not None:
                return mine
    finally:
        sign.unlink(missing_ok=True)
    raise NoPlace("All connections of this account are in use.")


def _folder() -> Path:
    folder: Path = settings.DATA_DIR / "locks"
    folder.mkdir(exist_ok=True)
    return folder
