"""Checks 20 and 21 of reliability.md: a refused password is not hammered, and trouble of the network heals by itself."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
import time_machine

from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import due, services
from tests.fakes.imap_server import Connection, ImapServer, Refused
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.processes import free_port
from tests.sync.conftest import NOW, ids

pytestmark = pytest.mark.live


class Troubled(ImapServer):
    """Answers LOGIN with `trouble` while there is any."""

    trouble = b""

    def login(self, connection: Connection, user: bytes, password: bytes) -> None:
        if self.trouble:
            raise Refused(self.trouble)
        super().login(connection, user, password)

    @property
    def logins(self) -> int:
        return sum(command.startswith(b"LOGIN") for command in self.commands)


def on(server: ImapServer) -> Mailbox:
    return Mailbox(dovecot=server, address="alice@example.org", ca_file="")  # type: ignore[arg-type]


def told_to(mailoutbox, address: str) -> list[str]:
    return [mail.subject for mail in mailoutbox if address in mail.to]


def test_ten_refused_sign_ins_are_the_last_and_the_owner_is_told_once_of_each(connect, mailoutbox):
    with Troubled() as server:
        account = connect(on(server))
        server.password = "another now"
        for attempt in range(1, 11):
            services.request_download(account)
            assert services.sync_account(account.pk).error_code == "imap_login_refused"
            account.refresh_from_db()
            assert account.failed_attempts == attempt
            assert due.claim_due(NOW + timedelta(days=30), 10) == []  # by itself nothing knocks
        assert account.state == State.DEACTIVATED and server.logins == 10
        assert services.sync_account(account.pk).state == "inactive"
        assert server.logins == 10
        assert len(told_to(mailoutbox, "alice@ours.example")) == 2  # of the refusal, and of the end


def test_a_success_between_sets_the_count_to_nought(connect):
    with Troubled() as server:
        account = connect(on(server))
        right = server.password
        for _ in range(3):
            for server.password in ["another now"] * 9 + [right]:
                services.sync_account(account.pk)
            account.refresh_from_db()
            assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)


REFUSALS = [
    b"NO [UNAVAILABLE] Temporary failure",
    b"NO [INUSE] Mailbox is locked",
    b"NO [LIMIT] Too many logins",
    b"NO Too many simultaneous connections. (Failure)",
    b"NO [ALERT] Too many simultaneous connections. (Failure)",
]


def make_trouble(kind: str | bytes, server: Troubled, account: EmailAccount) -> None:
    mine = EmailAccount.objects.filter(pk=account.pk)
    if isinstance(kind, bytes):
        server.trouble = kind
    elif kind == "refused":
        mine.update(imap_port=free_port())
    elif kind == "tls":
        mine.update(imap_security="tls")
    elif kind == "dns":
        mine.update(imap_host="mail.nowhere.invalid")
    elif kind == "nonsense":
        server.greeting = b"220 mail.example.org ESMTP"


@pytest.mark.parametrize(
    ("kind", "failures"),
    [
        *((kind, 7) for kind in ("refused", "tls", "dns", "nonsense", *REFUSALS)),
        ("refused", 14),
        ("dns", 14),
        *((kind, 14) for kind in REFUSALS),
    ],
)
def test_trouble_that_is_no_refused_sign_in_pauses_and_heals_by_itself(connect, mailoutbox, kind, failures):
    """Never more than fifteen minutes after the server is back while active, an hour when deactivated."""
    with Troubled() as server, contextlib.ExitStack() as clock:
        mailbox = on(server)
        mailbox.deliver(mails.mail(message_id="<waited@x.example>"))
        account = connect(mailbox)
        before = {"imap_port": account.imap_port, "imap_security": "none", "imap_host": account.imap_host}
        greeting = server.greeting
        make_trouble(kind, server, account)
        longest = timedelta()
        for _ in range(failures):
            outcome = services.sync_account(account.pk)
            assert outcome.state == "failed" and outcome.error_code != "imap_login_refused"
            account.refresh_from_db()
            longest = account.next_sync_at - account.last_error_at
            clock.enter_context(time_machine.travel(account.next_sync_at + timedelta(seconds=1)))
        deactivated = failures > 10
        assert account.state == (State.DEACTIVATED if deactivated else State.ACTIVE)
        assert longest <= (timedelta(hours=1) if deactivated else timedelta(minutes=15))
        assert account.last_error_at - NOW > timedelta(minutes=60) or not deactivated

        server.trouble, server.greeting = b"", greeting
        EmailAccount.objects.filter(pk=account.pk).update(**before)
        assert due.claim_due(account.next_sync_at, 10) == [account.pk]
        assert services.sync_account(account.pk).state == "done"
        account.refresh_from_db()
        assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)
        assert ids(account) == {"waited@x.example"}
        assert len(told_to(mailoutbox, "alice@ours.example")) == (2 if deactivated else 0)


@pytest.mark.parametrize("kind", ["tls", "nonsense"])
def test_trouble_that_somebody_must_look_into_ends_at_ten_with_its_cause(connect, mailoutbox, kind):
    """A wrong certificate, or no mail server at all, does not go away by itself; one click revives (test_views)."""
    with Troubled() as server:
        account = connect(on(server))
        make_trouble(kind, server, account)
        for _ in range(12):
            services.sync_account(account.pk)
        account.refresh_from_db()
        assert (account.state, account.failed_attempts, account.next_sync_at) == (State.DEACTIVATED, 10, None)
        assert account.last_error_code in ("imap_tls_failed", "imap_protocol_error")
        assert len(told_to(mailoutbox, "alice@ours.example")) == 1
