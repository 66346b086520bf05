"""Checks 6 and 7 of reliability.md: whoever falls silent, drips or babbles, at whatever moment, holds nobody for long."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mailwall.email_accounts.models import EmailAccount
from mailwall.imap import idle as imap_idle
from mailwall.mailstore.models import Attachment
from mailwall.net.types import NetworkPolicy, ServerSettings
from mailwall.smtp import submit
from mailwall.smtp.errors import SmtpTimeout
from mailwall.sync import attachments, idle, services
from mailwall.sync.errors import MailServerTimeout
from tests.fakes.imap_script import ScriptedImap
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW

pytestmark = pytest.mark.live
SOON = 6.0  # a second for each deadline of `impatient`, three to ask a silent port for TLS


def fill(mailbox: Mailbox, number: int = 5) -> None:
    mailbox.fill([(mails.mail(text=f"Letter {each}\n"), NOW) for each in range(number)])


def timed(account: EmailAccount) -> tuple[services.SyncOutcome, float]:
    begin = time.monotonic()
    return services.sync_account(account.pk), time.monotonic() - begin


@pytest.mark.parametrize("command", [b"LOGIN", b"LIST", b"STATUS", b"EXAMINE", b"UID SEARCH", b"UID FETCH"])
def test_silence_after_any_command_ends_as_one_failed_attempt(connect, mailbox: Mailbox, impatient, command):
    fill(mailbox)
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.hide("LIST-STATUS")
        account = connect(mailbox, port=proxy.port)
        proxy.silent_from = command
        outcome, seconds = timed(account)
        assert (outcome.state, outcome.error_code) == ("failed", "imap_timeout")
        assert seconds < SOON
        account.refresh_from_db()
        assert (account.failed_attempts, account.lease_token) == (1, "")
        proxy.silent_from, proxy.black_hole = b"", False
        oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox)


def test_silence_at_the_goodbye_costs_nothing(connect, mailbox: Mailbox, impatient):
    fill(mailbox)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        proxy.silent_from = b"LOGOUT"
        outcome, seconds = timed(account)
        assert (outcome.state, outcome.new) == ("done", 5) and seconds < SOON
    oracle.assert_equal(account, mailbox)


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_server_that_never_greets_is_given_up(connect, mailbox: Mailbox, impatient, security):
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.black_hole = True
        outcome, seconds = timed(connect(mailbox, port=proxy.port, imap_security=security))
        assert outcome.error_code == "imap_timeout" and seconds < SOON


def test_a_port_that_never_answers_is_given_up(connect, mailbox: Mailbox, impatient):
    """Its queue of new connections is full: packets are dropped."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        outcome, seconds = timed(connect(mailbox, port=listener.getsockname()[1]))
        assert outcome.error_code == "imap_timeout" and seconds < SOON


@pytest.mark.parametrize(("drip_seconds", "job_seconds"), [(1, 60), (0.004, 2)])
def test_a_drip_is_ended_by_its_slowness_or_by_the_deadline_of_the_job(
    connect, mailbox: Mailbox, impatient, monkeypatch, drip_seconds, job_seconds
):
    fill(mailbox)
    monkeypatch.setattr(services, "JOB_DEADLINE_SECONDS", job_seconds)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        proxy.drip_seconds = drip_seconds
        outcome, seconds = timed(account)
        assert (outcome.state, outcome.error_code) == ("failed", "imap_timeout") and seconds < SOON
        account.refresh_from_db()
        assert account.lease_token == ""


def test_a_download_that_drips_gives_its_place_back(connect, mailbox: Mailbox, monkeypatch):
    mailbox.deliver(mails.attachment_mail(1, size_bytes=300_000))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        monkeypatch.setattr(attachments, "DEADLINE_SECONDS", 1.0)
        proxy.drip_seconds = 0.0002
        attachment = Attachment.objects.get()
        begin = time.monotonic()
        with pytest.raises(MailServerTimeout):
            b"".join(attachments.open_attachment(account.owner, attachment.message_id, attachment.pk).chunks)
        assert time.monotonic() - begin < SOON


class Watching:
    """A watcher turned by hand, and how long its slowest turn took."""

    def __init__(self) -> None:
        self.watcher = idle.Watcher(lambda account_id: None, limit=10)
        self.slowest = 0.0

    def until(self, condition) -> None:
        end = time.monotonic() + 10
        while not condition():
            begin = time.monotonic()
            assert begin < end, "never happened"
            self.watcher.turn(0.05)
            self.slowest = max(self.slowest, time.monotonic() - begin)

    @property
    def failures(self) -> int:
        return sum(watched.failures for watched in self.watcher._watched.values())


@pytest.fixture
def watching(monkeypatch) -> Iterator[Watching]:
    monkeypatch.setattr(idle, "RETRY_SECONDS", (0.1,))
    one = Watching()
    yield one
    one.watcher.close()


def test_a_watched_server_that_drips_gives_its_thread_back(connect, mailbox: Mailbox, monkeypatch, watching):
    monkeypatch.setattr(idle, "CONNECT_SECONDS", 1.0)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        proxy.drip_seconds = 0.01
        watching.until(lambda: watching.failures)
        proxy.drip_seconds = 0.0
        watching.until(lambda: watching.watcher.connections == 1)
        time.sleep(1.1)  # the deadline was for connecting alone
        mailbox.deliver(mails.mail())
        watching.until(lambda: any(watched.word_at for watched in watching.watcher._watched.values()))
    assert watching.slowest < 1


def test_a_watched_server_that_promises_a_literal_holds_nobody(connect, mailbox: Mailbox, watching, monkeypatch):
    account = connect(mailbox)
    oracle.to_the_end(account)
    script = {"IDLE": b"+ idling\r\n* OK {500}\r\nnot so many"}
    with ScriptedImap(script, capabilities=b"IMAP4rev1 IDLE") as server:
        EmailAccount.objects.filter(pk=account.pk).update(imap_port=server.port)
        watching.until(lambda: watching.failures)
    assert watching.slowest < imap_idle.REST_SECONDS + 1


@contextlib.contextmanager
def babbling_smtp(at: bytes) -> Iterator[ServerSettings]:
    """Answers that command with lines that never end, all others with 250."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            with client, client.makefile("rb") as lines:
                client.sendall(b"220 hello\r\n")
                for line in lines:
                    while line.upper().startswith(at):
                        client.sendall(b"250-and another thing\r\n")
                        time.sleep(0.01)
                    client.sendall(b"250 fine\r\n")

    threading.Thread(target=serve, daemon=True).start()
    policy = NetworkPolicy(hosts_allow=("127.0.0.1",))
    with listener:
        yield ServerSettings(host="127.0.0.1", port=listener.getsockname()[1], security="none", policy=policy)


@pytest.mark.parametrize("command", [b"EHLO", b"MAIL", b"RCPT"])
def test_an_smtp_server_that_babbles_is_interrupted(monkeypatch, command):
    monkeypatch.setattr(submit, "OPEN_SECONDS", 0.5)
    monkeypatch.setattr(submit, "JOB_SECONDS", 0.5)
    with babbling_smtp(command) as settings:
        begin = time.monotonic()
        with pytest.raises(SmtpTimeout):
            submit.submit(settings, "alice@example.org", ["ewa@kwiat.example"], mails.mail())
        assert time.monotonic() - begin < 3
