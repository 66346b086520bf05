"""Whole lives of sequences with a real mail server, a real SMTP server and clocks that are moved."""

from __future__ import annotations

import email
import email.policy
import threading
import time
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
import time_machine
from django.db import connections

from mailwall.contacts import services as contact_services
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.mime import pixels
from mailwall.sending import copies, delivery
from mailwall.sending.models import Outgoing
from mailwall.sequences import enrolling, running, services
from mailwall.sequences.models import Enrolment, StepRun
from mailwall.sequences.services import SequenceInput
from mailwall.sync import services as sync_services
from mailwall.team import services as team_services
from mailwall.web import secrets
from tests.cast import make_account, make_cast
from tests.rig.fixtures import authority, dovecot, mailbox, smtp_sink
from tests.rig.mails import mail
from tests.sequences.conftest import AGAIN, MAIL, WAIT

__all__ = ["authority", "dovecot", "mailbox", "smtp_sink"]
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EWA, JAN = "ewa@kwiat.example", "jan@kwiat.example"


class Life:
    """An account on a real Dovecot that sends by a real SMTP server, a contact, and a sequence of three mails."""

    def __init__(self, mailbox, sink) -> None:
        self.mailbox, self.sink, self.cast = mailbox, sink, make_cast()
        self.account = self.connect(mailbox, smtp_host="127.0.0.1", smtp_port=sink.port, smtp_security="none",
                                    smtp_username=mailbox.address, smtp_same_password=False, sending_active=True,
                                    is_default=True)  # fmt: skip
        sealed = secrets.seal(sink.password, bound_to=f"{self.account.secret_id}:smtp")
        EmailAccount.objects.filter(pk=self.account.pk).update(sealed_smtp_password=sealed)
        self.ewa = contact_services.create_contact(self.cast.alice, ContactInput(name="Ewa Kwiat", emails=[EWA]))
        steps = (MAIL, WAIT, AGAIN, WAIT, AGAIN, WAIT, AGAIN)
        given = SequenceInput(name="Fair", account_id=self.account.pk, state="running", steps=steps)
        self.sequence = services.create_sequence(self.cast.alice, given)
        sync_services.sync_account(self.account.pk)

    def connect(self, mailbox, **fields) -> EmailAccount:
        account = make_account(self.cast.alice, mailbox.address, imap_port=mailbox.dovecot.port, **fields)
        sealed = secrets.seal(mailbox.dovecot.password, bound_to=f"{account.secret_id}:imap")
        EmailAccount.objects.filter(pk=account.pk).update(sealed_imap_password=sealed)
        return account

    def enrol(self) -> Enrolment:
        [result] = enrolling.enrol(self.cast.alice, self.sequence.pk, [self.ewa.pk])
        assert result.enrolment is not None
        return result.enrolment

    def run(self) -> None:
        """As the tick does it: due steps, then the outbox."""
        if self.account.pk in running.accounts_due(datetime.now(UTC)):
            running.run_due(self.account.pk)
        delivery.deliver_account(self.account.pk)

    def sent(self) -> list[EmailMessage]:
        return [email.message_from_bytes(each.raw, policy=email.policy.default) for each in self.sink.taken]

    def answer(self, original: EmailMessage, sender: str = EWA, **headers: str) -> None:
        threaded = {"In-Reply-To": original["Message-ID"], "References": original["Message-ID"]}
        self.mailbox.deliver(
            mail(sender=sender, to=self.mailbox.address, subject="Re: Hello", headers={**threaded, **headers})
        )


@pytest.fixture
def life(mailbox, smtp_sink, settings) -> Life:
    settings.MAIL_HOSTS_ALLOW = ("127.0.0.1",)
    return Life(mailbox, smtp_sink)


def test_four_mails_over_nine_days_in_one_thread_each_once(life):
    enrolment = life.enrol()
    begin = datetime.now(UTC)
    for day in range(11):
        with time_machine.travel(begin + timedelta(days=day, minutes=5 * day)):
            life.run()
            life.run()
    mails = life.sent()
    assert len(mails) == 4 and len({each["Message-ID"] for each in mails}) == 4
    first = mails[0]
    assert first["Subject"] == "Hello Ewa" and first["Auto-Submitted"] == "auto-generated"
    assert (
        first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click" and "/unsubscribe/" in first["List-Unsubscribe"]
    )
    assert "Precedence" not in first and "/unsubscribe/" in first.get_body(("html",)).get_content()
    assert mails[2]["References"].split()[0] == first["Message-ID"] and mails[1]["In-Reply-To"] == first["Message-ID"]
    enrolment.refresh_from_db()
    assert enrolment.state == "finished"


def test_the_copy_in_sent_has_no_picture_and_is_the_same_mail(life, settings):
    settings.BASE_URL = "https://crm.ours.example"
    team_services.update_workspace(life.cast.erin, may_measure_opens=True)
    services.update_sequence(life.cast.alice, life.sequence.pk, SequenceInput(measures_opens=True))
    with life.mailbox.dovecot.client(life.mailbox.address) as client:
        client.create("Sent")
    life.enrol()
    life.run()
    [mail_] = life.sent()
    assert pixels.FOLDER in mail_.get_body(("html",)).get_content()
    now = datetime.now(UTC)
    Outgoing.objects.update(sent_at=now - timedelta(minutes=1), copy_at=now)
    copies.work_account(life.account.pk)
    with life.mailbox.dovecot.client(life.mailbox.address) as client:
        client.select("Sent", readonly=True)
        _, [(_, raw), _] = client.fetch("1", "(BODY.PEEK[])")
    copy = email.message_from_bytes(raw, policy=email.policy.default)
    assert "Nice to meet you" in copy.get_body(("html",)).get_content()
    assert pixels.FOLDER not in copy.get_body(("html",)).get_content() and copy["Message-ID"] == mail_["Message-ID"]
    sync_services.sync_account(life.account.pk)
    assert Message.objects.filter(account=life.account).count() == 1


def test_a_reply_that_lies_on_the_server_wins_over_a_due_step(life):
    enrolment = life.enrol()
    life.run()
    life.answer(life.sent()[0])  # not fetched yet when the step becomes due
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, enrolment.reason, len(life.sink.taken)) == ("replied", "reply", 1)


def test_an_absence_note_puts_off_and_a_strangers_answer_in_the_thread_ends(life):
    enrolment = life.enrol()
    life.run()
    back = datetime.now(UTC) + timedelta(days=12)
    life.answer(life.sent()[0], **{"Auto-Submitted": "auto-replied", "X-Note": "1"})
    life.mailbox.deliver(mail(sender=EWA, to=life.mailbox.address, subject="Automatic reply: Hello", text=f"I am back on {back:%d %B %Y}.", headers={"Auto-Submitted": "auto-replied"}))  # fmt: skip
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, enrolment.next_run_at.date(), len(life.sink.taken)) == ("active", back.date(), 1)
    life.answer(life.sent()[0], sender="assistant@elsewhere.example")
    sync_services.sync_account(life.account.pk)
    enrolment.refresh_from_db()
    assert enrolment.state == "replied"


def test_mail_from_before_the_enrolment_triggers_nothing(life):
    life.mailbox.deliver(mail(sender=EWA, to=life.mailbox.address), internaldate=datetime.now(UTC) - timedelta(days=3))
    enrolment = life.enrol()
    life.run()
    enrolment.refresh_from_db()
    assert enrolment.state == "active" and len(life.sink.taken) == 1


def test_steps_wait_while_the_mail_server_does_not_answer(life):
    enrolment = life.enrol()
    port = life.account.imap_port
    EmailAccount.objects.filter(pk=life.account.pk).update(imap_port=1)
    life.run()
    enrolment.refresh_from_db()
    assert enrolment.state == "active" and not StepRun.objects.exists() and not life.sink.taken
    EmailAccount.objects.filter(pk=life.account.pk).update(imap_port=port)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=10)):
        life.run()
    assert len(life.sink.taken) == 1


def test_workers_at_the_same_time_send_one_copy(life):
    people = [
        contact_services.create_contact(life.cast.alice, ContactInput(name=f"P{n}", emails=[f"p{n}@kwiat.example"]))
        for n in range(10)
    ]
    enrolling.enrol(life.cast.alice, life.sequence.pk, [person.pk for person in people])

    def work() -> None:
        try:
            for _ in range(5):
                running.run_due(life.account.pk)
                running.take_steps(life.account.pk)  # even without the turn, each step is claimed
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    end = time.monotonic() + 30
    while len(life.sink.taken) < 10 and time.monotonic() < end:
        delivery.deliver_account(life.account.pk)
    assert sorted(each.receivers[0] for each in life.sink.taken) == sorted(f"p{n}@kwiat.example" for n in range(10))
    assert StepRun.objects.count() == 10
