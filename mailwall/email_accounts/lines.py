"""A connection for one piece of work on an account: a kept one where there is one, else a new one, with its places."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType

from mailwall.email_accounts import connection, kept, places
from mailwall.email_accounts.models import EmailAccount
from mailwall.email_accounts.places import Place
from mailwall.imap.session import ImapSession, open_session


@dataclass(slots=True, kw_only=True)
class Line:
    """Use as a context manager that gives a session. After work without error the connection is kept, else hung up.

    anew: never one that was kept. for_person: see places. job_seconds: how long the work may take. Afterwards,
    slept_too_long: the work failed because a kept connection was gone, so another one may serve.

    :raises NoPlace, ImapError, SecretUnreadable: nothing is open then.
    """

    account: EmailAccount
    job_seconds: float
    wait_seconds: float
    for_person: bool = False
    anew: bool = False
    was_kept: bool = False
    slept_too_long: bool = False
    _open: tuple[ImapSession, Place] | None = field(default=None)

    @property
    def signed_in(self) -> bool:
        """Whether a connection could be made."""
        return self._open is not None

    def __enter__(self) -> ImapSession:
        self._open = self._kept() or self._new()
        return self._open[0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._open is not None
        session, place = self._open
        keeper = kept.keeper()
        if error is None and keeper is not None and keeper.keep(self.account, session, place):
            return
        self.slept_too_long = self.was_kept and session.closed
        try:
            session.close()
        finally:
            place.release()

    def _kept(self) -> tuple[ImapSession, Place] | None:
        keeper = kept.keeper()
        found = keeper.take(self.account) if keeper is not None else None
        if found is None:
            return None
        if self.anew or not found.session.wake(job_deadline_seconds=self.job_seconds):
            found.hang_up()
            return None
        self.was_kept = True
        return found.session, found.place

    def _new(self) -> tuple[ImapSession, Place]:
        host, for_person = self.account.imap_host, self.for_person
        place = places.claim(self.account.pk, wait_seconds=self.wait_seconds, host=host, for_person=for_person)
        try:
            server = connection.imap_settings(self.account)
            return open_session(server, job_deadline_seconds=self.job_seconds), place
        except BaseException:
            place.release()
            raise
