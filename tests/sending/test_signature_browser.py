"""The signature in a real Chromium: toolbar, Code View, paste, previews, and nothing asked from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from mailwall.sending import signatures
from tests.cast import make_account, make_cast, make_contact
from tests.sending.test_signatures import PIXEL, REAL

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PATH = "/settings/email-accounts/signature/"
HOSTILE = (
    "<p id=kept>Ewa</p><script>window.hit=1</script><img src=x onerror='window.hit=2'><svg onload='window.hit=3'></svg>"
    "<a href='javascript:window.hit=4'>go</a><iframe srcdoc='<script>parent.hit=5</script>'></iframe><style>*{display:none}</style>"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


class World:
    """Alice, signed in, and what her browser asked for and complained of."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser, self.url, self.cast = browser, url, make_cast()
        self.complaints: list[str] = []
        self.asked: list[str] = []

    def open(self, path: str = PATH, **options: Any) -> Page:
        client = Client()
        client.force_login(self.cast.alice)
        options = {"locale": "en", "viewport": {"width": 1280, "height": 900}, **options}
        context = self.browser.new_context(base_url=self.url, **options)
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.url}])
        context.on("request", lambda request: self.asked.append(request.url))
        page = context.new_page()
        page.on("console", self.complain)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        return page

    def complain(self, message: Any) -> None:
        """The signature's image lies on a server that does not exist; that is no complaint about us."""
        if message.type == "error" and not message.location["url"].startswith("https://corp.example/"):
            self.complaints.append(message.text)

    def asked_elsewhere(self) -> list[str]:
        """Neither from us nor what stands in the page itself, nor images of the signature."""
        ours = (self.url, "data:", "https://corp.example/")
        return [url for url in self.asked if not url.startswith(ours)]


@pytest.fixture
def world(browser, live_server) -> Iterator[World]:
    world = World(browser, live_server.url)
    yield world
    for context in browser.contexts:
        context.close()


def code_view(page: Page) -> Any:
    page.get_by_role("button", name="Code View").click()
    return page.locator(".jodit-source textarea")


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#live")).to_contain_text("The signature is saved.")


def paste(page: Page, html: str) -> None:
    page.locator(".jodit-wysiwyg").click()
    page.evaluate(
        """html => { const data = new DataTransfer(); data.setData('text/html', html);
        document.querySelector('.jodit-wysiwyg').dispatchEvent(
          new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })) }""",
        html,
    )


def test_code_pasted_into_the_code_view_survives_save_and_reload(world):
    page = world.open()
    code_view(page).fill(REAL)
    save(page)
    assert signatures.signature_of(world.cast.alice) == REAL
    expect(page.locator(".jodit-wysiwyg td b")).to_have_text("Anna Nowak")
    assert code_view(page).input_value() == REAL
    save(page)  # what was read and not touched is stored unchanged
    assert signatures.signature_of(world.cast.alice) == REAL
    assert (world.complaints, world.asked_elsewhere()) == ([], [])


def test_code_is_saved_from_the_rich_view_too_and_shown_live_in_light_and_dark(world):
    page = world.open()
    code_view(page).fill(REAL)
    for name, paper in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(20, 23, 27)")):
        frame = page.frame_locator(f"iframe[title='Preview, {name}']")
        expect(frame.locator("td b")).to_have_text("Anna Nowak")
        expect(frame.locator("body")).to_have_css("background-color", paper)
        expect(frame.locator("td span")).to_have_css("color", "rgb(204, 0, 0)")
    code_view(page)
    save(page)
    assert signatures.signature_of(world.cast.alice) == REAL
    assert world.complaints == []


def test_a_pasted_signature_keeps_its_table_styles_and_images(world):
    page = world.open()
    paste(page, f"<meta charset='utf-8'>{REAL}")
    save(page)
    stored = signatures.signature_of(world.cast.alice) or ""
    for part in (
        'cellpadding="0"',
        "border-right:2px solid",
        PIXEL,
        "https://corp.example/x.png",
        "text-decoration:none",
    ):
        assert part in stored.replace(": ", ":").replace("#cc0000", "rgb(204, 0, 0)"), part
    assert world.complaints == []


@pytest.mark.parametrize("way", ["paste", "code"])
def test_nothing_of_a_hostile_signature_runs_or_is_kept(world, way):
    page = world.open()
    if way == "paste":
        paste(page, HOSTILE)
    else:
        code_view(page).fill(HOSTILE)
        code_view(page)
    expect(page.frame_locator("iframe[title='Preview, light']").locator("p").first).to_have_text("Ewa")
    save(page)
    stored = (signatures.signature_of(world.cast.alice) or "").lower()
    assert "ewa" in stored
    for word in ("<script", "onerror", "onload", "javascript:", "<iframe", "<style", "<svg"):
        assert word not in stored
    assert page.evaluate("window.hit") is None


def test_an_account_gets_a_signature_of_its_own_and_gives_it_back(world):
    account = make_account(world.cast.alice, "alice@box.example")
    signatures.save_signature(world.cast.alice, "<p>General</p>")
    page = world.open()
    page.get_by_label("Signature for").select_option("alice@box.example")
    page.wait_for_url(f"**{PATH}?account={account.pk}")
    expect(page.locator(".jodit-container")).to_be_hidden()
    page.get_by_label("A signature of its own").check()
    page.locator(".jodit-wysiwyg").click()
    page.keyboard.press("End")
    page.keyboard.type(" of mine")
    save(page)
    assert signatures.signature_for(world.cast.alice, account) == "<p>General of mine</p>"
    page.get_by_label("Use my general signature").check()
    save(page)
    assert signatures.signature_for(world.cast.alice, account) == "<p>General</p>"
    assert world.complaints == []


def test_without_scripts_the_field_holds_the_code(world):
    page = world.open(java_script_enabled=False)
    page.get_by_label("Signature", exact=True).fill(REAL)
    page.get_by_role("button", name="Save", exact=True).click()
    assert signatures.signature_of(world.cast.alice) == REAL
    assert page.get_by_label("Signature", exact=True).input_value() == REAL


def test_what_was_not_saved_is_not_lost_without_a_question(world):
    page = world.open()
    page.locator(".jodit-wysiwyg").click()
    page.keyboard.type("Ewa")
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.get_by_role("link", name="Accounts", exact=True).click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert (asked, page.url.endswith(PATH)) == (["beforeunload"], True)


def test_pages_that_do_not_edit_load_no_editor_and_keep_the_strict_policy(world, client):
    page = world.open("/settings/email-accounts/")
    assert not [url for url in world.asked if "jodit" in url]
    client.force_login(world.cast.alice)
    strict = client.get("/settings/email-accounts/").headers["Content-Security-Policy"]
    editing = client.get(PATH).headers["Content-Security-Policy"]
    assert "unsafe-inline" not in strict
    assert "style-src-attr 'unsafe-inline'" in editing
    assert "script-src 'self';" in editing + ";"
    assert page.title()


def test_a_template_is_previewed_for_a_contact_while_it_is_written(world):
    make_contact("Ewa Kwiat", "ewa@kwiat.example", first_name="Ewa")
    page = world.open("/settings/email-accounts/templates/new/")
    page.get_by_label("Name of the template").fill("Offer")
    page.get_by_label("Subject").fill("For {{first_name}}")
    code_view(page).fill("<p>Dear {{first_name}}, <b>{{title}}</b></p>")
    preview = page.locator("#template-preview")
    expect(preview).to_contain_text("Subject: For Ewa")
    expect(preview).to_contain_text("Ewa Kwiat has no title.")
    expect(page.frame_locator("iframe[title='Preview, light']").locator("p")).to_contain_text("Dear Ewa,")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#live")).to_contain_text("Offer is saved.")
    page.get_by_role("button", name="Delete Offer").click()
    expect(page.locator("tbody")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("tbody")).to_contain_text("Offer")
    assert (world.complaints, world.asked_elsewhere()) == ([], [])


def test_the_code_view_is_reached_by_keyboard(world):
    page = world.open()
    page.get_by_role("button", name="Bold").focus()
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent").strip() == "Code View":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".jodit-source textarea")).to_be_visible()
    assert world.complaints == []
