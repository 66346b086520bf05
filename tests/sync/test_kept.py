"""Connections kept between polls: one round trip for an unchanged account, and never a wrong or a dead connection."""

from __future__ import annotations

import re
import threading

import pytest

from mailwall.email_accounts import kept, places
from mailwall.email_accounts.kept import Keeper
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.imap import connection
from mailwall.sync import services
from mailwall.web import secrets
from tests.cast import make_account
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ids

pytestmark = pytest.mark.live


@pytest.fixture
def keeper(monkeypatch):
    monkeypatch.setattr(places, "_givers", [])
    started = kept.start(10)
    yield started
    kept.stop()


@pytest.fixture
def proxy(mailbox: Mailbox):
    with Proxy(mailbox.dovecot.port) as one:
        yield one


@pytest.fixture
def polled(connect, mailbox: Mailbox, proxy: Proxy, keeper: Keeper) -> EmailAccount:
    """An account without news whose connection is at rest."""
    account = connect(mailbox, port=proxy.port)
    poll(account, 2)
    assert len(keeper) == 1
    return account


def poll(account: EmailAccount, times: int = 1) -> None:
    for _ in range(times):
        outcome = services.sync_account(account.pk)
        assert outcome.state == "done", outcome


def change(account: EmailAccount, **fields: object) -> None:
    EmailAccount.objects.filter(pk=account.pk).update(**fields)


def test_an_unchanged_poll_is_one_round_trip(polled, proxy: Proxy):
    connections, turns = proxy.connections, proxy.turns
    poll(polled, 3)
    assert (proxy.connections, proxy.turns) == (connections, turns + 3)


def test_news_come_on_the_kept_connection_which_rests_without_an_open_folder(polled, proxy: Proxy, mailbox: Mailbox):
    connections = proxy.connections
    for number in range(2):
        mailbox.deliver(mails.mail(message_id=f"<news{number}@x.example>"))
        poll(polled)
    assert ids(polled) == {"news0@x.example", "news1@x.example"} and proxy.connections == connections
    opened = [line for line in proxy.commands if b" EXAMINE " in line or b" UNSELECT" in line]
    assert opened[-1].endswith(b" UNSELECT")


def test_where_a_folder_cannot_be_closed_the_connection_is_not_kept_after_news(
    connect, mailbox: Mailbox, proxy: Proxy, keeper: Keeper
):
    proxy.hide("UNSELECT")
    account = connect(mailbox, port=proxy.port)
    poll(account, 2)
    assert len(keeper) == 1
    mailbox.deliver(mails.mail())
    poll(account)
    assert len(keeper) == 0


@pytest.mark.parametrize("field", ["imap_host", "imap_username", "sealed_imap_password"])
def test_a_connection_made_with_other_settings_is_never_used(polled, proxy: Proxy, field, mailbox: Mailbox):
    sealed = secrets.seal(mailbox.dovecot.password, bound_to=f"{polled.secret_id}:imap")
    changed = {"imap_host": "localhost", "imap_username": f"other-{mailbox.address}", "sealed_imap_password": sealed}
    change(polled, **{field: changed[field]})
    connections = proxy.connections
    poll(polled)
    assert proxy.connections == connections + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"state": State.PAUSED},
        {"state": State.NEEDS_SIGN_IN},
        {"state": State.DEACTIVATED},
        {"removed_at": NOW},
        {"sealed_imap_password": "another"},
        {"imap_port": 1},
    ],
    ids=lambda fields: next(iter(fields.values())),
)
def test_a_changed_account_is_let_go(polled, keeper: Keeper, fields):
    keeper.tidy()
    assert len(keeper) == 1
    change(polled, **fields)
    keeper.tidy()
    assert len(keeper) == 0 and places.try_place(polled.pk) and places.try_place(polled.pk)


def test_accounts_of_one_server_keep_their_own(polled, proxy: Proxy, mailbox: Mailbox, keeper: Keeper):
    other_box = Mailbox(dovecot=mailbox.dovecot, address=f"other-{mailbox.address}", ca_file="")
    other = make_account(polled.owner, other_box.address, imap_port=proxy.port, next_sync_at=NOW)
    change(other, sealed_imap_password=secrets.seal(mailbox.dovecot.password, bound_to=f"{other.secret_id}:imap"))
    poll(other, 2)
    assert len(keeper) == 2
    connections = proxy.connections
    mailbox.deliver(mails.mail(message_id="<mine@x.example>"))
    other_box.deliver(mails.mail(message_id="<theirs@x.example>"))
    poll(other)
    poll(polled)
    assert (ids(polled), ids(other)) == ({"mine@x.example"}, {"theirs@x.example"}) and proxy.connections == connections


def test_a_connection_that_was_cut_at_rest_is_no_failed_attempt(polled, proxy: Proxy, mailbox: Mailbox):
    proxy.cut_now()
    mailbox.deliver(mails.mail(message_id="<after@x.example>"))
    poll(polled)
    polled.refresh_from_db()
    assert ids(polled) == {"after@x.example"} and polled.failed_attempts == 0


def test_a_connection_that_died_silently_is_given_up_soon(polled, proxy: Proxy, monkeypatch):
    """As after a router forgot it: nobody answers, nobody hangs up."""
    monkeypatch.setattr(connection, "SIGN_OF_LIFE_SECONDS", 0.3)
    connections = proxy.connections
    proxy.rewrite = lambda raw: b"" if proxy.connections == connections else raw
    poll(polled)
    polled.refresh_from_db()
    assert proxy.connections == connections + 1 and polled.failed_attempts == 0


def test_an_error_ends_the_connection(polled, proxy: Proxy, keeper: Keeper):
    proxy.rewrite = lambda raw: re.sub(rb"^w\d+ ", b"nobody ", raw, flags=re.MULTILINE)
    assert services.sync_account(polled.pk).state == "failed"
    assert len(keeper) == 0 and places.try_place(polled.pk) and places.try_place(polled.pk)


def test_a_connection_on_which_more_comes_than_was_asked_for_is_not_kept(polled, proxy: Proxy, keeper: Keeper):
    proxy.rewrite = lambda raw: raw + b"* STATUS INBOX (MESSAGES 7" if raw.endswith(b"\r\n") else raw
    poll(polled)
    assert len(keeper) == 0


def test_a_server_that_says_goodbye_is_let_go(polled, proxy: Proxy, keeper: Keeper):
    keeper.listen()
    assert len(keeper) == 1
    proxy.cut_now()
    while len(keeper):
        keeper.listen()


def test_what_rested_too_long_is_let_go(polled, keeper: Keeper):
    keeper._idle_seconds = 0.0
    keeper.listen()
    assert len(keeper) == 0


def test_who_needs_a_place_of_the_account_gets_it_at_once(polled, keeper: Keeper):
    with places.place(polled.pk, wait_seconds=0), places.place(polled.pk, wait_seconds=0):
        assert len(keeper) == 0


def test_who_needs_a_place_in_another_process_gets_it_soon(polled, keeper: Keeper, monkeypatch):
    monkeypatch.setattr(places, "_givers", [])
    stopping = threading.Event()
    watching = threading.Thread(target=kept.watch, args=(keeper,), kwargs={"stopping": stopping.wait})
    watching.start()
    with places.place(polled.pk, wait_seconds=20), places.place(polled.pk, wait_seconds=20):
        assert len(keeper) == 0
    stopping.set()
    watching.join(10)


def test_a_host_at_its_limit_hangs_up_for_another_account(polled, keeper: Keeper, settings):
    settings.HOST_CONNECTIONS = 2
    with places.place(polled.pk + 1, wait_seconds=0, host="127.0.0.1"):
        assert len(keeper) == 0


def test_no_more_are_kept_than_allowed(polled, keeper: Keeper):
    keeper._limit = 0
    poll(polled)
    assert len(keeper) == 0 and places.try_place(polled.pk) and places.try_place(polled.pk)


def test_a_run_that_was_overtaken_keeps_nothing(polled, keeper: Keeper, mailbox: Mailbox, monkeypatch):
    real = services.Pass.run

    def overtaken(self, **options):
        change(polled, lease_token="another")
        return real(self, **options)

    monkeypatch.setattr(services.Pass, "run", overtaken)
    mailbox.deliver(mails.mail())
    assert services.sync_account(polled.pk).state == "busy"
    assert len(keeper) == 0
