"""Two whole Mailwalls with sequences to each other, and responders between them: nobody starts a conversation of robots."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest

from tests.rig.dovecot import Dovecot
from tests.rig.fixtures import authority, dovecot
from tests.rig.mails import mail
from tests.rig.postgres import Postgres
from tests.rig.processes import wait_until
from tests.rig.product import Product, RemoteApi
from tests.rig.smtp_sink import PASSWORD, SmtpSink

__all__ = ["authority", "dovecot"]
pytestmark = [pytest.mark.live, pytest.mark.slow]


class PostOffice(SmtpSink):
    """Delivers into Dovecot. Every address has a responder that answers the first mail of every sender.

    keeps_rules: it leaves automatic mail alone and marks its own (RFC 3834); one that does not answers like a person.
    """

    def __init__(self, server: Dovecot) -> None:
        super().__init__()
        self.server, self.keeps_rules = server, True
        self.answers: list[EmailMessage] = []

    async def handle_DATA(self, server, session, envelope) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        for receiver in envelope.rcpt_tos:
            self.bring(receiver, envelope.original_content)
        return answer

    def bring(self, receiver: str, raw: bytes) -> None:
        message = email.message_from_bytes(raw, policy=email.policy.default)
        self.server.deliver(receiver, raw)
        sender = message["From"].addresses[0].addr_spec
        is_known = any(each["To"] == sender and each["From"] == receiver for each in self.answers)
        if is_known or (self.keeps_rules and message.get("Auto-Submitted", "no") != "no"):
            return
        headers = {"In-Reply-To": message["Message-ID"]}
        headers |= {"Auto-Submitted": "auto-replied"} if self.keeps_rules else {}
        name = f"<answer-{len(self.answers)}-{receiver}>"
        away = mail(sender=receiver, to=sender, subject="Away", text="I am away.", headers=headers, message_id=name)
        self.answers.append(email.message_from_bytes(away, policy=email.policy.default))
        self.bring(sender, away)


class Side:
    """An account of one installation, with a running sequence to the account of the other one."""

    def __init__(self, office: PostOffice, api: RemoteApi, address: str) -> None:
        self.api, self.address = api, address
        server = office.server
        imap = {"host": "127.0.0.1", "port": server.port, "security": "none", "username": address}
        smtp = {"host": "127.0.0.1", "port": office.port, "security": "none", "username": address}
        body = {"address": address, "imap": {**imap, "password": server.password}, "store": "both"}
        smtp["password"] = PASSWORD
        self.account = api.ok("POST", "/email-accounts", {**body, "smtp": smtp})["id"]

    def start(self, other: str) -> None:
        contact = self.api.ok("POST", "/contacts", {"kind": "person", "name": "Other", "emails": [other]})
        steps = [
            {"type": "email", "subject": f"From {self.address}", "html": "<p>Hello</p>"},
            {"type": "wait", "days": 1},
            {"type": "email", "subject": "Again", "html": "<p>Again</p>"},
        ]
        given = {"name": "Fair", "state": "running", "email_account": self.account, "steps": steps}
        self.sequence = self.api.ok("POST", "/sequences", given)["id"]
        [made] = self.api.ok("POST", f"/sequences/{self.sequence}/enrolments", {"contacts": [contact["id"]]})["items"]
        assert made["state"] == "active"

    def enrolment(self) -> dict:
        return self.api.ok("GET", f"/sequences/{self.sequence}/enrolments")["items"][0]

    def received(self) -> int:
        return len(self.api.ok("GET", "/messages", direction="received", email_account=self.account)["items"])

    def synchronized_at(self) -> datetime:
        text = self.api.ok("GET", f"/email-accounts/{self.account}")["last_synchronized_at"]
        return datetime.fromisoformat(text) if text else datetime.min.replace(tzinfo=UTC)


@pytest.fixture
def office(dovecot) -> Iterator[PostOffice]:
    with PostOffice(dovecot) as office:
        yield office


@pytest.fixture(scope="module")
def owners() -> Iterator[tuple[RemoteApi, RemoteApi]]:
    """Of one installation on SQLite, and of one on PostgreSQL."""
    server = Postgres()
    products = [
        Product(MAILWALL_SYNC_INTERVAL_SECONDS="2", **env) for env in ({}, {"MAILWALL_DATABASE_URL": server.url})
    ]
    one, two = (product.user("owner@ours.example") for product in products)
    yield one, two
    for product in products:
        product.remove()
    server.stop()


def test_responders_that_keep_the_rules_leave_the_sequences_alone(office, owners):
    one, two = facing(office, owners, "polite")
    wait_until(lambda: len(office.taken) == 2, seconds=90, what="both wrote")
    wait_until(lambda: one.received() == two.received() == 1, seconds=90, what="both read it")
    after_another_round(one, two)
    assert sorted(each.sender for each in office.taken) == [one.address, two.address]
    assert office.answers == []
    assert [side.enrolment()["state"] for side in (one, two)] == ["active", "active"]


def test_responders_that_answer_like_people_end_them_after_one_mail_at_most(office, owners):
    """The answer to the first mail may come before the other side has written: it then never writes."""
    office.keeps_rules = False
    one, two = facing(office, owners, "rude")
    wait_until(lambda: {side.enrolment()["state"] for side in (one, two)} == {"replied"}, seconds=90, what="both ended")
    after_another_round(one, two)
    senders = [each.sender for each in office.taken]
    assert senders
    assert len(senders) == len(set(senders))
    assert len(office.answers) == 2


def facing(office: PostOffice, owners: tuple[RemoteApi, RemoteApi], name: str) -> tuple[Side, Side]:
    """Both sides, each enrolled in the other's sequence. A second try of a test has accounts of its own."""
    mark = f"{name}-{office.port}"
    one, two = Side(office, owners[0], f"anna-{mark}@one.example"), Side(office, owners[1], f"bert-{mark}@two.example")
    one.start(two.address)
    two.start(one.address)
    return one, two


def after_another_round(one: Side, two: Side) -> None:
    since = datetime.now(UTC)
    wait_until(lambda: min(one.synchronized_at(), two.synchronized_at()) > since, seconds=90, what="another round")
