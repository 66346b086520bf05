"""The pages of contacts, as a browser without JavaScript gets them, and their parts for htmx."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest
from django.template.loader import render_to_string
from django.test import Client

from mailwall.contacts import hooks, queries, services
from mailwall.contacts.models import Contact, ContactAddress
from mailwall.contacts.rules import ContactInput

if TYPE_CHECKING:
    from mailwall.team.models import User
    from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_rooms_above(monkeypatch: pytest.MonkeyPatch) -> None:
    for listeners in ("_listeners", "_leave_listeners", "_zone_listeners", "_own_address_checks"):
        monkeypatch.setattr(hooks, listeners, [])


def browser(user: User | None, *, htmx: bool = False) -> Client:
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    if user is not None:
        client.force_login(user)
    return client


def make(viewer: User, name: str, *emails: str, kind: str = "person", **fields) -> Contact:
    return services.create_contact(viewer, ContactInput(kind=kind, name=name, emails=emails, **fields))


def text_of(answer) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def test_every_page_wants_a_sign_in(cast: Cast) -> None:
    made = make(cast.alice, "Ewa Kwiat")
    for path in ("", "new/", "company-options/", f"{made.pk}/edit/", f"{made.pk}/delete/"):
        answer = browser(None).get(f"/contacts/{path}")
        assert answer.status_code == 302 and "login" in answer["Location"]
    assert browser(None).post(f"/contacts/{made.pk}/delete/").status_code == 302
    assert Contact.objects.exists()


def test_the_empty_list_says_what_belongs_there_and_a_filtered_one_offers_the_way_back(cast: Cast) -> None:
    alice = browser(cast.alice)
    assert "No contacts yet" in text_of(alice.get("/contacts/"))
    assert "No companies yet" in text_of(alice.get("/contacts/?kind=company"))
    make(cast.alice, "Ewa Kwiat")
    answer = alice.get("/contacts/?q=nobody")
    assert "Nothing matches" in text_of(answer) and "Clear filters" in text_of(answer)


def test_the_list_shows_tabs_with_numbers_and_pages_on(cast: Cast) -> None:
    for number in range(51):
        make(cast.alice, f"Person {number:02}", f"p{number}@x.example", f"q{number}@x.example")
    make(cast.alice, "Kwiat <b>S.A.</b>", kind="company")
    alice = browser(cast.alice)
    first = alice.get("/contacts/?kind=person")
    assert "All 52" in text_of(first) and "1 more" in text_of(first)
    assert "Person 49" in text_of(first) and "Person 50" not in text_of(first)
    next_url = re.search(r'href="([^"]+)" rel="next"', first.content.decode())
    second = alice.get(next_url[1].replace("&amp;", "&"))
    assert "Person 50" in text_of(second) and "Person 49" not in text_of(second)
    assert "First page" in text_of(second)
    assert b"Kwiat &lt;b&gt;" in alice.get("/contacts/?kind=company").content
    assert alice.get("/contacts/?after=nonsense&kind=robot").status_code == 200


def test_htmx_gets_the_list_alone_with_the_number_to_say(cast: Cast) -> None:
    make(cast.alice, "Ewa Kwiat")
    answer = browser(cast.alice, htmx=True).get("/contacts/?q=kwi")
    assert "<html" not in answer.content.decode() and "1 contact found" in text_of(answer)
    assert "HX-Request" in answer["Vary"]
    restored = browser(cast.alice).get(
        "/contacts/", headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )
    assert "<html" in restored.content.decode()


def test_the_page_asks_the_database_as_often_for_fifty_as_for_one(cast: Cast, django_assert_max_num_queries) -> None:
    kwiat = make(cast.alice, "Kwiat", kind="company")
    for number in range(55):
        make(cast.alice, f"P {number}", f"p{number}@x.example", company_id=kwiat.pk)
    alice = browser(cast.alice)
    alice.get("/contacts/")  # makes the one row of the workspace
    with django_assert_max_num_queries(8):  # session, user, workspace; contacts, addresses, counts; what the shell adds
        assert "P 49" in text_of(alice.get("/contacts/"))


def test_a_person_is_added_without_javascript_and_lands_on_the_wall(cast: Cast) -> None:
    kwiat = make(cast.alice, "Kwiat", kind="company")
    answer = browser(cast.alice).post(
        "/contacts/new/",
        {"first_name": "Ewa", "last_name": "Nowa", "emails": ["ewa@x.example", " ", "e@x.example"], "company": "kwiat"},
    )
    made = Contact.objects.get(first_name="Ewa")
    assert (answer.status_code, answer["Location"]) == (302, f"/contacts/{made.pk}/")
    assert [row.address for row in made.addresses.all()] == ["ewa@x.example", "e@x.example"]
    assert (made.company, made.owner) == (kwiat, cast.alice)


def test_a_form_is_filled_in_advance(cast: Cast) -> None:
    page = browser(cast.alice).get("/contacts/new/?email=jan@x.example&first_name=Jan&company=Kwiat").content.decode()
    assert 'value="jan@x.example"' in page and 'value="Jan"' in page and 'value="Kwiat"' in page


def test_a_taken_address_is_said_under_the_field_with_a_link_and_nothing_is_lost(cast: Cast) -> None:
    owner = make(cast.bob, "<i>Ewa</i> Kwiat", "ewa@x.example")
    answer = browser(cast.alice).post(
        "/contacts/new/", {"first_name": "Eva", "emails": ["new@x.example", "EWA@x.example"]}
    )
    page = answer.content.decode()
    assert answer.status_code == 422 and Contact.objects.count() == 1
    assert f'<a href="/contacts/{owner.pk}/">&lt;i&gt;Ewa&lt;/i&gt; Kwiat</a>' in page
    assert 'value="Eva"' in page and 'value="new@x.example"' in page and 'value="EWA@x.example"' in page


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Enter a name."),
        ({"first_name": "x", "emails": ["ewa@@x", "ok@x.example"]}, "“ewa@@x” is not an email address."),
        ({"first_name": "x" * 301}, "at most 300 characters"),
        ({"first_name": "x", "company": "Unknown"}, "There is no company of this name yet."),
    ],
)
def test_what_is_wrong_is_said_in_words(cast: Cast, fields: dict, sentence: str) -> None:
    answer = browser(cast.alice).post("/contacts/new/", fields or {"emails": ""})
    assert answer.status_code == 422 and sentence in text_of(answer)
    assert not Contact.objects.exists()


def test_all_that_is_wrong_is_said_at_once(cast: Cast) -> None:
    page = text_of(
        browser(cast.alice).post("/contacts/new/", {"title": "t" * 201, "emails": ["a@@x"], "company": "Unknown"})
    )
    for sentence in ("Enter a name.", "at most 200", "“a@@x” is not", "no company of this name yet"):
        assert sentence in page
    company = browser(cast.alice).post("/contacts/new/?kind=company", {"emails": ["a@@x"]})
    assert text_of(company).count("Enter a name.") == 2  # on top and under the field


def test_an_unknown_company_can_be_made_with_the_person_or_neither(cast: Cast) -> None:
    alice = browser(cast.alice)
    fields = {"first_name": "Ewa", "company": "Kwiat S.A.", "emails": ["ewa@x.example"]}
    assert 'name="create_company"' in alice.post("/contacts/new/", fields).content.decode()
    other = make(cast.bob, "Jan Nowy", "ewa@x.example")
    alice.post("/contacts/new/", {**fields, "create_company": "on"})
    assert Contact.objects.count() == 1
    other.delete()
    alice.post("/contacts/new/", {**fields, "create_company": "on"})
    assert Contact.objects.get(kind="person").company == Contact.objects.get(kind="company", name="Kwiat S.A.")


def test_companies_of_one_name_are_chosen_by_number(cast: Cast) -> None:
    make(cast.alice, "Kwiat", kind="company")
    second = make(cast.alice, "KWIAT", kind="company")
    alice = browser(cast.alice)
    assert f"KWIAT (#{second.pk})" in alice.get("/contacts/company-options/?company=kwi").content.decode()
    assert "Several companies" in text_of(alice.post("/contacts/new/", {"first_name": "Ewa", "company": "Kwiat"}))
    alice.post("/contacts/new/", {"first_name": "Ewa", "company": f"KWIAT (#{second.pk})"})
    person = Contact.objects.get(first_name="Ewa")
    assert person.company == second
    answer = alice.post(f"/contacts/{person.pk}/edit/", {"first_name": "Ewka", "company": "KWIAT"})
    person.refresh_from_db()
    assert (answer.status_code, person.company) == (302, second)


def test_editing_shows_and_replaces_everything(cast: Cast) -> None:
    made = make(cast.alice, "Ewa Kwiat", "a@x.example", "biuro@żółw.example", title="Buyer")
    bob = browser(cast.bob)
    page = bob.get(f"/contacts/{made.pk}/edit/").content.decode()
    assert 'value="biuro@żółw.example"' in page and 'value="Buyer"' in page
    assert f'<option value="{cast.alice.pk}" selected>' in page
    bob.post(f"/contacts/{made.pk}/edit/", {"last_name": "Nowa", "emails": ["b@x.example"], "owner": cast.bob.pk})
    made.refresh_from_db()
    assert (made.name, made.title, made.owner) == ("Nowa", "", cast.bob)
    assert [row.address for row in made.addresses.all()] == ["b@x.example"]


def test_who_may_not_edit_is_told_who_may(cast: Cast) -> None:
    made = make(cast.alice, "Ewa Kwiat")
    charlie = browser(cast.charlie)
    for action in ("edit", "delete"):
        for answer in (charlie.get(f"/contacts/{made.pk}/{action}/"), charlie.post(f"/contacts/{made.pk}/{action}/")):
            assert answer.status_code == 403 and "belongs to Alice" in text_of(answer)
        assert browser(cast.alice).get(f"/contacts/999999/{action}/").status_code == 404
    assert Contact.objects.exists()


def test_deleting_asks_first_and_says_that_mail_stays(cast: Cast) -> None:
    made = make(cast.alice, "Ewa Kwiat", "a@x.example")
    alice = browser(cast.alice)
    assert "Mail stays, links go" in text_of(alice.get(f"/contacts/{made.pk}/delete/"))
    answer = alice.post(f"/contacts/{made.pk}/delete/", follow=True)
    assert "Ewa Kwiat was deleted. The mail stays." in text_of(answer)
    assert not ContactAddress.objects.exists()


def test_the_wall_may_show_who_a_contact_is_and_a_companys_people(cast: Cast) -> None:
    kwiat = make(cast.alice, "Kwiat", "biuro@x.example", kind="company")
    make(cast.alice, "Ewa Kwiat", title="Buyer", company_id=kwiat.pk)
    contact = queries.contact_of(cast.alice, kwiat.pk)
    page = render_to_string("contacts/_identity.html", {"contact": contact, "may_edit": True})
    assert "biuro@x.example" in page and "mailto:" not in page and f"/contacts/{kwiat.pk}/edit/" in page
    assert "/edit/" not in render_to_string("contacts/_identity.html", {"contact": contact, "may_edit": False})
    people = render_to_string(
        "contacts/_people.html", {"contact": contact, "people": queries.people_of(cast.alice, contact)}
    )
    assert "Ewa Kwiat" in people and "Buyer" in people


def test_the_list_speaks_polish_with_its_plurals(cast: Cast) -> None:
    cast.alice.language = "pl"
    cast.alice.save()
    for number in range(22):
        words = " ".join(word for word, count in (("jeden", 1), ("dwa", 2), ("piec", 5)) if number < count)
        make(cast.alice, f"Osoba {number} {words}")
    page = text_of(browser(cast.alice).get("/contacts/"))
    assert "Kontakty" in page and "Nowa osoba" in page and "Wszystkie 22" in page
    for q, words in (("jeden", "1 kontakt"), ("dwa", "2 kontakty"), ("piec", "5 kontaktów"), ("", "22 kontakty")):
        assert text_of(browser(cast.alice, htmx=True).get("/contacts/", {"q": q})).endswith(f"Znaleziono {words}")


def test_a_time_zone_is_chosen_by_city_and_shown_with_its_clock(cast: Cast) -> None:
    kwiat = make(cast.alice, "Kwiat", kind="company")
    ewa = make(cast.alice, "Ewa Kwiat", company_id=kwiat.pk)
    alice = browser(cast.alice)
    refused = alice.post(f"/contacts/{kwiat.pk}/edit/", {"name": "Kwiat", "zone": "Atlantis"})
    assert refused.status_code == 422 and "There is no time zone “Atlantis”" in text_of(refused)
    assert 'value="Atlantis"' in refused.content.decode()
    alice.post(f"/contacts/{kwiat.pk}/edit/", {"name": "Kwiat", "zone": "tokyo"})
    for contact, words in ((kwiat, ""), (ewa, "the company's")):
        read = queries.contact_of(cast.alice, contact.pk)
        page = render_to_string("contacts/_identity.html", {"contact": read, "may_edit": True})
        assert "Asia/Tokyo" in page and "there now" in page and words in page
