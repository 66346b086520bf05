"""Mail finds its contacts, loses them, and what a hand did stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from mailwall.assignment import queries, services
from mailwall.assignment.errors import AssignmentTargetNotFound
from mailwall.assignment.models import Link, LinkBan, Review, Unassigned
from mailwall.contacts import services as contacts
from mailwall.contacts.models import ContactAddress
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts import queries as account_queries
from mailwall.mailstore.models import Message
from mailwall.team import queries as team_queries
from tests.assignment.arrivals import arrive, is_assigned
from tests.cast import make_account, make_contact, make_user
from tests.mailstore.makers import incoming, put, put_one

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(cast):
    return make_account(cast.alice)


def reasons(message: Message) -> dict[str, set[tuple[str, str]]]:
    found = queries.contacts_of([message.pk])[message.pk]
    assert is_assigned(message) == bool(found), "the mark says whether there is a contact"
    return {contact.name: {(because.field, because.address) for because in contact.because} for contact in found}


def assign(*messages: Message) -> int:
    return services.assign_messages([message.pk for message in messages])


def test_every_contact_in_from_to_and_cc_is_linked_with_the_reason(account):
    make_contact("Jan", "jan@nowak.example", "jan2@nowak.example")
    make_contact("Nowak", "jan@nowak.example", "office@nowak.example", kind="company")
    message = put_one(
        account, "Jan <jan@nowak.example>", ["x@y.example", "office@nowak.example"], cc=["jan2@nowak.example"]
    )
    assert assign(message) == 1
    assert reasons(message) == {
        "Jan": {("from", "jan@nowak.example"), ("cc", "jan2@nowak.example")},
        "Nowak": {("from", "jan@nowak.example"), ("to", "office@nowak.example")},
    }


def test_all_senders_count(account):
    make_contact("Ewa", "ewa@x.example")
    from tests.mailstore.makers import people

    message = put_one(account, from_=people("jan@x.example", "ewa@x.example"))
    assign(message)
    assert reasons(message) == {"Ewa": {("from", "ewa@x.example")}}


def test_bcc_and_reply_to_never_assign(account):
    make_contact("Jan", "jan@x.example")
    message = put_one(account, "a@x.example", bcc=["jan@x.example"], reply_to=["jan@x.example"])
    assert assign(message) == 0
    assert reasons(message) == {}


def test_a_plus_tag_is_part_of_the_address_and_the_name_is_not(account):
    make_contact("Jan", "jan@x.example")
    message = put_one(account, "jan@x.example <jan+tag@x.example>")
    assert assign(message) == 0


def test_our_own_addresses_never_assign(cast, account):
    make_account(cast.charlie, "office@ours.example", aliases=["Info@Ours.example"])
    make_contact("Bob himself", "bob@ours.example")
    make_contact("Us", "office@ours.example", "info@ours.example", kind="company")
    message = put_one(account, "bob@ours.example", ["office@ours.example"], cc=["info@ours.example"])
    assert assign(message) == 0
    assert services.review_unassigned(trigger="manual").assigned == 0


def test_assigning_again_changes_nothing(account):
    make_contact("Jan", "jan@nowak.example")
    message = put_one(account)
    assert (assign(message), assign(message), Link.objects.count()) == (1, 1, 1)
    assert services.assign_messages([]) == 0


# -- contacts change


def test_a_new_contact_finds_its_mail_at_once(cast, account):
    message = put_one(account, "Jan <jan@nowak.example>")
    contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["Jan@NOWAK.example"]))
    assert reasons(message) == {"Jan": {("from", "jan@nowak.example")}}


def test_an_address_that_goes_takes_only_what_it_linked(cast, account):
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["one@x.example", "two@x.example"]))
    only, both = put(account, incoming("one@x.example"), incoming("one@x.example", cc=["two@x.example"]))
    assign(only, both)
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=["two@x.example"]))
    assert reasons(only) == {}
    assert reasons(both) == {"Jan": {("cc", "two@x.example")}}


def test_an_address_that_moves_takes_its_mail_along(cast, account):
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["one@x.example"]))
    message = put_one(account, "one@x.example")
    assign(message)
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=[]))
    contacts.create_contact(cast.alice, ContactInput(name="Ewa", emails=["one@x.example"]))
    assert reasons(message) == {"Ewa": {("from", "one@x.example")}}


def test_a_deleted_contact_leaves_its_mail_unassigned(cast, account):
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["one@x.example"]))
    matched, by_hand, both = put(account, incoming("one@x.example"), incoming("o@x.example"), incoming("one@x.example"))
    assign(matched, both)
    services.assign_by_hand(cast.alice, by_hand.pk, jan.pk)
    services.assign_by_hand(cast.alice, both.pk, make_contact("Ewa").pk)
    contacts.delete_contact(cast.alice, jan.pk)
    assert (reasons(matched), reasons(by_hand)) == ({}, {})
    assert reasons(both) == {"Ewa": {("hand", "")}}


def test_an_address_that_becomes_our_own_stops_assigning(cast, account):
    make_contact("Jan", "jan@nowak.example")
    message = put_one(account)
    assign(message)
    make_account(cast.charlie, "jan@nowak.example")
    services.relink_addresses(["jan@nowak.example"])
    assert reasons(message) == {}


# -- by hand


def test_what_a_hand_assigned_survives_reviews_and_changes_of_addresses(cast, account):
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["other@x.example"]))
    message = put_one(account)
    services.assign_by_hand(cast.alice, message.pk, jan.pk)
    services.assign_by_hand(cast.alice, message.pk, jan.pk)
    services.review_unassigned(trigger="manual")
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=[]))
    assert reasons(message) == {"Jan": {("hand", "")}}
    assert Link.objects.get().linked_by == cast.alice


def test_what_a_hand_unassigned_never_comes_back_by_itself(cast, account):
    jan = contacts.create_contact(cast.alice, ContactInput(name="Jan", emails=["jan@nowak.example"]))
    message = put_one(account)
    assign(message)
    services.unassign_by_hand(cast.alice, message.pk, jan.pk)
    services.unassign_by_hand(cast.alice, message.pk, jan.pk)
    assert reasons(message) == {}
    assert services.review_unassigned(trigger="manual").assigned == 0
    assign(message)
    contacts.update_contact(cast.alice, jan.pk, ContactInput(emails=["jan@nowak.example", "more@x.example"]))
    services.relink_addresses(["jan@nowak.example"])
    assert (reasons(message), LinkBan.objects.count()) == ({}, 1)


def test_a_hand_that_assigns_again_ends_the_ban_and_says_both_reasons(cast, account):
    jan = make_contact("Jan", "jan@nowak.example")
    message = put_one(account)
    services.unassign_by_hand(cast.alice, message.pk, jan.pk)
    services.assign_by_hand(cast.alice, message.pk, jan.pk)
    assert reasons(message) == {"Jan": {("hand", ""), ("from", "jan@nowak.example")}}


def test_nobody_assigns_what_they_cannot_see(cast):
    private = make_account(cast.alice, visibility="owner")
    message, jan = put_one(private), make_contact("Jan", "jan@nowak.example")
    for change in (services.assign_by_hand, services.unassign_by_hand):
        for viewer in (cast.bob, cast.charlie, cast.erin):
            with pytest.raises(AssignmentTargetNotFound):
                change(viewer, message.pk, jan.pk)
        with pytest.raises(AssignmentTargetNotFound):
            change(cast.alice, message.pk, jan.pk + 1)
    assert not LinkBan.objects.exists() and not Link.objects.exists()


# -- reviews


def test_a_review_finds_what_was_missed_and_counts_what_was_unassigned_before(account):
    arrive(account, *(incoming(f"p{number}@x.example") for number in range(5)))
    make_contact("One", "p1@x.example")  # a row without the hook
    make_contact("Two", "p2@x.example", "alice@ours.example")
    review = services.review_unassigned(trigger="manual")
    assert (review.reviewed, review.assigned) == (5, 2)
    assert review.finished_at is not None
    again = services.review_unassigned(trigger="manual")
    assert (again.reviewed, again.assigned) == (3, 0)


def test_a_review_by_hand_covers_all_for_an_admin_and_own_accounts_for_others(cast, account):
    other = make_account(cast.charlie)
    arrive(account, incoming("p1@x.example"), incoming("q@x.example"))
    arrive(other, incoming("p1@x.example"))
    make_contact("One", "p1@x.example")
    reviews = [services.review_by_hand(viewer) for viewer in (cast.bob, cast.alice, cast.erin)]
    assert [(review.reviewed, review.assigned) for review in reviews] == [(0, 0), (2, 1), (2, 1)]
    assert [review.by for review in reviews] == [cast.bob, cast.alice, cast.erin]


def test_a_review_drops_links_whose_address_has_become_our_own(cast, account):
    make_contact("Jan", "jan@nowak.example")
    message = put_one(account)
    assign(message)
    make_user("jan@nowak.example")
    services.review_unassigned(trigger="daily")
    assert reasons(message) == {}


def test_the_daily_review_is_run_once_by_one_worker(cast, account):
    now, workspace = datetime.now(UTC), team_queries.workspace()
    claims = [services.claim_daily_review(now, workspace) for _ in range(3)]
    assert [claim is not None for claim in claims] == [True, False, False]
    late = now + services.STALE_AFTER + timedelta(seconds=1)
    taken = services.claim_daily_review(late, workspace)
    if taken is not None:  # unless the next one was due in between
        assert services.claim_daily_review(late, workspace) is None
    services.review_unassigned(trigger="daily", review=claims[0])
    assert Review.objects.get(pk=claims[0].pk).finished_at is not None
    assert services.claim_daily_review(now + services.STALE_AFTER, workspace) is None or taken is not None
    assert services.claim_daily_review(now + timedelta(days=1), workspace) is not None


# -- the law


ADDRESSES = [f"{letter}@x.example" for letter in "abcdef"] + ["alice@ours.example", "box@ours.example"]
SOME = st.lists(st.sampled_from(ADDRESSES), max_size=3, unique=True)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), SOME, SOME, SOME, SOME),
        st.tuples(st.just("contact"), st.integers(0, 3), SOME),
        st.tuples(st.just("delete"), st.integers(0, 3)),
        st.tuples(st.just("hand"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("review")),
    ),
    min_size=3, max_size=14,
)  # fmt: skip


class MatchingFollowsTheDefinition(TestCase):
    @given(STEPS)
    @settings(max_examples=60, deadline=None)
    def test_links_are_those_of_the_definition_after_any_history(self, steps):
        """From ∪ To ∪ Cc ∩ the contact's addresses, less our own, less bans, plus hands; `assigned` says whether any."""
        from tests.mailstore.makers import people

        alice = make_user("alice@ours.example")
        account = make_account(alice, "box@ours.example")
        self.alice, self.contacts, self.messages = alice, {}, []
        hands, bans = set(), set()
        for name, *given_ in steps:
            if name == "mail":
                senders, to, cc, bcc = given_
                message = put_one(account, "", to, from_=people(*senders), cc=cc, bcc=bcc)
                self.messages.append(message)
                assign(message)
            elif name == "contact":
                self.change_contact(*given_)
            elif name == "delete" and given_[0] in self.contacts:
                gone = self.contacts.pop(given_[0])
                contacts.delete_contact(alice, gone)
                hands = {pair for pair in hands if pair[1] != gone}
                bans = {pair for pair in bans if pair[1] != gone}
            elif name == "hand" and given_[0] in self.contacts and self.messages:
                pair = (self.messages[-1].pk, self.contacts[given_[0]])
                (hands if given_[1] else bans).add(pair)
                (bans if given_[1] else hands).discard(pair)
                (services.assign_by_hand if given_[1] else services.unassign_by_hand)(alice, *pair)
            elif name == "review":
                services.review_unassigned(trigger="manual")
        links = set(Link.objects.values_list("message_id", "contact_id", "field", "address"))
        wanted = self.by_definition(bans) | {(*pair, "hand", "") for pair in hands}
        assert links == wanted
        unassigned = set(Unassigned.objects.values_list("pk", flat=True))
        assert unassigned == {message.pk for message in self.messages} - {link[0] for link in wanted}

    def change_contact(self, place, addresses):
        taken = ContactAddress.objects.exclude(contact=self.contacts.get(place, 0)).values_list("address", flat=True)
        free = [address for address in addresses if address not in set(taken)]
        if place in self.contacts:
            contacts.update_contact(self.alice, self.contacts[place], ContactInput(emails=free))
        else:
            made = contacts.create_contact(self.alice, ContactInput(name=f"C{place}", emails=free))
            self.contacts[place] = made.pk

    def by_definition(self, bans):
        own = account_queries.own_addresses()
        owners = {}
        for contact_id, address in ContactAddress.objects.values_list("contact_id", "address"):
            owners.setdefault(address, set()).add(contact_id)
        wanted = set()
        for message in self.messages:
            for role, address in message.participants.values_list("role", "address__address"):
                if role in ("from", "to", "cc") and address not in own:
                    for contact_id in owners.get(address, ()):
                        if (message.pk, contact_id) not in bans:
                            wanted.add((message.pk, contact_id, role, address))
        return wanted
