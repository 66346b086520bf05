"""The pages of triage: what one sees, what one does, and taking it back; with and without JavaScript."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client

from mailwall.assignment.models import IgnoredSender, Link
from mailwall.contacts import services as contacts
from mailwall.contacts.models import Contact, ContactAddress
from mailwall.contacts.rules import ContactInput
from mailwall.wall import services as wall
from tests.assignment.arrivals import arrive, is_assigned
from tests.cast import make_account, make_contact
from tests.mailstore.makers import incoming

pytestmark = pytest.mark.django_db
JAN, EWA = "jan@nowak.example", "ewa@kwiat.example"


@pytest.fixture
def account(cast):
    return make_account(cast.alice, visibility="everyone")


class Browser:
    """A signed-in user; `htmx` as the page's script asks."""

    def __init__(self, user) -> None:
        self.client = Client()
        if user:
            self.client.force_login(user)

    def get(self, path: str, **query):
        return self.client.get(path, query)

    def words(self, path: str = "/triage/", **query) -> str:
        page = self.get(path, **query)
        assert page.status_code == 200, page.status_code
        return unescape(page.content.decode())

    def do(self, path: str, *, htmx: bool = True, **values):
        return self.client.post(path, values, headers={"HX-Request": "true"} if htmx else {})

    def undo(self, answer) -> str:
        [path] = re.findall(r'hx-post="(/triage/undo/[^"]+)"', answer.content.decode())
        done = self.do(path)
        assert done.status_code == 200 and done["HX-Trigger"] == "triage-changed"
        return unescape(done.content.decode())


@pytest.fixture
def alice(cast) -> Browser:
    return Browser(cast.alice)


def contact_form(address: str, page: str, **values: str) -> dict[str, str]:
    [prefix] = set(re.findall(r'name="(g[0-9a-f]{12})-first_name"', page))
    return {"address": address, **{f"{prefix}-{name}": value for name, value in values.items()}}


def test_the_page_shows_senders_and_says_what_is_nobodys(cast, alice, account):
    arrive(account, incoming(f"Jan Nowy <{JAN}>", subject="Zapytanie o cenę"), incoming("x@gmail.com"))
    page = alice.words()
    assert "Jan Nowy" in page and "<q>Zapytanie o cenę</q>" in page and "2 messages from 2 senders" in page
    assert "Ignore @nowak.example (1)" in page and "Ignore @gmail.com" not in page
    assert "reviewed" in page and "Review now" in page
    assert alice.words("/triage/count/") == "2"
    assert Browser(cast.charlie).words("/triage/count/") == "2"


def test_nothing_to_sort_says_so(alice):
    assert "Nothing to sort. New unknown senders appear here." in alice.words()
    assert "Nobody is ignored." in alice.words(tab="ignored")
    assert alice.words("/triage/count/") == ""
    assert "Nothing left here." in alice.words(domain="nowak.example")


def test_nobody_sees_senders_of_mail_they_may_not_see(cast):
    [row] = arrive(make_account(cast.alice, visibility="owner"), incoming(f"Jan Nowy <{JAN}>", subject="Secret"))
    jan = make_contact("Somebody")
    for user in (cast.bob, cast.charlie, cast.erin):
        other = Browser(user)
        for query in ({}, {"by": "domain"}, {"domain": "nowak.example"}, {"tab": "ignored"}):
            page = other.words(**query)
            assert "Jan" not in page and "Secret" not in page and JAN not in page
        assert "Secret" not in other.words("/triage/messages/", address=JAN)
        assert other.words("/triage/count/") == ""
        for path in ("/triage/new-contact/", "/triage/assign/"):
            assert other.get(path, address=JAN).status_code == 404
        assert other.do("/triage/new-contact/", address=JAN).status_code == 404
        assert other.do(f"/triage/assign/{jan.pk}/", address=JAN).status_code == 404
        other.do("/triage/new-contacts/", address=JAN)
        other.do("/triage/ignore/", address=JAN, domain="nowak.example")
        other.do("/triage/review/")
    assert not is_assigned(row) and not IgnoredSender.objects.exists() and Contact.objects.count() == 1


def test_the_signed_out_see_nothing(account):
    arrive(account, incoming(JAN))
    mallory = Browser(None)
    for path in ("/triage/", "/triage/count/", "/triage/messages/", "/triage/new-contact/", "/triage/assign/"):
        assert mallory.get(path, address=JAN).status_code == 302
    for path in ("/triage/review/", "/triage/new-contacts/", "/triage/ignore/", "/triage/undo/x/", "/triage/assign/1/"):
        assert mallory.do(path, address=JAN)["HX-Redirect" if "HX-Redirect" in mallory.do(path) else "Location"]
    assert not IgnoredSender.objects.exists()


def test_a_new_contact_takes_all_mail_of_its_sender_and_can_be_undone(alice, account):
    company = make_contact("Nowak", "office@nowak.example", kind="company", sort_key="nowak")
    rows = arrive(account, incoming(f"Jan Nowy <{JAN}>"), incoming(f"Jan Nowy <{JAN}>"), incoming(EWA, cc=[JAN]))
    panel = alice.words("/triage/new-contact/", address=JAN)
    for value in ('value="Jan"', 'value="Nowy"', 'value="Nowak"', f'value="{JAN}"', "Create and assign 3 messages"):
        assert value in panel
    form = contact_form(JAN, panel, first_name="Jan", last_name="Nowy", company="Nowak", email=JAN)
    done = alice.do("/triage/new-contact/", **form)
    assert "Jan Nowy was created. 3 messages are now in their history." in unescape(done.content.decode())
    jan = Contact.objects.get(name="Jan Nowy")
    assert jan.company == company and Link.objects.filter(contact=jan).count() == 3
    assert "Undone." in alice.undo(done)
    assert not Contact.objects.filter(name="Jan Nowy").exists()
    assert not any(is_assigned(row) for row in rows)


def test_a_company_made_along_is_undone_along(alice, account):
    arrive(account, incoming(JAN))
    panel = alice.words("/triage/new-contact/", address=JAN)
    values = {"first_name": "Jan", "company": "Nowak Sp. z o.o.", "email": JAN}
    refused = alice.do("/triage/new-contact/", **contact_form(JAN, panel, **values))
    assert refused.status_code == 422 and "Create the company" in refused.content.decode()
    done = alice.do("/triage/new-contact/", **contact_form(JAN, panel, **values, create_company="on"))
    assert Contact.objects.get(kind="company").name == "Nowak Sp. z o.o."
    alice.undo(done)
    assert not Contact.objects.exists()


def test_a_contact_that_somebody_went_on_with_stays(cast, alice, account):
    arrive(account, incoming(JAN))
    done = alice.do("/triage/new-contacts/", address=JAN)
    jan = Contact.objects.get()
    wall.add_note(cast.charlie, jan, "Met him")
    assert "cannot be undone" in alice.undo(done)
    assert Contact.objects.exists()


def test_what_is_wrong_with_a_contact_is_said_at_its_field(alice, account):
    arrive(account, incoming(JAN))
    panel = alice.words("/triage/new-contact/", address=JAN)
    refused = alice.do("/triage/new-contact/", **contact_form(JAN, panel, email="no address"))
    assert refused.status_code == 422
    page = unescape(refused.content.decode())
    assert "Enter a name." in page and "“no address” is not an email address." in page and 'value="no address"' in page


def test_several_senders_become_contacts_at_once(alice, account):
    make_contact("Nowak", "office@nowak.example", kind="company")
    arrive(account, incoming(f"Jan Nowy <{JAN}>"), incoming("ewa.kwiat@kwiat.example"), incoming("x@gmail.com"))
    done = alice.do("/triage/new-contacts/", address=[JAN, "ewa.kwiat@kwiat.example", "nobody@x.example"])
    assert "2 contacts were created. 2 messages are now in their history." in unescape(done.content.decode())
    people = {person.name: person.company and person.company.name for person in Contact.objects.filter(kind="person")}
    assert people == {"Jan Nowy": "Nowak", "Ewa Kwiat": None}
    alice.undo(done)
    assert not Contact.objects.filter(kind="person").exists()


def test_assigning_gives_the_contact_the_address_so_that_later_mail_comes_too(cast, alice, account):
    given = ContactInput(name="Maria Kowal", emails=["maria@kowal.example"])
    maria = contacts.create_contact(cast.alice, given)
    arrive(account, incoming("Maria <maria.k@gmail.com>"))
    assert "Maria Kowal" in alice.words("/triage/assign/", address="maria.k@gmail.com", q="maria")
    done = alice.do(f"/triage/assign/{maria.pk}/", address="maria.k@gmail.com")
    assert "1 message is now in the history of Maria Kowal." in unescape(done.content.decode())
    [later] = arrive(account, incoming("maria.k@gmail.com"))
    assert is_assigned(later)
    alice.undo(done)
    assert [row.address for row in ContactAddress.objects.all()] == ["maria@kowal.example"]
    assert not Link.objects.exists() and not is_assigned(later)


def test_a_contact_of_somebody_else_gets_the_messages_by_hand(cast, alice, account):
    hers = make_contact("Zoe", owner=cast.charlie)
    arrive(account, incoming(JAN))
    arrive(make_account(cast.bob, visibility="owner"), incoming(JAN))
    done = alice.do(f"/triage/assign/{hers.pk}/", address=JAN)
    assert "Later mail comes here again" in done.content.decode()
    assert list(Link.objects.values_list("field", flat=True)) == ["hand"], "only what Alice sees"
    alice.undo(done)
    assert not Link.objects.exists() and not ContactAddress.objects.exists()


def test_ignoring_and_taking_it_back(cast, alice, account):
    arrive(account, incoming(JAN), incoming("ola@nowak.example"), incoming(EWA))
    done = alice.do("/triage/ignore/", domain="nowak.example")
    assert "@nowak.example is ignored." in done.content.decode()
    assert JAN not in alice.words() and "@nowak.example" in alice.words(tab="ignored")
    assert JAN in Browser(cast.charlie).words(), "ignoring is one's own"
    alice.undo(done)
    assert JAN in alice.words()
    alice.do("/triage/ignore/", address=[JAN, EWA])
    mine = IgnoredSender.objects.filter(address=JAN).get()
    assert Browser(cast.charlie).do(f"/triage/ignored/{mine.pk}/stop/").status_code == 404
    assert alice.do(f"/triage/ignored/{mine.pk}/stop/").status_code == 200
    assert JAN in alice.words() and EWA not in alice.words()


def test_the_word_to_undo_serves_its_owner_alone(cast, alice, account):
    arrive(account, incoming(JAN))
    done = alice.do("/triage/ignore/", address=JAN)
    assert "cannot be undone" in Browser(cast.erin).undo(done)
    assert IgnoredSender.objects.exists()
    assert "cannot be undone" in alice.do("/triage/undo/forged:word/").content.decode()


def test_everything_works_without_javascript(alice, account):
    arrive(account, incoming(f"Jan Nowy <{JAN}>"), incoming(EWA))
    for path in ("/triage/new-contact/", "/triage/assign/", "/triage/messages/"):
        assert "<h1" in alice.words(path, address=JAN)
    back = "/triage/?by=domain"
    done = alice.do("/triage/ignore/", htmx=False, address=EWA, back=back)
    assert (done.status_code, done["Location"]) == (302, back)
    elsewhere = alice.do("/triage/ignore/", htmx=False, address=JAN, back="//evil.example/")
    assert elsewhere["Location"] == "/triage/"


def test_a_review_by_hand_tells_its_numbers_and_others_do_not_see_them(cast, alice, account):
    arrive(account, incoming(JAN), incoming(EWA))
    jan = make_contact("Jan", JAN)
    done = Browser(cast.erin).do("/triage/review/")
    assert "2 messages reviewed, 1 assigned." in done.content.decode()
    assert jan.links.count() == 1
    assert "1 of 2 assigned" in Browser(cast.erin).words()
    assert "assigned)" not in alice.words() and "today" in alice.words()


def test_a_part_is_not_taken_for_the_page_by_caches(alice, account):
    arrive(account, incoming(JAN))
    part = alice.client.get("/triage/", headers={"HX-Request": "true"})
    assert "<h1" not in part.content.decode() and "HX-Request" in part["Vary"]
    assert "<h1" in alice.words()


def test_the_mark_on_a_message_leads_to_triage(alice, account):
    [row] = arrive(account, incoming(JAN, text="Zapytanie"))
    for path in (f"/mail/{row.pk}/", "/search?q=zapytanie"):
        assert re.search(r'<a class="wall-mark" href="/triage/">.*?Unassigned</a>', alice.words(path)), path
