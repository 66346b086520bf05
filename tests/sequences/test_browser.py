"""A sequence in a real Chromium: made, filled with steps by keyboard and buttons, started, watched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from mailwall.contacts import services as contact_services
from mailwall.contacts.rules import ContactInput
from mailwall.sequences import endings, enrolling, suppressions
from mailwall.sequences.models import Enrolment, Holiday, Sequence, StepRun, Task
from tests.cast import make_account, make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


class World:
    """Alice with a mailbox that sends and three contacts, in a browser where she is signed in."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url, self.cast = browser, url, make_cast()
        smtp = {"smtp_host": "127.0.0.1", "smtp_port": 25, "sending_active": True, "is_default": True}
        self.account = make_account(self.cast.alice, "alice@ours.example", **smtp)
        self.people = [
            contact_services.create_contact(self.cast.alice, ContactInput(name=name, emails=emails))
            for name, emails in (
                ("Ewa Kwiat", ["ewa@kwiat.example"]), ("Jan Nowy", ["jan@nowy.example"]), ("Ola Bez Adresu", []),
            )
        ]  # fmt: skip
        self.complaints: list[str] = []

    def open(self, path: str, *, user: Any = None, width: int = 1280, **options: Any) -> Page:
        client = Client()
        client.force_login(user or self.cast.alice)
        context = self.browser.new_context(
            base_url=self.url, viewport={"width": width, "height": 900}, reduced_motion="reduce", **options
        )
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.url}])
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        return page


@pytest.fixture
def world(browser, live_server) -> Iterator[World]:
    world = World(browser, live_server.url)
    yield world
    for context in browser.contexts:
        context.close()
    assert not world.complaints, world.complaints


def test_a_sequence_is_made_started_and_stopped_for_one(world):
    page = world.open("/", locale="en")
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sequences")
    shot(page, "empty")
    page.get_by_role("link", name="New sequence").first.click()
    page.get_by_label("Name of the sequence").fill("Trade fair follow-up")
    shot(page, "rules")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trade fair follow-up")
    add_email(page, "Nice to meet you, {{first_name|friend}}", "It was good to talk at the fair.")
    page.get_by_role("link", name="Wait", exact=True).click()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Task", exact=True).click()
    page.get_by_label("What is to be done").fill("Call")
    page.get_by_role("button", name="Save").click()
    add_email(page, "One question", "May I ask you one thing?")
    page.get_by_role("button", name="Move step 4 up").click()
    expect(page.locator(".seq-step").nth(2)).to_contain_text("One question")
    page.get_by_role("link", name="Enroll contacts").click()
    for name in ("Ewa Kwiat", "Jan Nowy", "Ola Bez Adresu"):
        page.get_by_label(name).check()
    page.get_by_role("button", name="Check the chosen ones").click()
    expect(page.locator("#problems")).to_contain_text("No email address.")
    shot(page, "enrol")
    page.goto(page.get_by_role("link", name="Preview for Ewa Kwiat").get_attribute("href"))
    expect(page.get_by_text("Nice to meet you, Ewa").first).to_be_visible()
    shot(page, "preview")
    page.go_back()
    page.get_by_role("button", name="Enroll 2 contacts").click()
    page.get_by_role("button", name="Start").click()
    expect(page.locator(".seq-person")).to_have_count(2)
    page.get_by_role("button", name="Remove Jan Nowy").click()
    expect(page.locator(".seq-person").first).to_contain_text("Stopped: by hand")
    page.get_by_role("link", name="Stopped 1").click()
    expect(page.locator(".seq-person")).to_have_count(1)
    page.wait_for_function("document.activeElement !== document.body")


def add_email(page: Page, subject: str, text: str) -> None:
    page.get_by_role("link", name="Email", exact=True).click()
    page.get_by_label("Subject").fill(subject)
    page.locator(".jodit-wysiwyg").click()
    page.keyboard.type(text)
    shot(page, "step")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Trade fair follow-up")


@pytest.mark.parametrize("language", ["en", "pl"])
def test_pages_fit_phones_and_desks_in_both_languages(world, language):
    alice = world.cast.alice
    alice.language = language
    alice.save()
    world.cast.erin.language = language
    world.cast.erin.save()
    sequence = fill(world)
    page = world.open(f"/sequences/{sequence.pk}/")
    names = {
        "sequence": f"/sequences/{sequence.pk}/", "list": "/sequences/", "choose": f"/sequences/choose/?contact={world.people[0].pk}",
        "wall": f"/contacts/{world.people[0].pk}/", "dashboard": "/", "contacts": "/contacts/",
        "unsubscribe": suppressions.link_for(Enrolment.objects.latest("pk").pk).partition("8000")[2],
    }  # fmt: skip
    for name, path in names.items():
        page.goto(path)
        page.wait_for_load_state("networkidle")
        if name == "contacts":
            page.get_by_label("Ewa Kwiat").check()
        shot(page, f"{name}-{language}")
        for width in (375, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, width)
    admin = world.open("/settings/sequences/", user=world.cast.erin)
    shot(admin, f"suppressed-{language}")
    admin.goto("/settings/holidays/")
    shot(admin, f"holidays-{language}")


def fill(world: World) -> Sequence:
    """A running sequence with people in several states."""
    from datetime import date

    from django.utils import timezone

    from mailwall.sequences import services
    from mailwall.sequences.services import SequenceInput
    from tests.sequences.conftest import AGAIN, MAIL, TASK, WAIT

    given = SequenceInput(name="Trade fair follow-up", account_id=world.account.pk, state="running", steps=(MAIL, WAIT, AGAIN, TASK))  # fmt: skip
    sequence = services.create_sequence(world.cast.alice, given)
    enrolling.enrol(world.cast.alice, sequence.pk, [person.pk for person in world.people])
    ewa, jan = Enrolment.objects.order_by("pk")
    for enrolment in (ewa, jan):
        StepRun.objects.create(enrolment=enrolment, sequence=sequence, step_key=1, kind="email", outcome="sent", account=world.account, ran_at=timezone.now())  # fmt: skip
    endings.end([jan.pk], state="replied", reason="other_mail")
    Task.objects.create(owner=world.cast.alice, contact=world.people[0], sequence=sequence, title="Call about the offer", created_at=timezone.now())  # fmt: skip
    suppressions.suppress_by_hand(world.cast.erin, "tom@kunde.example", "asked on the phone")
    Holiday.objects.create(day=date(2026, 12, 24), name="Wigilia")
    return sequence


def shot(page: Page, name: str) -> None:
    """Pictures to look at, when SCREENS_FOLDER names a folder: 1280 and 375 px, light and dark."""
    folder = os.environ.get("SCREENS_FOLDER")
    if not folder:
        return
    for width, scheme in ((1280, "light"), (375, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(400)  # colours are computed anew
        page.screenshot(path=str(Path(folder) / f"{name}-{width}-{scheme}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")


def test_on_a_phone_the_rules_are_a_tab_of_their_own(world):
    sequence = Sequence.objects.create(owner=world.cast.alice, account=world.account, name="Fair")
    page = world.open(f"/sequences/{sequence.pk}/", width=375)
    expect(page.locator("#steps")).to_be_visible()
    expect(page.locator("#rules")).to_be_hidden()
    page.get_by_role("link", name="Rules").click()
    expect(page.locator("#rules")).to_be_visible()
    expect(page.locator("#steps")).to_be_hidden()
    wide = world.open(f"/sequences/{sequence.pk}/?tab=rules")
    expect(wide.locator("#steps")).to_be_visible()
    expect(wide.locator("#rules")).to_be_visible()
    assert world.complaints == []
