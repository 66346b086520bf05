"""Push: many idling connections, one thread that watches them, a few that connect (RFC 2177).

Says only "look there now": what came is read by an ordinary synchronisation, so a lost word costs no mail, at most the
polling interval. Its own troubles are no failed attempts, for polling meets them too; an account whose connection ends
is tried again later. A refused sign-in is one: mail servers count those, and lock accounts.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import resource
import selectors
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from mailwall.email_accounts import attempts, connection, places
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.imap import idle as imap_idle
from mailwall.imap.errors import ImapError, ImapLoginRefused
from mailwall.imap.session import ImapSession, open_session
from mailwall.sync.models import Folder

logger = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 5.0
CONNECT_THREADS = 8
CONNECT_SECONDS = 60.0  # from dialling to idling: a server that drips may not hold a thread
AFTER_OTHERS_SECONDS = 3.0
GIVE_WAY_AFTER_SECONDS = 0.3
QUIET_SECONDS = 1.0  # news of one account within it are one word
RETRY_SECONDS = (30.0, 120.0, 600.0, 1800.0)
WITHOUT_IDLE_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Target:
    """An account to watch. key changes when the connection must be made anew."""

    account_id: int
    key: tuple[object, ...]
    raw_name: bytes


@dataclass(slots=True)
class _Watched:
    """One account: its connection when there is one, and when to do what next (monotonic seconds).

    missed: nobody listened for a while, so that mail may have come unheard.
    """

    target: Target
    place: places.Place | None = None
    session: ImapSession | None = None
    idle: imap_idle.Idle | None = None
    busy: bool = False
    failures: int = 0
    connect_at: float = 0.0
    renew_at: float = 0.0
    word_at: float = 0.0
    missed: bool = False


class NoIdle(MailwallError):
    """The server cannot push."""

    code = "no_idle"


class Watcher:
    """Holds up to `limit` connections and calls tell(account_id) when mail came, went or changed in an INBOX."""

    def __init__(self, tell: Callable[[int], None], *, limit: int) -> None:
        self._tell = tell
        self._limit = limit
        self._watched: dict[int, _Watched] = {}
        self._selector = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(CONNECT_THREADS, thread_name_prefix="idle")
        self._ready: queue.SimpleQueue[tuple[_Watched, ImapSession | None, imap_idle.Idle | None, bool, float]]
        self._ready = queue.SimpleQueue()
        self._look_at = 0.0

    @property
    def connections(self) -> int:
        """How many connections idle now."""
        return sum(watched.idle is not None for watched in self._watched.values())

    def run(self, stopping: Callable[[], bool]) -> None:
        """Watch until stopping() says so."""
        try:
            while not stopping():
                self.turn(0.5)
        finally:
            self.close()

    def turn(self, timeout_seconds: float) -> None:
        """Look once: at the list of accounts when its time has come, at connections that are ready, at news."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_SECONDS
            self._look()
        self._take_ready()
        self._give_way(now)
        for watched in list(self._watched.values()):
            self._move_on(watched, now)
        for key, _ in self._selector.select(timeout_seconds):
            self._hear(key.data)

    def close(self) -> None:
        """Hang up everywhere."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        for watched in list(self._watched.values()):
            self._drop(watched)
        self._watched.clear()
        self._selector.close()

    # -- which accounts

    def _look(self) -> None:
        try:
            wanted = {target.account_id: target for target in targets(self._limit)}
        except DatabaseError:
            logger.warning("database does not answer, the watched accounts stay as they are")
            return
        finally:
            close_old_connections()
        for account_id, watched in list(self._watched.items()):
            target = wanted.pop(account_id, None)
            if target != watched.target:
                self._drop(watched)
                del self._watched[account_id]
                if target is not None:
                    wanted[account_id] = target
        for account_id, target in wanted.items():
            self._watched[account_id] = _Watched(target=target)

    # -- one account

    def _give_way(self, now: float) -> None:
        """Hang up where somebody needs the connection; listening goes on when they are done.

        Connections at rest (email_accounts.kept) go first, so a wish counts when it is a moment old.
        """
        lacking = {lack.account_id for lack in places.wanted(for_seconds=GIVE_WAY_AFTER_SECONDS)}
        for account_id in lacking & self._watched.keys():
            watched = self._watched[account_id]
            if watched.idle is not None and not watched.busy:
                self._drop(watched)
                watched.connect_at = now + AFTER_OTHERS_SECONDS

    def _move_on(self, watched: _Watched, now: float) -> None:
        if watched.busy:
            return
        if watched.idle is None and now >= watched.connect_at:
            watched.busy = True
            self._pool.submit(self._connect, watched)
        elif watched.idle is not None and watched.session is not None and now >= watched.renew_at:
            watched.busy = True
            self._selector.unregister(watched.idle.socket)
            self._pool.submit(self._renew, watched, watched.session, watched.idle)

    def _connect(self, watched: _Watched) -> None:
        """In the pool: may take as long as a slow server needs."""
        session = None
        try:
            watched.place = places.try_place(watched.target.account_id)
            if watched.place is None:
                raise places.NoPlace
            settings = _settings(watched.target.account_id)
            session = open_session(settings, job_deadline_seconds=CONNECT_SECONDS)
            if "IDLE" not in session.capabilities:
                raise NoIdle
            session.examine(watched.target.raw_name)
            idle = session.idle()
            news = idle.start()
            session.wire.set_job_deadline(None)
        except MailwallError as error:
            self._give_up(watched, session, error)
        except Exception:
            logger.exception("watching broke", extra={"account_id": watched.target.account_id})
            self._give_up(watched, session, MailwallError())
        else:
            self._ready.put((watched, session, idle, news, 0.0))

    def _renew(self, watched: _Watched, session: ImapSession, idle: imap_idle.Idle) -> None:
        """In the pool: servers hang up after half an hour of it."""
        try:
            session.wire.set_job_deadline(CONNECT_SECONDS)
            news = idle.stop()
            news |= idle.start()
            session.wire.set_job_deadline(None)
        except MailwallError as error:
            self._give_up(watched, session, error)
        else:
            self._ready.put((watched, session, idle, news, 0.0))

    def _give_up(self, watched: _Watched, session: ImapSession | None, error: MailwallError) -> None:
        if session is not None:
            session.wire.close()
        _release(watched)
        if isinstance(error, ImapLoginRefused):
            _note_refusal(watched.target.account_id, error)
        pause = _pause_of(error, watched.failures + 1)
        logger.info("not watched", extra={"account_id": watched.target.account_id, "code": error.code})
        self._ready.put((watched, None, None, False, pause))

    def _take_ready(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                watched, session, idle, news, pause = self._ready.get_nowait()
                watched.busy = False
                if self._watched.get(watched.target.account_id) is not watched:
                    if session is not None:  # not wanted any more
                        session.wire.close()
                    _release(watched)
                    continue
                watched.session, watched.idle = session, idle
                now = time.monotonic()
                if idle is None:
                    watched.failures += 1
                    watched.connect_at = now + pause
                    continue
                missed, watched.missed = watched.missed, False
                watched.failures, watched.renew_at = 0, now + imap_idle.RENEW_SECONDS
                self._selector.register(idle.socket, selectors.EVENT_READ, watched)
                if news or missed:
                    self._say(watched)
                self._hear(watched)  # what came with the server's answer is read already and wakes no selector

    def _hear(self, watched: _Watched) -> None:
        if watched.idle is None:
            return
        try:
            if watched.idle.poll():
                self._say(watched)
        except ImapError as error:
            logger.info("watched connection ended", extra={"account_id": watched.target.account_id, "code": error.code})
            self._drop(watched)
            watched.failures += 1
            watched.connect_at = time.monotonic() + pause_after(watched.failures)

    def _say(self, watched: _Watched) -> None:
        now = time.monotonic()
        if now - watched.word_at >= QUIET_SECONDS:
            watched.word_at = now
            self._tell(watched.target.account_id)

    def _drop(self, watched: _Watched) -> None:
        if watched.idle is not None and not watched.busy:
            with contextlib.suppress(KeyError, ValueError):
                self._selector.unregister(watched.idle.socket)
        if watched.session is not None:
            watched.session.wire.close()
        watched.missed = watched.missed or watched.idle is not None
        watched.session = watched.idle = None
        if not watched.busy:
            _release(watched)


def _pause_of(error: MailwallError, failures: int) -> float:
    """Seconds until the account is listened to again."""
    if isinstance(error, NoIdle):
        return WITHOUT_IDLE_SECONDS
    if isinstance(error, places.NoPlace):
        return AFTER_OTHERS_SECONDS
    return pause_after(failures)


def _release(watched: _Watched) -> None:
    if watched.place is not None:
        watched.place.release()
        watched.place = None


def watch(tell: Callable[[int], None], *, limit: int, stopping: Callable[[], bool]) -> None:
    """Hold up to `limit` connections until stopping() says so; returns at once when the limit is 0."""
    if not limit:
        return
    _allow_files(2 * limit + 200)
    logger.info("watching", extra={"limit": limit})
    Watcher(tell, limit=limit).run(stopping)


def _allow_files(number: int) -> None:
    """A connection is an open file; the system's soft limit is often 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def targets(limit: int) -> Iterable[Target]:
    """Accounts to watch: active, without trouble, their INBOX read; the first connected when there are too many."""
    inboxes = (
        Folder.objects.filter(
            account__state=State.ACTIVE,
            account__removed_at__isnull=True,
            account__owner__is_active=True,
            account__failed_attempts=0,
            role="inbox",
            selected=True,
            missing=False,
            uidvalidity__isnull=False,
        )
        .order_by("account_id")
        .values_list(
            "account_id",
            "raw_name",
            "account__imap_host",
            "account__imap_port",
            "account__imap_security",
            "account__imap_username",
            "account__sealed_imap_password",
        )[:limit]
    )
    return [Target(row[0], tuple(row[2:]), bytes(row[1])) for row in inboxes]


def pause_after(failures: int) -> float:
    """Seconds to wait before connecting again."""
    return RETRY_SECONDS[min(max(failures, 1), len(RETRY_SECONDS)) - 1]


def _note_refusal(account_id: int, error: ImapLoginRefused) -> None:
    try:
        attempts.record_failure(account_id, None, error, timezone.now())
    except DatabaseError:
        logger.warning("database does not answer, a refused sign-in is not counted")
    finally:
        close_old_connections()


def _settings(account_id: int):  # type: ignore[no-untyped-def]
    try:
        return connection.imap_settings(EmailAccount.objects.get(pk=account_id))
    finally:
        close_old_connections()
