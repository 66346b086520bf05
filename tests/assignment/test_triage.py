"""What triage shows to whom: groups, pages, tabs, what is ignored, and suggestions with their reasons."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailwall.assignment import sorting, suggestions, triage
from mailwall.assignment.triage import Tally, TriageFilter
from tests.assignment.arrivals import arrive, is_assigned
from tests.cast import make_account, make_contact
from tests.mailstore.makers import incoming

pytestmark = pytest.mark.django_db
JAN, EWA = "jan@nowak.example", "ewa@kwiat.example"


@pytest.fixture
def account(cast):
    return make_account(cast.alice, visibility="everyone")


def groups(viewer, **wanted) -> list[triage.Group]:
    return triage.page_of_groups(triage.desk_of(viewer), TriageFilter(**wanted))[0]


def keys(viewer, **wanted) -> list[str]:
    return [group.key for group in groups(viewer, **wanted)]


def tallies(viewer, **options) -> dict[str, Tally]:
    return triage.tallies(triage.desk_of(viewer), **options)


def test_a_sender_has_name_count_subjects_and_the_newest_moment(cast, account):
    first = arrive(account, incoming(f"Jan <{JAN}>", subject="One"), incoming(f"Jan Nowy <{JAN}>", subject="Two"))
    [group] = groups(cast.charlie)
    newest = max(first, key=lambda row: row.pk)
    assert (group.address, group.messages, group.at) == (JAN, 2, newest.internaldate)
    assert group.name == ("Jan" if newest.subject == "One" else "Jan Nowy")
    assert set(group.subjects) == {"One", "Two"} and group.subjects[0] == newest.subject


def test_each_viewer_sees_groups_and_counts_of_messages_they_may_see(cast):
    arrive(make_account(cast.alice, visibility="everyone"), incoming(JAN), incoming(JAN))
    arrive(make_account(cast.alice, visibility="owner_and_managers"), incoming(JAN))
    arrive(make_account(cast.alice, visibility="owner"), incoming(JAN), incoming(EWA))
    expected = {cast.alice: (2, 5, 4), cast.bob: (1, 3, 3), cast.charlie: (1, 2, 2), cast.erin: (1, 2, 2)}
    for viewer, (number, messages, jans) in expected.items():
        assert tallies(viewer)["people"] == Tally(groups=number, messages=messages), viewer
        assert {g.key: g.messages for g in groups(viewer)}[JAN] == jans
        assert triage.messages_with(viewer, [JAN]) == jans
        assert triage.count_people(viewer).groups == number
        assert (EWA in triage.visible_addresses(viewer, [EWA, JAN])) == (viewer == cast.alice)
        assert bool(triage.messages_of(viewer, TriageFilter(), EWA)) == (viewer == cast.alice)


def test_a_group_stands_by_the_newest_message_that_the_viewer_sees(cast, account):
    hidden = make_account(cast.alice, visibility="owner")
    from tests.mailstore.makers import NOW, timedelta

    arrive(account, incoming(JAN, at=NOW - timedelta(days=3)), incoming(EWA, at=NOW - timedelta(days=2)))
    arrive(hidden, incoming(JAN, at=NOW - timedelta(days=1)))
    assert keys(cast.alice) == [JAN, EWA]
    assert keys(cast.charlie) == [EWA, JAN]


@pytest.mark.parametrize("by_domain", [False, True])
def test_pages_hold_every_group_once(cast, account, by_domain):
    other = make_account(cast.alice, visibility="owner")
    for number in range(25):
        arrive(account, incoming(f"p@x{number % 23}.example"), incoming(f"q@x{number % 11}.example"))
        arrive(other, incoming(f"p@x{number % 7}.example"))
    for viewer in (cast.alice, cast.charlie):
        desk, wanted = triage.desk_of(viewer), TriageFilter(by_domain=by_domain)
        seen, before = [], None
        while True:
            page, before = triage.page_of_groups(desk, wanted, before=before, limit=4)
            seen += page
            if before is None:
                break
        assert len(seen) == len({group.key for group in seen}) == (23 if by_domain else 34)
        assert [g.newest_id for g in seen] == sorted((g.newest_id for g in seen), reverse=True)
        assert sum(group.messages for group in seen) == (75 if viewer == cast.alice else 50)


def test_free_mail_domains_make_no_group_and_other_domains_count_their_senders(cast, account):
    arrive(account, incoming(JAN), incoming("ola@nowak.example"), incoming("x@gmail.com"))
    [group] = groups(cast.alice, by_domain=True)
    assert (group.key, group.messages, group.senders) == ("nowak.example", 2, 2)
    assert set(keys(cast.alice, domain="nowak.example")) == {JAN, "ola@nowak.example"}
    assert tallies(cast.alice, by_domain=True)["people"].groups == 1


def test_newsletters_and_automatic_mail_are_folded_apart(cast, account):
    arrive(account, incoming(JAN), incoming(JAN, automatic="bulk"), incoming(EWA, automatic="bounce"))
    found = {kind: (keys(cast.alice, kind=kind), tally) for kind, tally in tallies(cast.alice).items()}
    assert found == {
        "people": ([JAN], Tally(groups=1, messages=1)),
        "newsletters": ([JAN], Tally(groups=1, messages=1)),
        "automatic": ([EWA], Tally(groups=1, messages=1)),
    }


def test_many_groups_are_counted_up_to_a_limit(cast, account, monkeypatch):
    monkeypatch.setattr(triage, "MAX_ROWS_COUNTED", 5)
    arrive(account, *(incoming(f"p{number}@x.example") for number in range(5)))
    assert tallies(cast.alice)["people"] == Tally(groups=5, messages=5)
    arrive(account, *(incoming(f"q{number}@y.example") for number in range(9)))
    assert tallies(cast.alice)["people"] == Tally(groups=6, messages=6, is_more=True)
    assert triage.count_people(cast.alice) == Tally(groups=6, messages=6, is_more=True)
    assert tallies(cast.alice)["newsletters"] == Tally()


def test_what_became_our_own_is_not_offered(cast, account):
    arrive(account, incoming(JAN))
    make_account(cast.charlie, JAN)
    assert keys(cast.alice) == [] and triage.count_people(cast.alice).groups == 0


def test_ignoring_is_for_oneself_or_by_admins_for_all(cast, account):
    arrive(account, incoming(JAN), incoming(EWA), incoming("ola@kwiat.example"))
    sorting.ignore(cast.alice, addresses=[JAN])
    sorting.ignore(cast.charlie, domains=["kwiat.example"])
    assert set(keys(cast.alice)) == {EWA, "ola@kwiat.example"} and keys(cast.charlie) == [JAN]
    assert [(i.entry.domain, i.messages) for i in triage.ignored_list(cast.charlie)] == [("kwiat.example", 2)]
    sorting.ignore(cast.alice, addresses=[EWA], for_all=True)
    assert EWA in keys(cast.bob), "only an admin speaks for all"
    sorting.ignore(cast.erin, addresses=[EWA], for_all=True)
    assert EWA not in keys(cast.bob)
    [shared] = [i.entry.pk for i in triage.ignored_list(cast.bob)]
    assert sorting.stop_ignoring(cast.bob, [shared]) == 0
    assert sorting.stop_ignoring(cast.erin, [shared]) == 1
    assert EWA in keys(cast.bob)


# -- suggestions


def reasons(viewer, key: str) -> dict[str, list[str]]:
    found = suggestions.suggest(viewer, groups(viewer))
    return {suggestion.contact.name: suggestion.reasons for suggestion in found.get(key, [])}


def test_the_company_of_a_domain_is_suggested_but_not_for_free_mail(cast, account):
    company = make_contact("Nowak", "office@nowak.example", kind="company")
    make_contact("Ola", "ola@kwiat.example", company=make_contact("Kwiat", kind="company"))
    make_contact("Gmail friends", "us@gmail.com", kind="company")
    arrive(account, incoming(JAN), incoming(EWA), incoming("x@gmail.com"))
    assert reasons(cast.alice, JAN) == {"Nowak": ["domain"]}
    assert reasons(cast.alice, EWA) == {"Kwiat": ["domain"]}
    assert reasons(cast.alice, "x@gmail.com") == {}
    assert suggestions.companies_at({"nowak.example"}) == {"nowak.example": [company]}


def test_the_same_name_is_suggested_whatever_its_case_and_accents(cast, account):
    make_contact("Łucja Żółw", "l@x.example", sort_key="lucja zolw")
    make_contact("Office", "o@x.example", sort_key="office")
    arrive(account, incoming(f"lucja ZOLW <{JAN}>"), incoming(f"Office <{EWA}>"))
    assert reasons(cast.alice, JAN) == {"Łucja Żółw": ["name"]}
    assert reasons(cast.alice, EWA) == {}


def test_reply_to_and_the_conversation_suggest_and_never_link(cast, account):
    make_contact("Jan", JAN)
    [asked] = arrive(account, incoming(JAN, message_id="one@x.example"))
    [answer] = arrive(account, incoming(EWA, reply_to=[JAN], in_reply_to="one@x.example"))
    assert asked.thread_key == answer.thread_key
    assert reasons(cast.alice, EWA) == {"Jan": ["reply_to", "thread"]}
    assert not is_assigned(answer)


def test_a_conversation_that_the_viewer_may_not_see_suggests_nothing(cast, account):
    make_contact("Jan", JAN)
    arrive(make_account(cast.alice, visibility="owner"), incoming(JAN, message_id="one@x.example"))
    arrive(account, incoming(EWA, in_reply_to="one@x.example"))
    assert reasons(cast.alice, EWA) == {"Jan": ["thread"]}
    assert reasons(cast.charlie, EWA) == {}


def test_a_page_asks_the_same_number_of_questions_however_long_it_is(cast, account):
    make_contact("Nowak", "office@nowak.example", kind="company")

    def questions() -> int:
        with CaptureQueriesContext(connection) as made:
            suggestions.suggest(cast.alice, groups(cast.alice))
        return len(made)

    arrive(account, incoming(JAN))
    few = questions()
    arrive(account, *(incoming(f"Person {n} <p{n}@nowak.example>") for n in range(15)))
    assert questions() <= few + 1 <= 20
