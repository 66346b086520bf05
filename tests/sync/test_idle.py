"""Push: a server that tells of new mail is heard within seconds, one that cannot is left to polling."""

from __future__ import annotations

import threading
import time

import pytest

from mailwall import queue
from mailwall.email_accounts import places
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.imap import idle as imap_idle
from mailwall.sync import idle, services, tasks
from mailwall.web import secrets
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import ids

pytestmark = pytest.mark.live


class Watching:
    """A watcher and what it was told, turned by hand."""

    def __init__(self) -> None:
        self.told: list[int] = []
        self.watcher = idle.Watcher(self.told.append, limit=10)

    def until(self, condition, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "never happened"
            self.watcher.turn(0.05)

    def look_now(self) -> None:
        self.watcher._look_at = 0.0
        self.watcher.turn(0.05)


@pytest.fixture
def watching(monkeypatch):
    monkeypatch.setattr(idle, "RETRY_SECONDS", (0.1,))
    one = Watching()
    yield one
    one.watcher.close()


def test_new_mail_is_heard_within_seconds(account, mailbox: Mailbox, watching):
    services.sync_account(account.pk)
    watching.until(lambda: watching.watcher.connections == 1)
    begin = time.monotonic()
    mailbox.deliver(mails.mail(message_id="<pushed@x.example>"))
    watching.until(lambda: watching.told)
    assert time.monotonic() - begin < 3 and set(watching.told) == {account.pk}


def test_a_word_makes_the_account_due_and_wakes_the_fast_queue(account, mailbox: Mailbox):
    queue.fast.flush()
    services.sync_account(account.pk)
    mailbox.deliver(mails.mail(message_id="<pushed@x.example>"))
    tasks.pushed(account.pk)
    assert queue.fast.pending_count() == 1
    queue.fast.execute(queue.fast.dequeue())
    assert ids(account) == {"pushed@x.example"}
    EmailAccount.objects.update(state=State.PAUSED)
    tasks.pushed(account.pk)
    assert queue.fast.pending_count() == 0


def test_a_word_during_a_run_is_not_lost(account, mailbox: Mailbox, monkeypatch):
    real = services._end_well

    def late(*args, **options):
        mailbox.deliver(mails.mail(message_id="<late@x.example>"))
        tasks.pushed(account.pk)
        return real(*args, **options)

    monkeypatch.setattr(services, "_end_well", late)
    services.sync_account(account.pk)
    account.refresh_from_db()
    assert account.next_sync_at <= account.last_synchronized_at


def test_a_connection_that_is_renewed_or_cut_is_heard_again(connect, mailbox: Mailbox, watching, monkeypatch):
    monkeypatch.setattr(imap_idle, "RENEW_SECONDS", 0.3)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        watching.until(lambda: sum(b" IDLE" in line for line in proxy.commands) >= 3)
        monkeypatch.setattr(imap_idle, "RENEW_SECONDS", 60)
        before = proxy.connections
        proxy.cut_now()
        watching.until(lambda: proxy.connections > before and watching.watcher.connections == 1)
        watching.told.clear()
        time.sleep(idle.QUIET_SECONDS)
        mailbox.deliver(mails.mail())
        watching.until(lambda: watching.told)
    account.refresh_from_db()
    assert account.failed_attempts == 0


def test_a_refused_sign_in_counts_and_is_the_last(account, mailbox: Mailbox, watching):
    services.sync_account(account.pk)
    watching.until(lambda: watching.watcher.connections == 1)
    wrong = secrets.seal("not it", bound_to=f"{account.secret_id}:imap")
    EmailAccount.objects.update(sealed_imap_password=wrong)
    watching.watcher._look_at = 0.0
    watching.until(lambda: EmailAccount.objects.get().failed_attempts == 1)
    watching.look_now()
    assert EmailAccount.objects.get().state == State.NEEDS_SIGN_IN
    assert not watching.watcher._watched


def test_a_server_without_idle_is_not_asked_again(connect, mailbox: Mailbox, watching):
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.hide("IDLE")
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        before = proxy.connections
        watching.until(lambda: proxy.connections == before + 1 and not watching.watcher._watched[account.pk].busy)
        for _ in range(6):
            watching.watcher.turn(0.05)
        assert proxy.connections == before + 1 and watching.watcher.connections == 0


@pytest.mark.parametrize("change", [{"state": State.PAUSED}, {"failed_attempts": 1}, {"state": State.DEACTIVATED}])
def test_an_account_with_trouble_or_a_pause_is_let_go(account, watching, change):
    services.sync_account(account.pk)
    watching.until(lambda: watching.watcher.connections == 1)
    EmailAccount.objects.update(**change)
    watching.look_now()
    assert watching.watcher.connections == 0


def test_changed_server_settings_make_a_new_connection(account, watching, mailbox: Mailbox):
    services.sync_account(account.pk)
    watching.until(lambda: watching.watcher.connections == 1)
    first = watching.watcher._watched[account.pk].session
    EmailAccount.objects.update(imap_host="localhost")
    watching.look_now()
    assert first.closed


def test_no_more_connections_than_allowed(account, watching):
    services.sync_account(account.pk)
    watching.watcher._limit = 0
    for _ in range(5):
        watching.watcher.turn(0.05)
    assert watching.watcher.connections == 0


def test_a_listener_hangs_up_for_who_needs_the_connection_and_misses_nothing(
    account, mailbox: Mailbox, watching, monkeypatch
):
    monkeypatch.setattr(idle, "AFTER_OTHERS_SECONDS", 0.1)
    services.sync_account(account.pk)
    watching.until(lambda: watching.watcher.connections == 1)
    got = threading.Event()

    def need_two() -> None:
        with places.place(account.pk, wait_seconds=20), places.place(account.pk, wait_seconds=20):
            got.set()

    other = threading.Thread(target=need_two)
    other.start()
    watching.until(got.is_set)
    mailbox.deliver(mails.mail(message_id="<meanwhile@x.example>"))
    other.join(10)
    watching.until(lambda: watching.watcher.connections == 1 and watching.told == [account.pk])


def test_a_synchronisation_without_a_place_comes_again_and_is_no_failed_attempt(account, monkeypatch):
    monkeypatch.setattr(services, "PLACE_SECONDS", 0.1)
    with places.place(account.pk, wait_seconds=1), places.place(account.pk, wait_seconds=1):
        assert services.sync_account(account.pk).state == "busy"
    account.refresh_from_db()
    assert account.failed_attempts == 0 and account.lease_until is None
    assert services.sync_account(account.pk).state == "done"
