"""Due steps: who gets what and when, once."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailwall.contacts import services as contact_services
from mailwall.contacts.models import ContactAddress
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount
from mailwall.sequences import enrolling, planning, running, services
from mailwall.sequences.models import Enrolment, Holiday, StepRun, Suppression, Task
from mailwall.sequences.services import SequenceInput, WindowInput
from mailwall.sequences.timing import Backlog
from mailwall.team.models import Package, Workspace
from tests.sequences.conftest import AGAIN, MAIL, START, TASK, WAIT

pytestmark = pytest.mark.django_db
OFFICE = WindowInput(days=(1, 2, 3, 4, 5), opens=time(8), closes=time(16), zone="Europe/Warsaw")


def test_three_steps_over_nine_days(story):
    sequence = story.sequence(MAIL, WAIT, AGAIN, StepWait := WAIT, TASK)
    assert StepWait.days == 3
    enrolment = story.enrol(sequence, story.contact("Ewa"))
    [first] = story.run()
    assert first.subject == "Hello Ewa" and first.receivers == ["ewa@kunde.example"] and first.automatic
    story.later(days=2, hours=23)
    assert story.run() == []
    story.later(hours=1)
    [second] = story.run()
    assert second.subject == "One question"
    story.later(days=3)
    assert story.run() == [] and Task.objects.get().title == "Call"
    assert story.state(enrolment) == ("finished", "")
    assert [run.outcome for run in StepRun.objects.order_by("pk")] == ["sent", "sent", "done"]


def test_no_window_means_at_once(story):
    story.enrol(story.sequence(), story.contact("Ewa"))
    assert running.accounts_due(START) == [story.account.pk]
    assert len(story.run()) == 1 and running.accounts_due(START) == []


def test_nothing_leaves_outside_the_window_nor_on_a_holiday(story):
    story.clock.move_to(datetime(2026, 11, 27, 18, 0, tzinfo=UTC))  # Friday evening
    Holiday.objects.create(day=date(2026, 11, 30))
    enrolment = story.enrol(story.sequence(window=OFFICE), story.contact("Ewa"))
    assert enrolment.next_run_at.date() == date(2026, 12, 1)
    story.clock.move_to(datetime(2026, 12, 1, 6, 59, tzinfo=UTC))
    assert story.run() == []
    story.clock.move_to(enrolment.next_run_at)
    assert len(story.run()) == 1


def test_a_step_that_missed_its_window_waits_for_the_next(story):
    enrolment = story.enrol(story.sequence(window=OFFICE), story.contact("Ewa"))
    story.clock.move_to(datetime(2026, 11, 25, 20, 0, tzinfo=UTC))
    assert story.run() == []
    enrolment.refresh_from_db()
    assert enrolment.next_run_at.date() == date(2026, 11, 26)


def test_the_daily_cap_of_the_account_counts_all_its_sequences(story):
    people = [story.contact(f"P{n}") for n in range(5)]
    story.enrol(story.sequence(daily_cap=3), *people[:2])
    story.enrol(story.sequence(daily_cap=3, name="Other"), *people[2:])
    assert len(story.run()) == 3
    story.later(days=1)
    assert len(story.run()) == 2


def test_a_contact_in_two_sequences_gets_one_mail_a_day(story):
    ewa = story.contact("Ewa")
    story.enrol(story.sequence(), ewa)
    story.enrol(story.sequence(name="Other"), ewa)
    assert len(story.run()) == 1
    story.later(days=1)
    assert len(story.run()) == 1


def test_two_mails_without_a_wait_go_on_two_days(story):
    story.enrol(story.sequence(MAIL, AGAIN), story.contact("Ewa"))
    assert len(story.run()) == 1 and story.run() == []
    story.later(days=1)
    assert len(story.run()) == 1


def test_the_next_step_waits_until_the_mail_before_has_left(story):
    enrolment = story.enrol(story.sequence(), story.contact("Ewa"))
    [mail] = story.run(leave=False)
    story.later(days=5)
    assert story.run() == []
    story.settle(mail, "sent")
    enrolment.refresh_from_db()
    assert enrolment.next_run_at == START + timedelta(days=8)


def test_two_workers_with_the_same_plan_send_one_copy(story):
    sequence = story.sequence()
    story.enrol(sequence, story.contact("Ewa"))
    plans = [planning.plan(story.account.pk, [sequence], START, defaultdict(Backlog))[0] for _ in range(2)]
    sent = [running._send(story.account.pk, ready) for plan in plans for ready in plan]
    assert len(sent) == 2 and sent[1] is None and StepRun.objects.count() == 1


def test_a_turn_belongs_to_one_worker(story, settings):
    assert running._take_turn(story.account.pk) and running._take_turn(story.account.pk) is None
    story.later(seconds=settings.LEASE_SECONDS)
    assert running._take_turn(story.account.pk)


def test_a_worker_that_dies_between_claim_and_send_has_done_nothing(story, monkeypatch):
    enrolment = story.enrol(story.sequence(), story.contact("Ewa"))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(running, "_note_run", _die)
        story.run()
    assert story.state(enrolment) == ("active", "") and StepRun.objects.count() == 0
    assert len(story.run()) == 1


def _die(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "fields",
    [
        {"failed_attempts": 1, "next_sync_at": START + timedelta(minutes=1)},
        {"state": "needs_sign_in"},
        {"state": "paused"},
        {"sending_active": False},
        {"removed_at": START},
    ],
)
def test_steps_wait_while_the_account_cannot_be_asked_or_cannot_send(story, fields):
    story.enrol(story.sequence(), story.contact("Ewa"))
    EmailAccount.objects.filter(pk=story.account.pk).update(**fields)
    assert running.accounts_due(START) == []


def test_in_the_package_basic_nothing_runs(story):
    story.enrol(story.sequence(), story.contact("Ewa"))
    Workspace.objects.update(package=Package.BASIC)
    assert running.accounts_due(START) == []


def test_a_paused_sequence_and_a_paused_contact_wait(story):
    sequence = story.sequence()
    enrolment = story.enrol(sequence, story.contact("Ewa"), story.contact("Jan"))
    enrolling.change_enrolment(story.cast.alice, enrolment.pk, "paused")
    services.update_sequence(story.cast.alice, sequence.pk, SequenceInput(state="paused"))
    assert story.run() == []
    services.update_sequence(story.cast.alice, sequence.pk, SequenceInput(state="running"))
    assert len(story.run()) == 1
    enrolling.change_enrolment(story.cast.alice, enrolment.pk, "active")
    assert len(story.run()) == 1


def test_when_the_account_goes_its_enrolments_stop(story):
    enrolment = story.enrol(story.sequence(), story.contact("Ewa"))
    EmailAccount.objects.filter(pk=story.account.pk).update(removed_at=START)
    assert running.end_orphans() == 1 and story.state(enrolment) == ("stopped", "account_gone")


def test_when_the_contact_goes_its_enrolment_stops(story):
    ewa = story.contact("Ewa")
    enrolment = story.enrol(story.sequence(), ewa)
    contact_services.delete_contact(story.cast.alice, ewa.pk)
    assert story.state(enrolment) == ("stopped", "contact_deleted") and story.run() == []


def test_a_new_address_of_the_contact_is_used(story):
    ewa = story.contact("Ewa")
    story.enrol(story.sequence(), ewa)
    contact_services.update_contact(story.cast.alice, ewa.pk, ContactInput(emails=["ewa@new.example"]))
    [mail] = story.run()
    assert mail.receivers == ["ewa@new.example"]


def test_without_an_address_or_a_field_the_enrolment_pauses_and_says_why(story):
    ewa, jan = story.contact("Ewa"), story.contact("Jan")
    strict = MAIL.__class__(kind="email", subject="Hi {{first_name}}", html="<p>x</p>")
    sequence = story.sequence(strict)
    first, second = story.enrol(sequence, ewa), story.enrol(sequence, jan)
    contact_services.update_contact(story.cast.alice, ewa.pk, ContactInput(emails=[]))
    contact_services.update_contact(story.cast.alice, jan.pk, ContactInput(first_name="", last_name="Jan"))
    assert story.run() == []
    assert story.state(first) == ("paused", "no_address") and story.state(second) == ("paused", "missing_field")


def test_planning_costs_the_same_queries_for_few_and_for_many(story):
    """Also where addresses left their contacts, were suppressed, or have no mail to get any more."""
    sequences = [story.sequence(daily_cap=1, name=f"S{number}") for number in range(3)]
    counts = [_queries_to_plan(story, sequences, range(begin, begin + people)) for begin, people in ((0, 1), (1, 25))]
    assert counts[0] == counts[1] <= 30
    assert Enrolment.objects.filter(state="unsubscribed").count() == 26
    assert StepRun.objects.count() == 0 and Enrolment.objects.filter(next_run_at__gt=START).count() == 26 * 2 - 1


def _queries_to_plan(story, sequences, numbers) -> int:
    people = [story.contact(f"P{number}") for number in numbers]
    moved = [story.contact(f"M{number}") for number in numbers]
    gone = [story.contact(f"G{number}") for number in numbers]
    for sequence, contacts in zip(sequences, (people, moved, gone), strict=True):
        story.enrol(sequence, *contacts)
    ContactAddress.objects.filter(contact__in=moved).update(address=Concat(Value("new-"), "address"))
    now = timezone.now()
    Suppression.objects.bulk_create(
        [Suppression(address=address, source="by_hand", created_at=now)
         for address in ContactAddress.objects.filter(contact__in=gone).values_list("address", flat=True)]
    )  # fmt: skip
    with CaptureQueriesContext(connection) as queries:
        planning.plan(story.account.pk, sequences, now, defaultdict(Backlog))
    return len(queries)
