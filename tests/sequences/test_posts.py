"""What the wall tells of sequences, and to whom."""

from __future__ import annotations

import pytest

from mailwall.wall import queries
from tests.cast import make_account

pytestmark = pytest.mark.django_db


def told(user, contact) -> list[str]:
    page = queries.wall_page(user, [contact.pk])
    return [card.post.text for card in page.cards if card.post]


def test_enrolment_and_end_stand_on_the_wall_with_the_reason(story):
    ewa = story.contact("Ewa")
    enrolment = story.enrol(story.sequence(), ewa)
    story.run()
    story.arrive("ewa@kunde.example")
    assert story.state(enrolment)[0] == "replied"
    assert set(told(story.cast.charlie, ewa)) == {
        "Alice enrolled this contact in the sequence “Fair”.",
        "The sequence “Fair” has ended: they wrote another email.",
    }


def test_a_post_is_as_visible_as_the_mail_of_the_account(story):
    story.account.visibility = "owner_and_managers"
    story.account.save()
    ewa = story.contact("Ewa")
    story.enrol(story.sequence(), ewa)
    assert told(story.cast.bob, ewa) and told(story.cast.alice, ewa)
    assert not told(story.cast.charlie, ewa) and not told(story.cast.erin, ewa)


def test_that_a_mail_ended_it_is_said_only_to_who_may_see_that_mail(story):
    ewa = story.contact("Ewa")
    story.enrol(story.sequence(), ewa)
    story.run()
    story.arrive("ewa@kunde.example", to=make_account(story.cast.charlie, visibility="owner"))
    assert "The sequence “Fair” has ended." in told(story.cast.alice, ewa)
    assert "The sequence “Fair” has ended: they wrote another email." in told(story.cast.charlie, ewa)


def test_posts_page_with_mail_and_notes_without_a_gap_or_a_double(story):
    people = story.contact("Ewa")
    for number in range(7):
        story.enrol(story.sequence(name=f"S{number}"), people)
        story.later(seconds=number % 2)
    seen, before = [], None
    while True:
        page = queries.wall_page(story.cast.alice, [people.pk], before=before, limit=2)
        seen += [card.post.post.pk for card in page.cards]
        before = page.next
        if before is None:
            break
    assert len(seen) == 7 == len(set(seen))


def test_the_api_gives_posts_as_items(story, api):
    ewa = story.contact("Ewa")
    story.enrol(story.sequence(), ewa)
    [item] = api(story.cast.alice).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert item["type"] == "post" and "Fair" in item["post"]["text"] and item["email"] is None
