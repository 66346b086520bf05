"""The counts of unknown senders follow every way in which mail becomes assigned, unassigned, deleted or narrowed."""

from __future__ import annotations

import pytest

from mailwall.assignment import senders, services
from mailwall.assignment.models import UnknownSender
from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.mailstore import services as mailstore
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
    """As kept; and the same when everything is counted anew."""
    kept = {(r.address, r.kind, r.only_owner): r.messages for r in UnknownSender.objects.all()}
    newest = set(UnknownSender.objects.values_list("address", "newest_id"))
    senders.rebuild()
    assert kept == {(r.address, r.kind, r.only_owner): r.messages for r in UnknownSender.objects.all()}
    assert newest == set(UnknownSender.objects.values_list("address", "newest_id"))
    return kept


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
    senders.refresh([])
    senders.refresh([JAN, "", "nobody@x.example"])
    assert counted() == {(JAN, "people", False): 1, (EWA, "people", False): 1}


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
