"""Triage in a real Chromium: by keyboard, with Undo, in bulk; the focus never gets lost; phones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mailwall.assignment import services as assignment
from mailwall.assignment.models import IgnoredSender
from mailwall.contacts import services as contacts
from mailwall.contacts.models import Contact
from mailwall.contacts.rules import ContactInput
from tests.mailstore.makers import incoming, put
from tests.wall.test_browser import World, browser

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Desk(World):
    """Alice with unknown senders: Jan and Ola of a known company, Maria at a free-mail domain, a newsletter."""

    def __init__(self, browser: Any, url: str) -> None:
        super().__init__(browser, url)
        given = ContactInput(kind="company", name="Nowak Sp. z o.o.", emails=["office@nowak.example"])
        self.company = contacts.create_contact(self.cast.alice, given)
        self.maria = contacts.create_contact(
            self.cast.alice, ContactInput(name="Maria Kowal", emails=["maria@kowal.example"])
        )
        rows = put(
            self.account,
            incoming("Shop <news@shop.example>", subject="Sale", automatic="list"),
            incoming("Maria Kowal <maria.k@gmail.com>", subject="Private"),
            incoming("Ola <ola@nowak.example>", subject="dostawa"),
            incoming("Jan Nowy <jan@nowak.example>", subject="Zapytanie o cenę"),
            incoming("Jan Nowy <jan@nowak.example>", subject="Re: dostawa"),
        )
        assignment.assign_messages([row.pk for row in rows])


@pytest.fixture
def desk(browser, live_server) -> Iterator[Desk]:
    desk = Desk(browser, live_server.url)
    yield desk
    for context in browser.contexts:
        context.close()


def heads(page: Page) -> list[str]:
    return [text.split()[0] for text in page.locator(".triage-who").all_inner_texts()]


def focused(page: Page) -> str:
    return page.evaluate("document.activeElement.closest('[data-group]')?.querySelector('h2').textContent || ''")


def test_a_sender_becomes_a_contact_by_keyboard_and_undo_brings_it_back(desk):
    page = desk.open("/triage/")
    names = heads(page)
    page.keyboard.press("j")
    while "Jan" not in focused(page):
        page.keyboard.press("j")
    place = names.index("Jan")
    page.keyboard.press("n")
    expect(page.locator(".triage-form input[name$=first_name]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".triage-form")).to_have_count(0)
    assert "Jan" in focused(page), "the focus is where it came from"
    page.keyboard.press("n")
    expect(page.locator(".triage-form input[name$=company]")).to_have_value("Nowak Sp. z o.o.")
    page.get_by_role("button", name="Create and assign 2 messages").click()
    expect(page.locator("#live")).to_contain_text("Jan Nowy was created. 2 messages are now in their history.")
    expect(page.locator("[data-group]")).to_have_count(2)
    left = [name for name in names if name != "Jan"]
    page.wait_for_function("document.activeElement.matches('h2')")
    assert left[min(place, 1)] in focused(page), "the focus is at the sender that took the place"
    assert Contact.objects.filter(name="Jan Nowy").exists()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("[data-group]")).to_have_count(3)
    assert not Contact.objects.filter(name="Jan Nowy").exists()
    assert not desk.complaints


def test_keys_ignore_skip_select_and_show(desk):
    page = desk.open("/triage/")
    page.keyboard.press("j")
    first = focused(page)
    page.keyboard.press("s")
    assert focused(page) and focused(page) != first
    page.keyboard.press("k")
    assert focused(page) == first
    page.keyboard.press("x")
    expect(page.locator("[data-chosen-count]")).to_contain_text("1")
    page.keyboard.press("o")
    expect(page.locator(".triage-mail").first).to_be_visible()
    page.keyboard.press("a")
    expect(page.locator(".triage-panel input[name=q]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.locator("#live")).to_contain_text("is ignored.")
    expect(page.locator("[data-group]")).to_have_count(2)
    assert IgnoredSender.objects.count() == 1
    assert page.evaluate("document.activeElement !== document.body")
    assert not desk.complaints


def test_several_are_chosen_and_become_contacts(desk):
    page = desk.open("/triage/")
    button = page.get_by_role("button", name="New contacts")
    expect(button).to_be_disabled()
    page.get_by_label("Select jan@nowak.example").check()
    page.get_by_label("Select ola@nowak.example").check()
    button.click()
    expect(page.locator("#live")).to_contain_text("2 contacts were created. 3 messages are now in their history.")
    expect(page.locator("[data-group]")).to_have_count(1)
    page.get_by_role("button", name="Assign to Maria Kowal").click()
    expect(page.locator("#live")).to_contain_text("1 message is now in the history of Maria Kowal.")
    expect(page.get_by_text("Nothing to sort.")).to_be_visible()
    assert not desk.complaints


def test_a_contact_is_found_while_typing(desk):
    page = desk.open("/triage/")
    group = page.locator("[data-group]", has_text="Jan Nowy")
    group.get_by_role("link", name="Assign to…").click()
    group.get_by_label("Name or address of the contact").type("maria")
    group.get_by_role("button", name="Assign to Maria Kowal").click()
    expect(page.locator("#live")).to_contain_text("2 messages are now in the history of Maria Kowal.")
    assert not desk.complaints


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_is_wider_than_the_screen(desk, width, scheme):
    for path in ("/triage/", "/triage/?by=domain", "/triage/?tab=ignored", "/settings/email-accounts/ignored-senders/"):
        page = desk.open(path, width=width, color_scheme=scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        small = page.evaluate(
            "[...document.querySelectorAll('main a, main button, main input')].filter(e => e.offsetParent && "
            "!e.closest('p, h2, li > span') && (e.offsetHeight < 24 || e.offsetWidth < 24)).map(e => e.outerHTML.slice(0, 90))"
        )
        assert not small, small
    assert not desk.complaints
