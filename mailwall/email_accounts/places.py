"""How many connections a machine has to mail servers: each needs a place of its account, and one of its mail host.

Places are locks on files: the system gives them back when a process dies, and all processes of a machine share them.
Of a host's places some are for what a person waits for alone. Who only listens (IDLE) takes a place of the account that
is free, none of the host, and gives it up when somebody waits: see `try_place` and `wanted`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from mailwall.email_accounts import rules
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError

PER_ACCOUNT = 2
_PAUSE_SECONDS = 0.05
_WANTED_SECONDS = 5.0  # older ones were left by somebody who died


class NoPlace(MailwallError):
    """All connections that an account, or its mail host, may have were in use for too long."""

    code = "connections_in_use"
    retryable = True


class OwnerOff(NoPlace):
    """The account's owner is switched off: nothing connects, whoever asks."""


class Place:
    """The right to one connection."""

    def __init__(self, *handles: int) -> None:
        self._handles = handles

    def release(self) -> None:
        """Give it back; again does nothing."""
        for handle in self._handles:
            os.close(handle)
        self._handles = ()


@dataclass(frozen=True, slots=True)
class Lack:
    """What somebody waits for: a place of an account, or (account_id 0) one of a host, by its key."""

    account_id: int = 0
    host: str = ""


#: asked, in this process, to hang up an idle connection; gives whether one was (kept.py)
_givers: list[Callable[[Lack], bool]] = []


def on_lack(giver: Callable[[Lack], bool]) -> None:
    """Have `giver(lack)` called before somebody of this process waits; it may free what lacks, and says whether."""
    if giver not in _givers:
        _givers.append(giver)


@contextlib.contextmanager
def place(
    account_id: int, *, wait_seconds: float, host: str | None = None, for_person: bool = False
) -> Iterator[Place]:
    """Hold a place of the account and of its mail host (None: as its row says), to be given back at the end.

    for_person: somebody looks on, so the host's reserve may be used.

    :raises NoPlace: none became free in time, or OwnerOff.
    """
    mine = claim(account_id, wait_seconds=wait_seconds, host=host, for_person=for_person)
    try:
        yield mine
    finally:
        mine.release()


def claim(account_id: int, *, wait_seconds: float, host: str | None = None, for_person: bool = False) -> Place:
    """As place(), to be released by the caller."""
    host = _host_of(account_id) if host is None else host
    end = time.monotonic() + wait_seconds
    with contextlib.ExitStack() as signs:
        shown, sign = None, Path()
        while isinstance(found := _try(account_id, host, for_person=for_person), Lack):
            if any(giver(found) for giver in _givers):
                continue
            if time.monotonic() >= end:
                raise NoPlace("All connections of this account, or to its mail server, are in use.")
            if found != shown:
                signs.close()
                shown, sign = found, signs.enter_context(_sign(found))
            sign.touch()
            time.sleep(_PAUSE_SECONDS)
        return found


def try_place(account_id: int, host: str = "", *, for_person: bool = False) -> Place | None:
    """A place, if one is free now; to be released. host '': it is not counted with its host's."""
    found = _try(account_id, host, for_person=for_person)
    return found if isinstance(found, Place) else None


def wanted(*, for_seconds: float = 0.0) -> set[Lack]:
    """What is waited for on this machine, by somebody who has waited for so long at least."""
    found = set()
    with contextlib.suppress(FileNotFoundError), os.scandir(_folder() / "wanted") as files:
        for file in files:
            with contextlib.suppress(FileNotFoundError, ValueError):
                account_id, host, _pid, since = file.name.split("-")
                is_alive = time.time() - file.stat().st_mtime < _WANTED_SECONDS
                if is_alive and time.monotonic_ns() - int(since) >= for_seconds * 1e9:
                    found.add(Lack(int(account_id), host))
    return found


def host_key(host: str) -> str:
    """How a mail host is called in names of files."""
    return hashlib.sha256(host.strip().rstrip(".").lower().encode()).hexdigest()[:16]


def _try(account_id: int, host: str, *, for_person: bool) -> Place | Lack:
    mine = _lock(f"account-{account_id}", PER_ACCOUNT)
    if mine is None:
        return Lack(account_id)
    if not host:
        return Place(mine)
    there = _lock(f"host-{host_key(host)}", rules.places_of_host(settings.HOST_CONNECTIONS, for_person=for_person))
    if there is None:
        os.close(mine)
        return Lack(host=host_key(host))
    return Place(mine, there)


def _lock(name: str, places: int) -> int | None:
    """The handle of the first of these locks that is free."""
    for number in range(places):
        handle = os.open(_folder() / f"{name}-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            os.close(handle)
    return None


@contextlib.contextmanager
def _sign(lack: Lack) -> Iterator[Path]:
    """A file by which other processes see that somebody waits."""
    folder = _folder() / "wanted"
    folder.mkdir(exist_ok=True)
    sign = folder / f"{lack.account_id}-{lack.host}-{os.getpid()}-{time.monotonic_ns()}"
    try:
        yield sign
    finally:
        sign.unlink(missing_ok=True)


def _host_of(account_id: int) -> str:
    host, is_owner_active = EmailAccount.objects.values_list("imap_host", "owner__is_active").get(pk=account_id)
    if not is_owner_active:
        raise OwnerOff("The owner of this account is switched off.")
    return host


def _folder() -> Path:
    folder: Path = settings.DATA_DIR / "locks"
    folder.mkdir(exist_ok=True)
    return folder
