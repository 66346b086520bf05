"""Signed-in connections that a process keeps between two synchronisations, so that a poll costs one round trip.

A connection at rest has no folder open and no answer to come; it goes back to the account it belongs to and to nobody
else, while that account's server, user name and password are what they were. It holds the places of a connection, and
is hung up when somebody lacks one, when the account does not connect by itself any more, and after IDLE_SECONDS.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mailwall.email_accounts import places
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.email_accounts.places import Lack, Place
from mailwall.errors import MailwallError
from mailwall.imap.session import ImapSession

IDLE_SECONDS = 20 * 60.0  # servers hang up after 30 minutes without a word (RFC 3501 §5.4)
_LOOK_SECONDS = 0.05
_LISTEN_SECONDS = 1.0

Server = tuple[object, ...]


def server_of(account: EmailAccount) -> Server:
    """What a connection was made with: another value means another connection."""
    return (
        account.imap_host, account.imap_port, account.imap_security, account.imap_username,
        account.sealed_imap_password,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """A connection at rest, and the places that it holds."""

    account_id: int
    server: Server
    session: ImapSession
    place: Place
    since: float = field(default_factory=time.monotonic)

    def hang_up(self) -> None:
        self.session.hang_up()
        self.place.release()


class Keeper:
    """The connections at rest of one process, at most `limit`, one for each account. Safe between threads."""

    def __init__(self, *, limit: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._kept: dict[int, Kept] = {}  # in the order in which they came to rest
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._kept)

    def take(self, account: EmailAccount) -> Kept | None:
        """The account's connection, no longer kept; None when there is none that was made with these settings."""
        with self._lock:
            found = self._kept.pop(account.pk, None)
        if found is not None and found.server != server_of(account):
            found.hang_up()
            return None
        return found

    def keep(self, account: EmailAccount, session: ImapSession, place: Place) -> bool:
        """Keep a connection with its places; False: the caller still has both, and is to hang up."""
        try:
            if self._limit <= len(self._kept) or not session.rest():
                return False
        except MailwallError:
            return False
        new = Kept(account.pk, server_of(account), session, place)
        with self._lock:
            old = self._kept.pop(account.pk, None)
            self._kept[account.pk] = new
        if old is not None:
            old.hang_up()
        return True

    def give(self, lack: Lack) -> bool:
        """Hang up a connection whose place somebody lacks, the one that rests longest; whether there was one."""

        def frees(kept: Kept) -> bool:
            return kept.account_id == lack.account_id or places.host_key(str(kept.server[0])) == lack.host

        return bool(self._drop(frees, limit=1))

    def look(self) -> None:
        """Hang up what others lack."""
        if self._kept:
            for lack in places.wanted():
                self.give(lack)

    def listen(self) -> None:
        """Let go what has rested too long, and what the server has ended."""
        oldest = time.monotonic() - self._idle_seconds
        self._drop(lambda kept: kept.since < oldest or not kept.session.is_quiet)

    def tidy(self) -> None:
        """Hang up for accounts that were changed, removed, paused, deactivated, or whose owner was."""
        ids = list(self._kept)
        if not ids:
            return
        accounts = EmailAccount.objects.connecting().filter(pk__in=ids, state=State.ACTIVE)
        servers = {account.pk: server_of(account) for account in accounts.only(*_COLUMNS)}
        self._drop(lambda kept: kept.account_id in ids and servers.get(kept.account_id) != kept.server)

    def close(self) -> None:
        """Hang up everywhere, and keep nothing from now on."""
        self._limit = 0
        self._drop(lambda _: True)

    def _drop(self, which: Callable[[Kept], bool], *, limit: int | None = None) -> list[Kept]:
        with self._lock:  # what is taken meanwhile is no longer ours to look at
            found = [kept for kept in self._kept.values() if which(kept)][:limit]
            for kept in found:
                del self._kept[kept.account_id]
        for kept in found:
            kept.hang_up()
        return found


_COLUMNS = ("imap_host", "imap_port", "imap_security", "imap_username", "sealed_imap_password")
_keepers: list[Keeper] = []


def start(limit: int, **options: float) -> Keeper | None:
    """Keep connections in this process from now on; None, and nothing is kept, when the limit is 0."""
    stop()
    if not limit:
        return None
    keeper = Keeper(limit=limit, **options)
    _keepers.append(keeper)
    places.on_lack(_give)
    return keeper


def stop() -> None:
    """Hang up everywhere."""
    while _keepers:
        _keepers.pop().close()


def keeper() -> Keeper | None:
    """Who keeps connections in this process, if anybody does."""
    return _keepers[0] if _keepers else None


def watch(keeper: Keeper, *, stopping: Callable[[float], bool]) -> None:
    """Until stopping(seconds) says so: give way to others at once, and notice which servers have hung up."""
    listen_at = 0.0
    while not stopping(_LOOK_SECONDS):
        keeper.look()
        if time.monotonic() >= listen_at:
            listen_at = time.monotonic() + _LISTEN_SECONDS
            keeper.listen()
    stop()


def tidy() -> None:
    """As Keeper.tidy(), in this process; to be called every few seconds."""
    for each in _keepers:
        each.tidy()


def _give(lack: Lack) -> bool:
    return any(each.give(lack) for each in _keepers)
