"""The wall and "Email messages" in a real Chromium: notes, paging, keys, the frame of foreign HTML, phones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from tests.cast import make_account, make_cast
from tests.wall.seed import deliver

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EWA, ME = "Ewa <ewa@kwiat.example>", "alice@ours.example"
HOSTILE = """<style>body{display:none}.card{display:none!important}</style><p id="said">Dear Alice</p>
<script>parent.document.title='stolen';fetch('http://canary.example/s')</script><img src=x onerror="fetch('http://canary.example/e')">
<img src="http://canary.example/pixel.gif"><table background="http://canary.example/t.png"><tr><td>cell</td></tr></table>
<form action="http://canary.example/f"><input name=a></form><meta http-equiv="refresh" content="0;url=http://canary.example/m">
<div style="position:fixed;inset:0;background:url(http://canary.example/c.png)">over</div><iframe src="http://canary.example/i"></iframe>
<svg onload="fetch('http://canary.example/v')"></svg><link rel=stylesheet href="http://canary.example/l.css"><a href="javascript:alert(1)">go</a>
<blockquote>older words</blockquote>"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


class World:
    """Alice with a mailbox and a contact, and a browser in which she is signed in."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url = browser, url
        self.cast = make_cast()
        self.ewa = contacts.create_contact(self.cast.alice, ContactInput(name="Ewa", emails=["ewa@kwiat.example"]))
        self.account = make_account(self.cast.alice, ME)
        self.complaints: list[str] = []
        self.asked: list[str] = []

    def open(self, path: str, *, width: int = 1280, **options: Any) -> Page:
        client = Client()
        client.force_login(self.cast.alice)
        context = self.browser.new_context(
            base_url=self.url, locale="en", viewport={"width": width, "height": 800}, **options
        )
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.url}])
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        context.on("request", lambda request: self.asked.append(request.url))
        context.route("http://canary.example/**", lambda route: route.abort())
        page.goto(path)
        return page


@pytest.fixture
def world(browser, live_server) -> Iterator[World]:
    world = World(browser, live_server.url)
    yield world
    for context in browser.contexts:
        context.close()


def test_a_note_is_written_by_keyboard_changed_and_deleted_in_place(world):
    page = world.open(f"/contacts/{world.ewa.pk}/")
    page.keyboard.press("n")
    page.keyboard.type("Wants delivery in week 48")
    page.get_by_role("button", name="Save note").click()
    note = page.locator(".wall-note")
    expect(note).to_contain_text("Wants delivery in week 48")
    expect(page.locator("#live")).to_contain_text("The note is saved.")
    note.get_by_role("link", name="Edit").click()
    page.locator(".wall-note textarea").fill("Week 49")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".wall-note")).to_contain_text("Week 49")
    page.locator(".wall-note").get_by_role("link", name="Delete").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".wall-note")).to_have_count(0)
    page.wait_for_function("document.activeElement !== document.body")
    assert not world.complaints


def test_older_entries_are_added_below(world):
    for number in range(45):
        deliver(world.account, EWA, ME, f"Mail {number}", days_ago=number + 1)
    page = world.open(f"/contacts/{world.ewa.pk}/")
    expect(page.locator("#wall-list > li")).to_have_count(20)
    page.get_by_role("link", name="Show older").click()
    expect(page.locator("#wall-list > li")).to_have_count(40)
    page.get_by_role("link", name="Show older").click()
    expect(page.locator("#wall-list > li")).to_have_count(45)
    expect(page.get_by_role("link", name="Show older")).to_have_count(0)
    assert not world.complaints


def test_a_history_is_narrowed_in_place_and_the_choice_keeps_the_focus(world):
    deliver(world.account, EWA, ME, "From her")
    deliver(world.account, ME, EWA, "To her", direction="sent")
    page = world.open(f"/contacts/{world.ewa.pk}/")
    expect(page.locator(".wall-card[data-row]")).to_have_count(2)
    page.get_by_text("More filters").click()
    page.locator("#wall-way").focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".wall-card[data-row]")).to_have_count(1)
    expect(page.locator("#wall-way")).to_have_value("received")
    expect(page.locator("#wall-way")).to_be_focused()
    page.reload()
    expect(page.locator("#wall-way")).to_have_value("received")
    assert not world.complaints


def test_the_palette_goes_to_a_contact_by_keyboard_and_gives_the_focus_back(world):
    page = world.open("/mail/")
    page.locator("#mail-q").focus()
    page.keyboard.press("Control+k")
    expect(page.locator("#palette input")).to_be_focused()
    expect(page.locator("#palette [aria-selected=true]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("#mail-q")).to_be_focused()
    page.keyboard.press("Control+k")
    page.keyboard.type("kwiat")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("ewa@kwiat.example")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#palette [aria-selected=true]")).to_contain_text("Search all mail")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
    assert not world.complaints


def test_who_can_see_a_mail_opens_beside_it(world):
    deliver(world.account, EWA, ME, "Offer")
    page = world.open(f"/contacts/{world.ewa.pk}/")
    page.get_by_text("4 people").click()
    expect(page.locator(".wall-seers-list")).to_contain_text("Bob")
    page.keyboard.press("Escape")
    expect(page.locator(".wall-seers-list")).to_be_hidden()
    assert not world.complaints


@pytest.mark.parametrize("width", [1280, 375])
def test_hostile_html_runs_nothing_and_asks_nobody_until_images_are_wanted(world, width):
    mail = deliver(world.account, EWA, ME, "Hostile", "Dear Alice", html=HOSTILE)
    page = world.open(f"/contacts/{world.ewa.pk}/", width=width)
    frame = page.frame_locator("iframe.wall-frame")
    expect(frame.locator("#said, p").first).to_contain_text("Dear Alice")
    page.goto(f"/mail/{mail.pk}/")
    expect(page.frame_locator("iframe.wall-frame").locator("p").first).to_be_visible()
    page.wait_for_timeout(300)
    assert not [url for url in world.asked if "canary" in url] and page.title() == "Hostile – Mailwall"
    page.get_by_role("link", name="Show images").click()
    expect(page.get_by_text("Images blocked")).to_have_count(0)
    page.wait_for_timeout(500)
    assert {url for url in world.asked if "canary" in url} == {"http://canary.example/pixel.gif"}
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_mail_is_read_beside_the_list_by_keyboard(world):
    deliver(world.account, EWA, ME, "First", "The first text", days_ago=1)
    deliver(world.account, EWA, ME, "Second", "The second text", days_ago=2)
    page = world.open("/mail/")
    page.keyboard.press("j")
    expect(page.locator("#preview")).to_contain_text("The first text")
    page.keyboard.press("j")
    expect(page.locator("#preview")).to_contain_text("The second text")
    page.keyboard.press("k")
    expect(page.locator("#preview")).to_contain_text("The first text")
    page.keyboard.press("o")
    expect(page).to_have_title("First – Mailwall")
    assert not world.complaints


def test_tabs_and_search_stand_in_the_address(world):
    deliver(world.account, EWA, ME, "Green horse")
    deliver(world.account, "who@else.example", ME, "Blue cow")
    page = world.open("/mail/")
    page.get_by_role("link", name="Unassigned 1").click()
    expect(page.locator(".mail-row")).to_have_count(1)
    assert page.url.endswith("/mail/?tab=unassigned")
    page.get_by_label("Search messages").fill("horse")
    page.keyboard.press("Enter")
    expect(page.locator(".mail-list")).to_contain_text("Nothing matches.")
    page.get_by_label("Search messages").fill("")
    page.keyboard.press("Enter")
    expect(page.locator(".mail-row")).to_have_count(1)
    page.get_by_role("link", name="All 2").click()
    expect(page.locator(".mail-row")).to_have_count(2)
    page.get_by_label("Search messages").fill("horse")
    page.keyboard.press("Enter")
    expect(page.locator(".mail-row mark").first).to_have_text("horse")
    assert "q=horse" in page.url and not world.complaints


def test_on_a_phone_a_tap_opens_the_page_of_the_message(world):
    mail = deliver(world.account, EWA, ME, "First", "x" * 400)
    page = world.open("/mail/", width=375)
    page.locator(".mail-row").click()
    expect(page).to_have_url(f"{world.url}/mail/{mail.pk}/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and not world.complaints


def test_a_message_is_assigned_by_typing_a_name(world):
    mail = deliver(world.account, "who@else.example", ME, "Lost")
    page = world.open(f"/mail/{mail.pk}/")
    page.get_by_role("link", name="Assign to a contact").click()
    expect(page.get_by_label("Name or address of the contact")).to_be_focused()
    page.keyboard.type("ewa", delay=20)
    page.get_by_role("button", name="Assign to Ewa").click()
    expect(page.locator(".wall-links")).to_contain_text("by hand")
    expect(page.locator("#live")).to_contain_text("The message is assigned.")
    page.get_by_role("button", name="Unassign from Ewa").click()
    expect(page.get_by_role("heading", name="Unassigned")).to_be_visible()
    assert not world.complaints


def test_without_javascript_a_wall_is_read_searched_and_written_on(world):
    deliver(world.account, EWA, ME, "Green horse")
    page = world.open(f"/contacts/{world.ewa.pk}/", java_script_enabled=False)
    page.locator("#note-form > summary").click()
    page.get_by_label("Note").fill("Written without scripts")
    page.get_by_role("button", name="Save note").click()
    expect(page.locator(".wall-note")).to_contain_text("Written without scripts")
    page.get_by_label("Search this history").fill("horse")
    page.locator(".wall-filter button").click()
    expect(page.locator(".wall-card mark").first).to_have_text("horse")
    page.get_by_role("link", name="Show the message").click()
    expect(page).to_have_title("Green horse – Mailwall")
