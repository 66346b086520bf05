"""Checks 3 to 5 of reliability.md: connections that are cut, literals that lie, answers without a body."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from mailwall.mailstore.models import MessageBody
from mailwall.sync import rules, services
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW

MESSAGES = 60
SEED = 20261125


def varied(number: int) -> bytes:
    """Plain, HTML, several parts, attachments: whatever makes the fetches differ."""
    if number % 5 == 0:
        return mails.attachment_mail(number, size_bytes=3000)
    return mails.mail(
        sender=f"Kunde {number} <kunde{number}@kwiat.example>",
        subject=f"Angebot {number} żółć",
        text=f"Text {number} " + "zażółć gęślą jaźń " * (number * 3) + "\n",
        html=f"<p>Text {number}</p>" if number % 2 else None,
        message_id=f"<varied-{number}@kwiat.example>",
    )


def fill(mailbox: Mailbox, number: int = MESSAGES) -> None:
    mailbox.fill([(varied(each), NOW - timedelta(minutes=each)) for each in range(number)])


@pytest.mark.live
def test_a_cut_anywhere_costs_nothing(connect, mailbox: Mailbox, monkeypatch):
    cut_everywhere(connect, mailbox, monkeypatch, places=40)


@pytest.mark.exhaustive
def test_two_hundred_cuts_cost_nothing(connect, mailbox: Mailbox, monkeypatch):
    cut_everywhere(connect, mailbox, monkeypatch, places=200)


def cut_everywhere(connect, mailbox: Mailbox, monkeypatch, *, places: int, hidden: tuple[str, ...] = ()) -> None:
    """A cut in the first import, another in the next synchronisation; ledger equal after two further cycles."""
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 7)
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 11)
    fill(mailbox)
    mailbox.deliver(mails.mail(sender=mailbox.address, message_id="<out@kwiat.example>"), folder="Sent")
    with Proxy(mailbox.dovecot.port) as proxy:
        if hidden:
            proxy.hide(*hidden)
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        whole = proxy.to_client
        for place in sorted(random.Random(SEED).sample(range(1, whole), places)):
            oracle.forget(account)
            proxy.cut_after = proxy.to_client + place
            for _ in range(3):
                outcome = services.sync_account(account.pk)
            assert (outcome.state, outcome.more) == ("done", False), (place, outcome)
            oracle.assert_equal(account, mailbox, ("INBOX", "Sent"), where=place)
            account.refresh_from_db()
            assert account.failed_attempts == 0, place
        assert proxy.cuts == places


@pytest.mark.live
def test_cuts_while_new_mail_arrives_lose_nothing(connect, mailbox: Mailbox):
    """Mail comes, mail goes, and every other connection is cut."""
    rng = random.Random(SEED)
    fill(mailbox, 10)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        for round_ in range(12):
            for each in range(rng.randrange(4)):
                mailbox.deliver(varied(1000 + 10 * round_ + each))
            uids = sorted(oracle.server_ledger(mailbox)[1])
            mailbox.dovecot.expunge(mailbox.address, rng.sample(uids, 1))
            proxy.cut_after = proxy.to_client + rng.randrange(200, 6000)
            services.sync_account(account.pk)
        proxy.cut_after = None
        oracle.to_the_end(account)
        oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox)


@pytest.mark.live
@pytest.mark.parametrize("change", [-1000, -1, 1, 1000])
def test_a_lying_length_never_stores_a_text_that_is_not_whole(connect, mailbox: Mailbox, impatient, change):
    """One literal's length is changed on its way; the same uid comes right as soon as the server is honest again."""
    fill(mailbox, 12)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        proxy.lie_about_literal(number=15, change=change)
        services.sync_account(account.pk)
        assert proxy.lies == 1
        whole = {entry[1] for entry in oracle.server_ledger(mailbox)[1].values()}
        stored = {entry[1] for entry in oracle.stored_ledger(account)[1].values()} if proxy.lies else set()
        assert stored <= whole
        for _ in range(2):
            services.sync_account(account.pk)
    oracle.assert_equal(account, mailbox)
    assert not MessageBody.objects.filter(text="").exists()
