"""What ends a sequence for a contact, what puts it off, and what does neither."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core import mail as system_mail

from mailwall.contacts import services as contact_services
from mailwall.contacts.models import Kind
from mailwall.contacts.rules import ContactInput
from mailwall.mailstore.models import MessageBody
from mailwall.sequences import enrolling, queries, services
from mailwall.sequences.models import StepRun
from mailwall.sequences.services import SequenceInput
from tests.cast import make_account, store
from tests.sequences.conftest import MAIL

pytestmark = pytest.mark.django_db
EWA = "ewa@kunde.example"


@pytest.fixture
def ewa(story):
    return story.contact("Ewa", EWA, "ewa@home.example")


@pytest.fixture
def enrolment(story, ewa):
    made = story.enrol(story.sequence(), ewa)
    [story.first] = story.run()
    story.later(hours=1)
    return made


def step_id(enrolment) -> str:
    return f"<{StepRun.objects.get(enrolment=enrolment).message_id}>"


def test_a_reply_ends_it(story, enrolment):
    mail = story.arrive(EWA, In_Reply_To=step_id(enrolment))
    assert story.state(enrolment) == ("replied", "reply") and enrolment.reply_id == mail.pk
    assert StepRun.objects.get().ended_as == "replied"
    story.later(days=10)
    assert story.run() == []


def test_any_mail_from_any_address_of_the_contact_to_a_colleague_ends_it(story, enrolment):
    private = make_account(story.cast.charlie, visibility="owner")
    story.arrive("ewa@home.example", to=private)
    assert story.state(enrolment) == ("replied", "other_mail")
    assert queries.visible_replies(story.cast.alice, [enrolment]) == set()


def test_an_answer_to_a_step_from_a_strangers_address_ends_it(story, enrolment):
    story.arrive("assistant@elsewhere.example", References=step_id(enrolment))
    assert story.state(enrolment) == ("replied", "reply")


@pytest.mark.parametrize("answer_comes_first", [True, False])
def test_an_answer_to_the_id_that_the_server_gave_the_step_ends_it(story, enrolment, answer_comes_first):
    outgoing = story.first
    raw = bytes(outgoing.content.raw).replace(b"\r\nMessage-ID: <", b"\r\nMessage-ID: <server-")
    known_as = f"<server-{outgoing.message_id_header}>"
    if not answer_comes_first:
        store(story.account, raw, direction="sent", days_ago=0)
    story.arrive("assistant@elsewhere.example", In_Reply_To=known_as)
    if answer_comes_first:
        assert enrolment.state == "active"
        store(story.account, raw, direction="sent", days_ago=0)
    assert story.state(enrolment) == ("replied", "reply")


def test_a_colleagues_mail_ends_it_only_when_the_sequence_wants_that(story):
    company = story.contact("Kunde", "office@kunde.example", kind=Kind.COMPANY)
    ewa = story.contact("Ewa", company_id=company.pk)
    story.contact("Jan", company_id=company.pk)
    plain = story.enrol(story.sequence(), ewa)
    strict = story.enrol(story.sequence(name="Strict", end_on_company_reply=True), ewa)
    story.arrive("jan@kunde.example")
    assert story.state(plain)[0] == "active" and story.state(strict) == ("replied", "company_mail")


def test_the_company_itself_may_be_enrolled_and_is_ended_by_its_people(story):
    company = story.contact("Kunde", "office@kunde.example", kind=Kind.COMPANY)
    story.contact("Jan", company_id=company.pk)
    enrolment = story.enrol(story.sequence(end_on_company_reply=True), company)
    story.arrive("jan@kunde.example")
    assert story.state(enrolment) == ("replied", "company_mail")


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-generated"},
        {"Precedence": "bulk"},
        {"List_Id": "<news.kunde.example>"},
        {"Return_Path": "<>"},
    ],
)
def test_robots_end_nothing(story, enrolment, headers):
    story.arrive(EWA, **headers)
    assert story.state(enrolment) == ("active", "")


def test_a_reply_that_comes_through_a_list_is_a_reply(story, enrolment):
    story.arrive(EWA, List_Id="<sales.kunde.example>", In_Reply_To=step_id(enrolment))
    assert story.state(enrolment) == ("replied", "reply")


def test_our_own_copy_and_our_colleagues_end_nothing(story, enrolment):
    colleague = make_account(story.cast.charlie, "charlie@ours.example")
    story.arrive("alice@ours.example", to=colleague, In_Reply_To=step_id(enrolment))
    story.arrive("charlie@ours.example", In_Reply_To=step_id(enrolment))
    assert story.state(enrolment) == ("active", "")


def test_old_mail_and_history_trigger_nothing(story, enrolment):
    story.arrive(EWA, days_ago=2)
    story.arrive(EWA, history=True)
    story.arrive(EWA, history=True, Auto_Submitted="auto-replied")
    assert story.state(enrolment) == ("active", "") and enrolment.not_before is None


def test_a_mail_that_came_from_an_address_learned_later_ends_it(story, ewa, enrolment):
    story.arrive("ewa@third.example")
    assert story.state(enrolment)[0] == "active"
    contact_services.update_contact(story.cast.alice, ewa.pk, ContactInput(emails=[EWA, "ewa@third.example"]))
    assert story.state(enrolment) == ("replied", "other_mail")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("I am back on 7 December.", 7),
        ("Wracam 7 grudnia 2026.", 7),
        ("Ich bin bis zum 6.12.2026 nicht im Haus.", 7),
        ("Je suis absente jusqu'au 6 décembre.", 7),
        ("Estaré fuera hasta el 6 de diciembre.", 7),
        ("Sono assente fino al 6 dicembre.", 7),
        ("I am away.", 30),
    ],
)
def test_somebody_who_is_away_is_written_to_later(story, enrolment, text, day):
    story.arrive(EWA, text=text, Auto_Submitted="auto-replied", In_Reply_To=step_id(enrolment))
    assert story.state(enrolment) == ("active", "away")
    assert enrolment.next_run_at.day == day and enrolment.next_run_at >= datetime(2026, 11, 28, tzinfo=UTC)
    assert MessageBody.objects.exists()


def test_a_hard_bounce_ends_every_sequence_to_that_address(story, enrolment):
    other = story.enrol(story.sequence(name="Other"), enrolment.contact)
    story.settle(story.first, "bounced")
    assert story.state(enrolment) == ("bounced", "hard_bounce") and story.state(other)[0] == "bounced"


def test_a_mail_that_failed_or_was_cancelled_pauses_and_goes_on_when_it_leaves_after_all(story):
    enrolment = story.enrol(story.sequence(), story.contact("Jan"))
    [mail] = story.run(leave=False)
    story.settle(mail, "failed")
    assert story.state(enrolment) == ("paused", "not_sent")
    story.settle(mail, "sent")
    assert story.state(enrolment)[0] == "active" and enrolment.next_run_at


def test_a_refused_receiver_is_a_bounce(story):
    enrolment = story.enrol(story.sequence(), story.contact("Jan"))
    [mail] = story.run(leave=False)
    mail.__class__.objects.filter(pk=mail.pk).update(error_code="smtp_receivers_refused")
    story.settle(mail, "failed")
    assert story.state(enrolment) == ("bounced", "refused")


def test_a_reply_to_the_last_step_still_counts(story):
    enrolment = story.enrol(story.sequence(MAIL), story.contact("Ewa"))
    story.run()
    assert story.state(enrolment)[0] == "finished"
    story.arrive(EWA, In_Reply_To=step_id(enrolment))
    assert story.state(enrolment) == ("replied", "reply")
    story.clock.shift(100)


def test_who_replied_can_be_taken_up_again_by_hand(story, enrolment):
    story.arrive(EWA)
    enrolling.change_enrolment(story.cast.alice, enrolment.pk, "active")
    story.later(days=3)
    assert len(story.run()) == 1


def test_archiving_stops_everybody(story, enrolment):
    services.archive_sequence(story.cast.alice, enrolment.sequence_id)
    assert story.state(enrolment) == ("stopped", "archived")
    services.restore_sequence(story.cast.alice, enrolment.sequence_id)
    services.update_sequence(story.cast.alice, enrolment.sequence_id, SequenceInput(state="running"))


def test_the_owner_is_told_of_a_reply_without_a_word_of_it(story, enrolment, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        story.arrive(EWA, subject="Very secret", text="Terms inside")
    [notice] = system_mail.outbox
    assert notice.to == ["alice@ours.example"] and "Ewa" in notice.subject
    assert "secret" not in notice.subject + notice.body and "Terms" not in notice.body
