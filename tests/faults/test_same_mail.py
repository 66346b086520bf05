"""Checks 26 and 27 of reliability.md: one mail in many places is told once; different mails under one name are all kept."""

from __future__ import annotations

import pytest

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message, MessageBody
from mailwall.web import secrets
from tests.cast import Api, make_account, make_contact
from tests.fakes.imap_server import ImapServer
from tests.fakes.providers import Gmail
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import ledger

pytestmark = pytest.mark.live


def on(server: ImapServer, address: str = "alice@example.org") -> Mailbox:
    return Mailbox(dovecot=server, address=address, ca_file="")  # type: ignore[arg-type]


@pytest.fixture
def ewa(connect) -> Contact:
    return make_contact("Ewa", "ewa@kwiat.example")


@pytest.mark.parametrize(("visibility", "copies"), [("everyone", 2), ("owner", 1)])
def test_a_mail_to_two_accounts_of_a_firm_is_one_entry_of_what_each_may_see(connect, ewa, visibility, copies):
    raw = mails.mail(message_id="<offer@kwiat.example>", to="alice@example.org, charlie@example.org")
    with Gmail() as first, Gmail() as second:
        alices, charlies = on(first), on(second, "charlie@example.org")
        for box in (alices, charlies):
            box.deliver(raw)
            box.deliver(raw, folder="Klienci")
        mine = connect(alices)
        other = make_account(mine.owner, "charlie@example.org", imap_port=second.port, visibility=visibility)
        charlie = type(mine.owner).objects.get(email="charlie@ours.example")
        EmailAccount.objects.filter(pk=other.pk).update(
            owner=charlie, sealed_imap_password=resealed(other, charlies.dovecot.password)
        )
        for account in (mine, other):
            oracle.to_the_end(account)
    assert Message.objects.count() == 2
    [item] = Api(mine.owner).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert (item["copies"], item["email"]["email_account"]) == (copies, mine.pk)
    [item] = Api(charlie).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert (item["copies"], item["email"]["email_account"]) == (2, other.pk)


def resealed(account: EmailAccount, password: str) -> str:
    return secrets.seal(password, bound_to=f"{account.secret_id}:imap")


def test_one_message_id_for_different_mails_none_or_an_endless_one_loses_nothing(connect):
    long = "x" * 2000
    raws = [
        *(mails.mail(message_id="<same@kwiat.example>", subject=f"Offer {n}", text=f"Text {n}\n") for n in range(3)),
        *(
            mails.mail(message_id="<gone@x>", text=f"None {n}\n").replace(b"Message-ID: <gone@x>\r\n", b"")
            for n in range(2)
        ),
        mails.mail(message_id="<x@x>", text="Endless\n").replace(b"<x@x>", b"<" + long.encode() + b"@kwiat.example>"),
        mails.mail(message_id="<x@x>", text="Empty\n").replace(b"<x@x>", b""),
        mails.mail(message_id="<x@x>", text="Not in brackets\n").replace(b"<x@x>", b"no brackets at all"),
    ]
    with ImapServer() as server:
        mailbox = on(server)
        for raw in raws:
            mailbox.deliver(raw)
        account = connect(mailbox)
        oracle.to_the_end(account)
    assert Message.objects.count() == len(raws)
    texts = sorted(body.text.strip() for body in MessageBody.objects.all())
    assert texts == sorted(["Text 0", "Text 1", "Text 2", "None 0", "None 1", "Endless", "Empty", "Not in brackets"])
    assert ledger(account)["inbox"].accounted == len(raws)
