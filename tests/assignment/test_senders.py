"""The counts of unknown senders follow every way in which mail becomes assigned, unassigned, deleted or narrowed."""

from __future__ import annotations

import contextlib
import random

import pytest
from django.utils import timezone

from mailwall.assignment import marks, senders, services, tasks
from mailwall.assignment.errors import AssignmentTargetNotFound
from mailwall.assignment.models import Review, UnknownSender
from mailwall.contacts import services as contacts
from mailwall.contacts.errors import AddressTaken
from mailwall.contacts.models import Contact
from mailwall.contacts.rules import ContactInput
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.errors import MessageNotFound
from mailwall.mailstore.models import Message
from mailwall.team.models import User
from tests.assignment.arrivals import arrive
from tests.cast import make_account
from tests.mailstore.makers import incoming

pytestmark = pytest.mark.django_db
JAN, EWA = "jan@nowak.example", "ewa@kwiat.example"


@pytest.fixture
def account(cast):
    return make_account(cast.alice, visibility="everyone")


def counted() -> dict[tuple[str, str, bool], int]:
    """As kept, by sender, kind and whether narrowed; nothing changes when everything is counted anew."""
    kept = all_counts()
    senders.rebuild()
    assert kept == all_counts()
    return {(address, kind, only_owner): number for address, kind, only_owner, _account, number, _newest in kept}


def all_counts() -> set[tuple[str, str, bool, int, int, int]]:
    columns = ("address", "kind", "only_owner", "account_id", "messages", "newest_id")
    return set(UnknownSender.objects.values_list(*columns))


def test_mail_is_counted_by_its_counterpart_and_kind(account):
    arrive(
        account,
        incoming(JAN),
        incoming(JAN, automatic="auto-replied"),
        incoming(JAN, automatic="list", list_id="news.example"),
        incoming("alice@ours.example", [EWA], direction="sent"),
        incoming("bob@ours.example", ["alice@ours.example"], cc=[EWA]),
        incoming("bob@ours.example", ["alice@ours.example"]),
        incoming(""),
    )
    assert counted() == {
        (JAN, "people", False): 1,
        (JAN, "automatic", False): 1,
        (JAN, "newsletters", False): 1,
        (EWA, "people", False): 2,
    }


def test_counts_follow_contacts_as_they_come_and_go(cast, account):
    arrive(account, incoming(JAN), incoming(JAN), incoming(EWA, cc=[JAN]))
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=[JAN]))
    assert counted() == {}
    arrive(account, incoming(JAN), incoming(EWA))
    assert counted() == {(EWA, "people", False): 1}
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=[]))
    assert counted() == {(JAN, "people", False): 3, (EWA, "people", False): 2}
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=[JAN]))
    contacts.delete_contact(cast.alice, jan.pk)
    assert counted() == {(JAN, "people", False): 3, (EWA, "people", False): 2}


def test_counts_follow_hands_and_reviews(cast, account):
    one, _two = arrive(account, incoming(JAN), incoming(JAN))
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan"))
    services.assign_by_hand(cast.alice, one.pk, jan.pk)
    assert counted() == {(JAN, "people", False): 1}
    services.unassign_by_hand(cast.alice, one.pk, jan.pk)
    assert counted() == {(JAN, "people", False): 2}
    jan.addresses.create(kind="person", address=JAN)
    services.review_unassigned(trigger="manual")
    assert counted() == {(JAN, "people", False): 1}, "what a hand unassigned stays so"


def test_counts_follow_what_owners_remove_and_narrow(cast, account):
    one, two = arrive(account, incoming(JAN), incoming(JAN))
    mailstore.narrow_thread(cast.alice, one.thread_key)
    assert counted() == {(JAN, "people", True): 1, (JAN, "people", False): 1}
    mailstore.widen_thread(cast.alice, one.thread_key)
    mailstore.remove_message(cast.alice, two.pk)
    assert counted() == {(JAN, "people", False): 1}
    mailstore.delete_account_messages(account.pk)
    assert counted() == {}


def test_counting_twice_changes_nothing(account):
    rows = arrive(account, incoming(JAN), incoming(EWA))
    services.assign_messages([row.pk for row in rows])
    marks.settle([row.pk for row in rows])
    assert counted() == {(JAN, "people", False): 1, (EWA, "people", False): 1}
    mailstore.remove_message(account.owner, rows[0].pk)
    marks.settle([row.pk for row in rows])
    assert counted() == {(EWA, "people", False): 1}


@pytest.mark.parametrize("seed", range(12))
def test_whatever_is_done_in_whatever_order_the_counts_are_those_of_the_marks(cast, account, seed):
    chance, people = random.Random(seed), [f"person{number}@nowak.example" for number in range(4)]
    others = make_account(cast.bob, visibility="owner")

    def any_message() -> Message:
        return chance.choice(list(Message.objects.order_by("pk")))

    def any_contact() -> Contact:
        return chance.choice(list(Contact.objects.order_by("pk")))

    def arrive_some() -> None:
        kinds = {"automatic": chance.choice(["", "list", "auto-replied"])}
        copied = chance.sample(people, 2)
        arrive(chance.choice([account, others]), *(incoming(chance.choice(people), cc=copied, **kinds) for _ in "ab"))

    deeds = [
        arrive_some,
        lambda: contacts.create_contact(cast.erin, ContactInput(name="X", emails=[chance.choice(people)])),
        lambda: contacts.delete_contact(cast.erin, any_contact().pk),
        lambda: contacts.update_contact(cast.erin, any_contact().pk, ContactInput(emails=[chance.choice(people)])),
        lambda: services.assign_by_hand(cast.alice, any_message().pk, any_contact().pk),
        lambda: services.unassign_by_hand(cast.alice, any_message().pk, any_contact().pk),
        lambda: mailstore.remove_message(cast.alice, any_message().pk),
        lambda: mailstore.restore_message(cast.alice, any_message().pk),
        lambda: mailstore.narrow_thread(cast.alice, any_message().thread_key),
        lambda: mailstore.widen_thread(cast.alice, any_message().thread_key),
        lambda: services.review_unassigned(trigger="manual"),
        lambda: marks.settle([any_message().pk]),
    ]
    arrive_some()
    for _ in range(40):
        with contextlib.suppress(IndexError, AddressTaken, AssignmentTargetNotFound, MessageNotFound):
            chance.choice(deeds)()
    counted()


def test_a_count_that_was_lost_stops_nothing_and_the_daily_review_finds_it(account):
    rows = arrive(account, incoming(JAN), incoming(JAN), incoming(EWA))
    UnknownSender.objects.filter(address=JAN).update(messages=1)
    UnknownSender.objects.filter(address=EWA).delete()
    mailstore.remove_message(account.owner, rows[2].pk)
    arrive(account, incoming(EWA))
    mailstore.remove_message(account.owner, rows[0].pk)
    tasks.run_review.call_local(Review.objects.create(trigger="daily", started_at=timezone.now()).pk)
    assert {row.address: row.messages for row in UnknownSender.objects.all()} == {JAN: 1, EWA: 1}


@pytest.mark.parametrize("visibility", ["everyone", "owner_and_managers", "owner"])
@pytest.mark.parametrize("only_owner", [False, True])
def test_counts_are_seen_by_those_who_see_the_messages(cast, visibility, only_owner):
    [row] = arrive(make_account(cast.alice, visibility=visibility), incoming(JAN))
    if only_owner:
        mailstore.narrow_thread(cast.alice, row.thread_key)

    def sees(viewer: User) -> tuple[bool, bool]:
        return Message.objects.visible_to(viewer).exists(), UnknownSender.objects.visible_to(viewer).exists()

    for viewer in cast.everyone():
        seen, counted_for = sees(viewer)
        assert seen == counted_for, viewer
