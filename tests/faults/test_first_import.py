"""Checks 1, 4 and 22 of reliability.md: exactly what lies in the window, from any server, with nothing changed there."""

from __future__ import annotations

import random
from datetime import timedelta, timezone

import pytest

from mailwall.mailstore.models import Message
from mailwall.sync import services
from mailwall.sync.models import Folder, Placement
from tests.fakes.imap_server import ImapServer
from tests.faults import oracle
from tests.faults.test_cuts import cut_everywhere, fill
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ids, ledger

pytestmark = pytest.mark.live
CAPABILITIES = (
    "CONDSTORE", "QRESYNC", "ENABLE", "ESEARCH", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "UIDPLUS", "IDLE",
    "LITERAL+", "NAMESPACE", "MOVE",
)  # fmt: skip


def test_ten_folders_give_their_window_and_keep_every_flag(connect, mailbox: Mailbox):
    import_ten_folders(connect, mailbox, mails_each=25)


@pytest.mark.exhaustive
def test_five_thousand_mails_give_their_window_and_keep_every_flag(connect, mailbox: Mailbox):
    import_ten_folders(connect, mailbox, mails_each=500)


def import_ten_folders(connect, mailbox: Mailbox, *, mails_each: int) -> None:
    """From a day before the edge of the window to a day after it; some unseen, so that looking at them would show."""
    rng = random.Random(1)
    account = connect(mailbox)
    names = ["INBOX", "Sent", *(f"Project {number}" for number in range(8))]
    wanted: dict[str, set[str]] = {}
    for name in names:
        at = [account.import_since + timedelta(seconds=rng.randrange(-86_400, 86_400)) for _ in range(mails_each)]
        raws = [mails.mail(message_id=f"<{name.split()[-1]}-{number}@x.example>") for number in range(mails_each)]
        mailbox.fill(list(zip(raws, at, strict=True)), folder=name)
        mailbox.deliver(mails.mail(message_id=f"<{name.split()[-1]}-new@x.example>"), folder=name)
        inside = {
            f"{name.split()[-1]}-{number}@x.example"
            for number in range(mails_each)
            if at[number] >= account.import_since
        }
        wanted[name] = {*inside, f"{name.split()[-1]}-new@x.example"}
    flags = {name: mailbox.dovecot.flags(mailbox.address, name) for name in names}
    recent = {name: recent_of(mailbox, name) for name in names}

    oracle.to_the_end(account)
    Folder.objects.filter(account=account, name__in=names).update(selected=True)
    oracle.to_the_end(account)

    for name in names:
        placed = Placement.objects.filter(folder__account=account, folder__name=name)
        assert set(placed.values_list("message__message_id", flat=True)) == wanted[name], name
        uids = set(placed.values_list("uid", flat=True))
        on_server = {uid: entry for uid, entry in oracle.server_ledger(mailbox, name)[1].items() if uid in uids}
        assert oracle.stored_ledger(account, name)[1] == on_server
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())
    assert {name: mailbox.dovecot.flags(mailbox.address, name) for name in names} == flags
    assert {name: recent_of(mailbox, name) for name in names} == recent and sum(recent.values())


def recent_of(mailbox: Mailbox, name: str) -> int:
    """How many mails the server still calls recent: who selects a folder takes that away."""
    with mailbox.dovecot.client(mailbox.address) as client:
        _, answer = client.status(f'"{name}"', "(RECENT)")
    return int(answer[0].split()[-1].strip(b")"))


@pytest.mark.parametrize("hours", [-11, 0, 14])
def test_the_window_is_exact_though_the_server_counts_days_in_its_own_zone(connect, hours):
    """SINCE means the server's day (RFC 3501 §6.4.4)."""
    with ImapServer() as server:
        server.zone = timezone(timedelta(hours=hours))
        mailbox = Mailbox(dovecot=server, address="alice@example.org", ca_file="")  # type: ignore[arg-type]
        account = connect(mailbox)
        for quarter in range(-96, 97):
            at = account.import_since.replace(microsecond=0) + timedelta(minutes=15 * quarter, seconds=1)
            mailbox.deliver(mails.mail(message_id=f"<{quarter}@x.example>", date=NOW), internaldate=at)
        oracle.to_the_end(account)
        assert ids(account) == {f"{quarter}@x.example" for quarter in range(97)}


@pytest.mark.parametrize("hidden", [*((name,) for name in CAPABILITIES), CAPABILITIES], ids="-".join)
def test_without_any_extension_nothing_is_missing(connect, mailbox: Mailbox, hidden):
    fill(mailbox, 8)
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.hide(*hidden)
        account = connect(mailbox, port=proxy.port, store="received")
        mailbox.deliver(mails.mail(sender=mailbox.address, message_id="<out@kwiat.example>"), folder="Sent")
        oracle.to_the_end(account)
        oracle.assert_equal(account, mailbox)
        mailbox.dovecot.expunge(mailbox.address, [2, 7])
        mailbox.deliver(mails.mail())
        oracle.to_the_end(account)
        oracle.assert_equal(account, mailbox)
        assert Message.objects.filter(on_server=False).count() == 2
        assert not Message.objects.filter(direction="sent").exists()


def test_cuts_cost_nothing_without_any_extension_either(connect, mailbox: Mailbox, monkeypatch):
    cut_everywhere(connect, mailbox, monkeypatch, places=6, hidden=CAPABILITIES)


def test_a_cut_in_a_literal_is_never_taken_for_its_end(connect, mailbox: Mailbox):
    fill(mailbox, 20)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        whole = set(oracle.server_ledger(mailbox)[1].values())
        for number in range(1, 40, 3):
            oracle.forget(account)
            proxy.cut_in_literal(number=number)
            proxy.half_close = number % 2 == 0
            cuts = proxy.cuts
            services.sync_account(account.pk)
            assert proxy.cuts == cuts + 1, number
            assert {*oracle.stored_ledger(account)[1].values()} <= whole
            oracle.to_the_end(account)
            oracle.assert_equal(account, mailbox, where=number)
