"""A message has a link or a mark, never both and never neither, whoever does what at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import connection, transaction

from mailwall.assignment import marks, services, tasks
from mailwall.assignment.models import Link, Review, Unassigned, UnknownSender
from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from tests.assignment.arrivals import arrive, is_assigned
from tests.cast import make_account, make_contact
from tests.mailstore.makers import incoming, put

pytestmark = pytest.mark.django_db
JAN, EWA = "jan@nowak.example", "ewa@kwiat.example"


@pytest.fixture
def account(cast):
    return make_account(cast.alice, visibility="everyone")


def said() -> list[tuple[str, str, bool]]:
    return sorted(Unassigned.objects.values_list("counterpart", "kind", "only_owner"))


def counted() -> list[tuple[str, str, bool, int]]:
    return sorted(UnknownSender.objects.values_list("address", "kind", "only_owner", "messages"))


def test_a_mark_says_what_its_message_says(cast, account):
    kinds = ("", "list", "bulk", "auto-replied")
    rows = arrive(account, *(incoming(JAN, automatic=kind) for kind in kinds), incoming(""))
    mailstore.narrow_thread(cast.alice, rows[0].thread_key)
    assert said() == [
        ("", "people", False),
        (JAN, "automatic", False),
        (JAN, "newsletters", False),
        (JAN, "newsletters", False),
        (JAN, "people", True),
    ]
    assert set(Unassigned.objects.values_list("account", flat=True)) == {account.pk}


def test_settling_again_changes_nothing_and_counts_what_became_assigned(account):
    rows = arrive(account, incoming(JAN), incoming(EWA))
    ids = [row.pk for row in rows]
    before = said(), counted()
    assert marks.settle(ids) == marks.settle([]) == 0
    assert (said(), counted()) == before
    Link.objects.create(message=rows[0], contact=make_contact("Jan"), field="hand")
    assert (marks.settle(ids), marks.settle(ids)) == (1, 0)
    assert (said(), counted()) == ([(EWA, "people", False)], [(EWA, "people", False, 1)])


def test_a_removed_message_has_no_mark_and_may_find_a_contact_meanwhile(cast, account):
    one, two = arrive(account, incoming(JAN), incoming(EWA))
    for row in (one, two):
        mailstore.remove_message(cast.alice, row.pk)
    assert said() == counted() == []
    contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=[JAN]))
    assert said() == []
    for row in (one, two):
        mailstore.restore_message(cast.alice, row.pk)
    assert (is_assigned(one), is_assigned(two)) == (True, False)
    assert counted() == [(EWA, "people", False, 1)]


def test_a_completed_mail_is_counted_for_whom_it_turns_out_to_be_of(account):
    whole = incoming(JAN, automatic="list")
    empty = replace(
        whole, incomplete=True, parsed=replace(whole.parsed, text="", automatic="", from_=incoming(EWA).parsed.from_)
    )
    whole = replace(whole, parsed=replace(whole.parsed, from_=incoming(JAN).parsed.from_))
    [row] = arrive(account, empty)
    Message.objects.filter(pk=row.pk).update(dedupe_key=put(account, whole)[0].dedupe_key)
    again = replace(whole, parsed=replace(whole.parsed, text="Other words."))
    Message.objects.exclude(pk=row.pk).delete()
    mailstore.store_messages(account, [again])
    assert Message.objects.get().pk == row.pk
    assert (said(), counted()) == ([(JAN, "newsletters", False)], [(JAN, "newsletters", False, 1)])


def test_deleted_mail_takes_its_marks_along(account):
    rows = arrive(account, incoming(JAN), incoming(JAN), incoming(EWA))
    mailstore.delete_messages([rows[0].pk, rows[2].pk])
    assert (said(), counted()) == ([(JAN, "people", False)], [(JAN, "people", False, 1)])


def test_the_daily_review_heals_marks(account, django_assert_num_queries):
    jan = make_contact("Jan")
    linked, lost, removed, fine = arrive(account, *(incoming(f"p{number}@x.example") for number in range(4)))
    with django_assert_num_queries(1):
        marks.heal()
    Link.objects.create(message=linked, contact=jan, field="hand")
    Unassigned.objects.filter(pk__in=[lost.pk, removed.pk]).delete()
    Message.objects.filter(pk=removed.pk).update(removed_at=removed.internaldate)
    review = Review.objects.create(trigger="daily", started_at=linked.internaldate)
    tasks.run_review.call_local(review.pk)
    assert set(Unassigned.objects.values_list("pk", flat=True)) == {lost.pk, fine.pk}
    assert [address for address, *_rest in counted()] == ["p1@x.example", "p3@x.example"]


# -- two at once; each waits for the first, and then sees what it did


@pytest.fixture
def story(cast, account):
    """A message that is Jan's by hand alone, and Ewa, to whom it may go."""
    [row] = arrive(account, incoming("who@else.example"))
    jan, ewa = make_contact("Jan"), make_contact("Ewa")
    services.assign_by_hand(cast.alice, row.pk, jan.pk)
    return cast.alice, row, jan, ewa


def at_once(first: Callable[[], object], second: Callable[[], object]) -> None:
    """`second` begins when `first` is done and not committed."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            second()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        thread.join(0.5)
        assert thread.is_alive(), "it waits"
    thread.join(30)
    assert not errors


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("link_first", [True, False])
def test_who_takes_the_last_link_and_who_adds_one_agree_on_the_mark(story, link_first):
    alice, row, jan, ewa = story
    deeds = [
        lambda: services.assign_by_hand(alice, row.pk, ewa.pk),
        lambda: services.unassign_by_hand(alice, row.pk, jan.pk),
    ]
    at_once(*(deeds if link_first else reversed(deeds)))
    assert is_assigned(row) and Link.objects.get().contact == ewa


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("review_first", [True, False])
def test_a_review_that_links_and_who_takes_the_last_link_agree_on_the_mark(story, review_first):
    alice, row, jan, ewa = story
    ewa.addresses.create(kind="person", address="who@else.example")
    deeds = [
        lambda: services.review_unassigned(trigger="manual"),
        lambda: services.unassign_by_hand(alice, row.pk, jan.pk),
    ]
    at_once(*(deeds if review_first else reversed(deeds)))
    assert is_assigned(row) and Link.objects.get().contact == ewa
    assert counted() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_take_a_link_each_leave_a_mark(story):
    alice, row, jan, ewa = story
    services.assign_by_hand(alice, row.pk, ewa.pk)
    at_once(*(lambda pk=contact.pk: services.unassign_by_hand(alice, row.pk, pk) for contact in (jan, ewa)))
    assert not is_assigned(row)
    assert counted() == [("who@else.example", "people", False, 1)]


@pytest.mark.django_db(transaction=True)
def test_who_brings_a_message_back_sees_the_link_it_gets_at_the_same_time(cast, account):
    [row] = arrive(account, incoming(JAN))
    jan = make_contact("Jan")
    mailstore.remove_message(cast.alice, row.pk)

    def link() -> None:
        jan.addresses.create(kind="person", address=JAN)
        services.relink_addresses([JAN])

    at_once(lambda: mailstore.restore_message(cast.alice, row.pk), link)
    assert is_assigned(row) and counted() == []


@pytest.mark.django_db(transaction=True)
def test_two_who_store_and_take_mail_of_one_sender_count_both(cast, account):
    one, _two = arrive(account, incoming(JAN), incoming(JAN))
    at_once(lambda: mailstore.remove_message(cast.alice, one.pk), lambda: arrive(account, incoming(JAN), incoming(JAN)))
    assert counted() == [(JAN, "people", False, 3)]
    at_once(lambda: arrive(account, incoming(JAN)), lambda: arrive(account, incoming(JAN)))
    assert counted() == [(JAN, "people", False, 5)]
