"""The main job in a real Chromium: set up, add a contact, connect a Dovecot account, and mail stands on the wall."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.rig.mails import mail
from tests.rig.product import PASSWORD, Product

pytestmark = [pytest.mark.browser, pytest.mark.live]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture
def product() -> Iterator[Product]:
    running = Product(MAILWALL_SYNC_INTERVAL_SECONDS="3600")
    yield running
    running.remove()


@pytest.fixture
def page() -> Iterator[Page]:
    """A new browser whose console must stay silent."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        page = chromium.new_page(viewport={"width": 1280, "height": 900}, locale="en", reduced_motion="reduce")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        chromium.close()
    assert not complaints, complaints


def test_from_set_up_to_mail_on_the_wall(product, page, mailbox):
    mailbox.deliver(mail(to=mailbox.address, subject="Offer for spring", text="Good morning,\n\nthe offer is ready.\n"))

    page.goto(product.setup_link())
    page.get_by_label("Name").fill("Alice Adams")
    page.get_by_label("Email").fill("alice@example.org")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    shot(page, "setup")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("navigation").first).to_be_visible()

    page.goto(product.url + "/contacts/new/?kind=person")
    page.get_by_label("First name").fill("Ewa")
    page.get_by_label("Last name").fill("Kwiat")
    page.locator("[name=emails]").first.fill("ewa@kwiat.example")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ewa Kwiat")
    wall = page.url

    page.goto(product.url + "/settings/email-accounts/")
    shot(page, "accounts-empty")
    page.get_by_role("link", name="Add new account").first.click()
    page.get_by_label("Email address").fill(mailbox.address)
    receiving = page.get_by_role("group", name="Receiving (IMAP)")
    receiving.get_by_label("Server", exact=True).fill("127.0.0.1")
    receiving.get_by_label("Port").fill(str(mailbox.dovecot.port))
    receiving.get_by_label("None").check()
    receiving.get_by_label("Password", exact=True).fill(mailbox.dovecot.password)
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Everything works.")).to_be_visible(timeout=15_000)
    shot(page, "account-form")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("heading", name="Email accounts", level=1)).to_be_visible()

    expect(page.locator("tr.account")).to_contain_text("Working", timeout=20_000)
    shot(page, "accounts")
    page.goto(wall)
    expect(page.get_by_text("Offer for spring").first).to_be_visible()
    shot(page, "wall")

    mailbox.deliver(mail(to=mailbox.address, subject="One more thing", text="Please call me.\n"))
    page.goto(product.url + "/mail/")
    page.get_by_role("button", name="Download new messages").click()
    expect(page.locator("#dl")).to_contain_text(re.compile("1 new, 1 assigned"), timeout=25_000)
    expect(page.locator("#mail-list").get_by_text("One more thing").first).to_be_visible()
    shot(page, "mail")
    page.goto(product.url + "/")
    shot(page, "dashboard")


def shot(page: Page, name: str) -> None:
    """Pictures to look at, when SCREENS_FOLDER names a folder: 1280 and 375 px, light and dark."""
    folder = os.environ.get("SCREENS_FOLDER")
    if not folder:
        return
    for width, scheme in ((1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.screenshot(path=str(Path(folder) / f"{name}-{width}-{scheme}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light")
