"""Whole lives of sequences with a real mail server, a real SMTP server and clocks that are moved."""

from __future__ import annotations

import email
import email.policy
import threading
import time
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connections
from django.test import Client

from mailwall.contacts import services as contact_services
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.mime import pixels
from mailwall.sending import copies, delivery
from mailwall.sending.models import Outgoing
from mailwall.sequences import enrolling, running, services
from mailwall.sequences.models import Enrolment, Holiday, StepRun
from mailwall.sequences.services import SequenceInput, WindowInput
from mailwall.sync import services as sync_services
from mailwall.team import services as team_services
from mailwall.web import secrets
from tests.cast import make_account, make_cast
from tests.mime.test_reports import POSTFIX
from tests.rig.fixtures import Mailbox, authority, dovecot, mailbox, smtp_sink
from tests.rig.mails import mail
from tests.sequences.conftest import AGAIN, MAIL, WAIT

__all__ = ["authority", "dovecot", "mailbox", "smtp_sink"]
pytestmark = [pytest.mark.live, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
EWA, JAN = "ewa@kwiat.example", "jan@kwiat.example"
OUR_ID = "0123456789abcdef0123456789abcdef@ours.example"  # in the report


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

    def connect(self, mailbox, owner=None, **fields) -> EmailAccount:
        account = make_account(owner or self.cast.alice, mailbox.address, imap_port=mailbox.dovecot.port, **fields)
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


def other_mailbox(life) -> Mailbox:
    """Charlie's mailbox, connected and read once."""
    box = Mailbox(dovecot=life.mailbox.dovecot, address=f"charlie-{life.mailbox.address}", ca_file="")
    sync_services.sync_account(life.connect(box, owner=life.cast.charlie).pk)
    return box


def test_mail_of_the_contact_from_another_address_to_a_colleagues_account_ends_it(life):
    contact_services.update_contact(life.cast.alice, life.ewa.pk, ContactInput(emails=[EWA, "ewa@home.example"]))
    box = other_mailbox(life)
    enrolment = life.enrol()
    life.run()
    box.deliver(mail(sender="ewa@home.example", to=box.address, subject="Something else"))
    sync_services.sync_account(EmailAccount.objects.get(address=box.address).pk)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, enrolment.reason, len(life.sink.taken)) == ("replied", "other_mail", 1)


@pytest.mark.parametrize(("is_wanted", "end"), [(True, ("replied", "company_mail", 1)), (False, ("active", "", 2))])
def test_mail_of_the_contacts_colleague_to_another_account_ends_it_where_that_is_wanted(life, is_wanted, end):
    firm = contact_services.create_contact(life.cast.alice, ContactInput(kind="company", name="Kwiat"))
    contact_services.update_contact(life.cast.alice, life.ewa.pk, ContactInput(company_id=firm.pk))
    contact_services.create_contact(life.cast.alice, ContactInput(name="Jan", emails=[JAN], company_id=firm.pk))
    services.update_sequence(life.cast.alice, life.sequence.pk, SequenceInput(end_on_company_reply=is_wanted))
    box = other_mailbox(life)
    enrolment = life.enrol()
    life.run()
    box.deliver(mail(sender=JAN, to=box.address, subject="From a colleague"))
    sync_services.sync_account(EmailAccount.objects.get(address=box.address).pk)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, enrolment.reason, len(life.sink.taken)) == end


def test_absence_notes_in_six_languages_put_off_and_none_ends_it(life):
    """Each names a later day than the one before; the last one names none."""
    enrolment = life.enrol()
    life.run()
    year = datetime.now(UTC).year + 1
    notes = [
        (f"I am out of the office until 3 January {year}.", 4),
        (f"Będę nieobecna do 5 stycznia {year} r.", 6),
        (f"Ich bin bis zum 7. Januar {year} nicht im Büro.", 8),
        (f"Je suis absente jusqu'au 9 janvier {year}.", 10),
        (f"Estaré fuera de la oficina hasta el 11 de enero de {year}.", 12),
        (f"Sono assente fino al 13 gennaio {year}.", 14),
        ("I am away and read no mail.", 14),
    ]
    for number, (text, day) in enumerate(notes):
        note = {"headers": {"Auto-Submitted": "auto-replied"}, "message_id": f"<note-{number}@kwiat.example>"}
        life.mailbox.deliver(mail(sender=EWA, to=life.mailbox.address, subject="Away", text=text, **note))
        sync_services.sync_account(life.account.pk)
        enrolment.refresh_from_db()
        assert (enrolment.state, enrolment.next_run_at.date()) == ("active", date(year, 1, day)), text
    with time_machine.travel(datetime(year, 1, 13, 12, tzinfo=UTC)):
        life.run()
    assert len(life.sink.taken) == 1
    with time_machine.travel(datetime(year, 1, 14, 12, tzinfo=UTC)):
        life.run()
    assert len(life.sink.taken) == 2


def test_a_bounce_report_on_the_server_ends_it_before_the_next_step(life):
    enrolment = life.enrol()
    life.run()
    [outgoing] = Outgoing.objects.all()
    life.mailbox.deliver(POSTFIX.replace(OUR_ID, outgoing.message_id_header).encode())
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, enrolment.reason, len(life.sink.taken)) == ("bounced", "hard_bounce", 1)
    [again] = enrolling.enrol(life.cast.alice, other_sequence(life).pk, [life.ewa.pk])
    assert again.problem is not None and again.problem.code == "undeliverable"


def other_sequence(life):
    given = SequenceInput(name="Other", account_id=life.account.pk, state="running", steps=(MAIL,))
    return services.create_sequence(life.cast.alice, given)


def test_the_link_in_the_mail_survives_a_thousand_scanners_and_one_click_ends_all(life):
    enrolment = life.enrol()
    life.run()
    header = life.sent()[0]["List-Unsubscribe"].strip("<>")
    path = header.removeprefix("http://127.0.0.1:8000")
    assert header in life.sent()[0].get_body(("html",)).get_content()
    scanner = Client(enforce_csrf_checks=True)
    assert {scanner.get(path).status_code for _ in range(1_000)} == {200} and scanner.head(path).status_code == 200
    enrolment.refresh_from_db()
    assert enrolment.state == "active"
    body = "List-Unsubscribe=One-Click"
    assert scanner.post(path, body, content_type="application/x-www-form-urlencoded").status_code == 200
    with time_machine.travel(datetime.now(UTC) + timedelta(days=4)):
        life.run()
    enrolment.refresh_from_db()
    assert (enrolment.state, len(life.sink.taken)) == ("unsubscribed", 1)
    [again] = enrolling.enrol(life.cast.alice, other_sequence(life).pk, [life.ewa.pk])
    assert again.problem is not None and again.problem.code == "suppressed"


def test_a_weekend_with_a_change_of_clocks_and_a_holiday_keep_the_window_shut(life):
    """From Friday evening: Sunday the clocks go forward, Monday is a holiday, Tuesday eight o'clock is an hour earlier."""
    begin = datetime(2027, 3, 26, 17, 0, tzinfo=UTC)
    window = WindowInput(days=(1, 2, 3, 4, 5), opens=clock_time(8), closes=clock_time(9), zone="Europe/Warsaw")
    Holiday.objects.create(day=date(2027, 3, 29))
    services.update_sequence(life.cast.alice, life.sequence.pk, SequenceInput(window=window))
    with time_machine.travel(begin):
        enrolment = life.enrol()
    moments = []
    for hours in range(90):
        with time_machine.travel(begin + timedelta(hours=hours, minutes=59)):
            before = len(life.sink.taken)
            life.run()
            moments += [datetime.now(UTC).replace(second=0, microsecond=0)] * (len(life.sink.taken) - before)
    assert moments == [datetime(2027, 3, 30, 6, 59, tzinfo=UTC)]  # 8:59 in Warsaw
    enrolment.refresh_from_db()
    assert enrolment.next_run_at.astimezone(ZoneInfo("Europe/Warsaw")).strftime("%d %H") == "02 08"


@pytest.mark.parametrize(
    ("night", "sent_at"),
    [(datetime(2027, 3, 28, tzinfo=UTC), "01:30"), (datetime(2026, 10, 25, tzinfo=UTC), "00:30")],
    ids=["two o'clock is skipped", "two o'clock comes twice"],
)
def test_in_the_night_of_the_clock_change_a_window_at_two_opens_once(life, night, sent_at):
    """A window 02:30 to 04:30 in Warsaw: in spring half past two is half past three, in autumn it is the first one."""
    window = WindowInput(days=(6, 7), opens=clock_time(2, 30), closes=clock_time(4, 30), zone="Europe/Warsaw")
    services.update_sequence(life.cast.alice, life.sequence.pk, SequenceInput(window=window))
    with time_machine.travel(night - timedelta(hours=1)):
        life.enrol()
    moments = []
    for quarter in range(1, 16):
        with time_machine.travel(night + timedelta(minutes=15 * quarter)):
            before = len(life.sink.taken)
            Enrolment.objects.filter(next_run_at__date=night.date()).update(next_run_at=night)  # due all night
            life.run()
            moments += [f"{datetime.now(UTC):%H:%M}"] * (len(life.sink.taken) - before)
    assert moments == [sent_at]


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
