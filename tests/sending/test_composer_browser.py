"""The composer in a real Chromium, through a real SMTP server into a real mailbox; drafts, undo, keys, phones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Page, expect, sync_playwright

from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.sending import signatures
from mailwall.sending.models import DraftMessage, Outgoing
from tests.cast import make_account
from tests.sending.conftest import deliver as hand_over
from tests.sending.conftest import file_copies, make_due, sending_fields
from tests.sending.test_copies import in_sent
from tests.wall.seed import deliver

pytestmark = [pytest.mark.browser, pytest.mark.live, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
EWA = "Ewa <ewa@kwiat.example>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


class World:
    """Alice with an account that sends, a signature and a contact, signed in in a browser."""

    def __init__(self, browser: Any, url: str, account: Any, cast: Any) -> None:
        self.browser, self.url, self.cast, self.account = browser, url, cast, account
        self.ewa = contacts.create_contact(cast.alice, ContactInput(first_name="Ewa", emails=["ewa@kwiat.example"]))
        signatures.save_signature(cast.alice, "<b>Alice of Sales</b>")
        self.complaints: list[str] = []
        self.context: Any = None

    def open(self, path: str, *, width: int = 1280, **options: Any) -> Page:
        if self.context is None or options:
            client = Client()
            client.force_login(self.cast.alice)
            size = {"width": width, "height": 800}
            self.context = self.browser.new_context(base_url=self.url, locale="en", viewport=size, **options)
            cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.url}
            self.context.add_cookies([cookie])
        page = self.context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(path)
        return page


@pytest.fixture
def world(browser: Any, live_server: Any, whole_account: Any, people: Any) -> Iterator[World]:
    yield World(browser, live_server.url, whole_account, people)
    for context in browser.contexts:
        context.close()


def text_of(page: Page) -> Any:
    """Where the text of the mail is written, once the editor is there."""
    return page.locator("#composer .jodit-wysiwyg")


def test_a_reply_goes_from_the_wall_to_the_receiver_and_into_sent(world, smtp_sink, mailbox):
    deliver(world.account, EWA, world.account.address, "Invoice 114", "Is it right?", message_id="q1@kwiat.example")
    page = world.open(f"/contacts/{world.ewa.pk}/")
    page.keyboard.press("r")
    expect(text_of(page)).to_be_focused()
    page.keyboard.type("Yes, it is.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#live")).to_contain_text("Sending in")
    expect(page.locator("#composer")).to_have_count(0)
    card = page.locator("article", has_text="Re: Invoice 114").first
    expect(card.locator(".delivery")).to_contain_text("Sending")
    page.locator("#live").get_by_role("button", name="Send now").click()
    expect(page.locator("#live .mw-toast")).to_have_count(0)
    outgoing = hand_over(Outgoing.objects.get())
    make_due(outgoing, sent_at=datetime.now(UTC) - timedelta(minutes=1), copy_at=datetime.now(UTC))
    file_copies(outgoing)
    expect(card.locator(".delivery")).to_contain_text("Sent", timeout=8000)
    [taken] = smtp_sink.taken
    source = taken.raw.decode()
    assert taken.receivers == ("ewa@kwiat.example",) and "Yes, it is." in source and "Alice of Sales" in source
    assert "In-Reply-To: <q1@kwiat.example>" in source and "> Is it right?" in source.replace("=\r\n", "")
    assert in_sent(mailbox, outgoing) == ["\\Seen"]
    assert not DraftMessage.objects.exists() and not world.complaints


def test_signature_and_quote_come_into_the_text_to_be_edited(world):
    mail = deliver(
        world.account, EWA, world.account.address, "Invoice 114", "Is it right?", message_id="q1@kwiat.example"
    )
    page = world.open(f"/compose/?reply={mail.pk}")
    expect(text_of(page)).to_be_focused()
    page.keyboard.type("Yes.")
    page.get_by_role("button", name="Edit in this mail").last.click()
    expect(text_of(page)).to_contain_text("Alice of Sales")
    expect(text_of(page)).to_contain_text("Is it right?")
    expect(page.get_by_label("With the signature")).not_to_be_checked()
    expect(page.locator(".composer-signature")).to_be_hidden()
    assert not world.complaints


def test_undo_gives_back_what_was_written_and_only_the_new_text_leaves(world, smtp_sink):
    page = world.open(f"/compose/?contact={world.ewa.pk}")
    expect(text_of(page)).to_be_focused()
    page.keyboard.type("Old words")
    page.get_by_label("Subject").fill("Offer")
    page.locator("[data-send]").dblclick()
    page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
    expect(page.locator("#live")).to_contain_text("Sending in")
    page.keyboard.press("u")
    page.wait_for_url("**/compose/*/")
    expect(text_of(page)).to_contain_text("Old words")
    text_of(page).fill("New words")
    page.locator("[data-send]").click()
    page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
    waiting = Outgoing.objects.get(state="held")
    make_due(waiting)
    hand_over(waiting)
    [taken] = smtp_sink.taken
    assert b"New words" in taken.raw and b"Old words" not in taken.raw and not world.complaints


def test_a_draft_survives_a_reload_and_two_tabs_are_told(world):
    first = world.open("/compose/?to=ewa@kwiat.example")
    expect(text_of(first)).to_be_focused()
    first.keyboard.type("Kept words")
    expect(first.locator("#composer-state")).to_contain_text("Saved", timeout=6000)
    first.reload()
    expect(text_of(first)).to_contain_text("Kept words")
    second = world.open(re.sub(r"^https?://[^/]+", "", first.url))
    text_of(second).fill("From the second tab")
    expect(second.locator("#composer-state")).to_contain_text("Saved", timeout=6000)
    expect(second.locator("[name=version]")).to_have_value("2")
    text_of(first).click()
    first.keyboard.type("From the first tab. ")
    expect(first.locator("#composer-conflict")).to_contain_text("changed in another window", timeout=6000)
    first.get_by_role("button", name="Keep this one").click()
    expect(first.locator("#composer-conflict")).to_be_empty()
    assert "From the first tab" in DraftMessage.objects.get().body
    assert not [words for words in world.complaints if "409" not in words]


def test_receivers_are_completed_and_bad_ones_flagged_by_keyboard(world):
    page = world.open("/compose/")
    field = page.get_by_role("combobox", name="To")
    expect(field).to_be_focused()
    page.keyboard.type("ew", delay=20)
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".composer-chip")).to_have_text("Ewa×")
    page.keyboard.type("jan@@nowak")
    page.keyboard.press("Tab")
    expect(page.get_by_role("alert").filter(has_text="“jan@@nowak” is not an address")).to_be_visible()
    expect(field).to_be_focused()
    page.keyboard.press("Backspace")
    expect(field).to_have_value("jan@@nowak")
    field.fill("")
    field.evaluate(
        "field => { const data = new DataTransfer(); data.setData('text/plain', 'a@x.example; B <b@x.example>\\nc@x.example');"
        " field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })) }"
    )
    expect(page.locator(".composer-chip")).to_have_count(4)
    assert not world.complaints


PASTE = """([place, kind, text]) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData(kind, text);
  document.querySelector(place).dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""
DROP = """(place) => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["hello"], "dropped.txt", { type: "text/plain" }));
  for (const name of ["dragover", "drop"])
    document.querySelector(place).dispatchEvent(new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true }));
}"""


def test_several_pasted_addresses_become_several_receivers(world):
    page = world.open("/compose/")
    expect(text_of(page)).to_be_visible()
    pasted = 'Anna <anna@kwiat.example>; "Nowak, Jan" <jan@kwiat.example>\ncarl@kwiat.example'
    page.evaluate(PASTE, ["#composer-to", "text/plain", pasted])
    expect(page.locator(".composer-chip")).to_have_text(["Anna×", "Nowak, Jan×", "carl@kwiat.example×"])
    page.locator("#composer-to").press("Backspace")
    expect(page.locator("#composer-to")).to_have_value("carl@kwiat.example")
    assert not world.complaints


def test_nothing_of_hostile_html_that_is_pasted_runs_or_leaves(world, smtp_sink):
    page = world.open(f"/compose/?contact={world.ewa.pk}")
    expect(text_of(page)).to_be_focused()
    hostile = (
        '<p onclick="window.ran=1">pasted <b>bold</b></p><img src="data:image/png;base64,x" onerror="window.ran=2">'
        "<iframe srcdoc='<script>parent.ran=3</script>'></iframe><style>@import url(https://evil.example)</style>"
        '<a href="javascript:window.ran=4">link</a>'
    )
    page.evaluate(PASTE, [".jodit-wysiwyg", "text/html", hostile])
    expect(text_of(page).locator("b")).to_have_text("bold")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
    assert page.evaluate("window.ran") is None
    outgoing = Outgoing.objects.get()
    make_due(outgoing)
    hand_over(outgoing)
    source = smtp_sink.taken[0].raw.decode().replace("=\r\n", "").lower()
    assert "<b>bold</b>" in source
    assert not [evil for evil in ("onclick", "onerror", "javascript:", "iframe", "evil.example") if evil in source]


def test_a_dropped_file_is_attached_and_a_program_refused(world):
    page = world.open("/compose/")
    expect(text_of(page)).to_be_visible()
    page.evaluate(DROP, ".jodit-wysiwyg")
    expect(page.locator("#composer-baggage")).to_contain_text("dropped.txt")
    page.locator("#composer-files").set_input_files(
        {"name": "invoice.pdf.exe", "mimeType": "application/pdf", "buffer": b"MZ"}
    )
    expect(page.locator("#composer-baggage")).to_contain_text("invoice.pdf.exe cannot be attached")
    expect(page.locator("#composer-baggage")).to_contain_text("dropped.txt")


def test_on_a_phone_undo_is_in_sight_above_the_bar(world):
    page = world.open(f"/compose/?contact={world.ewa.pk}", width=375)
    expect(text_of(page)).to_be_visible()
    text_of(page).click()
    page.keyboard.type("Hello")
    page.get_by_role("button", name="Send", exact=False).first.click()
    undo = page.locator("#live").get_by_role("button", name="Undo")
    expect(undo).to_be_in_viewport()
    undo.click()
    page.wait_for_url("**/compose/*/")
    expect(text_of(page)).to_contain_text("Hello")
    assert Outgoing.objects.get().state == "cancelled" and not world.complaints


def test_a_failed_mail_is_edited_and_an_unknown_one_decided_on_the_wall(world, smtp_sink):
    for mode in ("perm", "drop"):
        page = world.open(f"/compose/?contact={world.ewa.pk}")
        expect(text_of(page)).to_be_focused()
        page.keyboard.type(f"Sent in mode {mode}")
        page.get_by_label("Subject").fill(mode)
        page.keyboard.press("Control+Enter")
        page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
        smtp_sink.mode = mode
        outgoing = Outgoing.objects.get(subject=mode)
        make_due(outgoing)
        hand_over(outgoing)
    smtp_sink.mode = "ok"
    make_due(outgoing, data_started_at=datetime.now(UTC) - timedelta(minutes=11), look_at=datetime.now(UTC))
    file_copies(outgoing)
    page = world.open(f"/contacts/{world.ewa.pk}/")
    page.locator("article", has_text="drop").get_by_role("button", name="It was sent").click()
    expect(page.locator("article", has_text="drop").locator(".delivery")).to_contain_text("Sent")
    card = page.locator("article", has_text="perm")
    expect(card).to_contain_text("This looks like advertising")
    card.get_by_role("button", name="Edit and retry").click()
    page.wait_for_url("**/compose/*/")
    expect(text_of(page)).to_contain_text("Sent in mode perm")
    assert sorted(Outgoing.objects.values_list("subject", "state")) == [("drop", "sent"), ("perm", "cancelled")]


def test_files_are_attached_and_a_forgotten_one_is_asked_for(world):
    page = world.open(f"/compose/?contact={world.ewa.pk}")
    expect(text_of(page)).to_be_focused()
    page.keyboard.type("The plan is attached.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#composer")).to_contain_text("but there is no attachment")
    page.locator("#composer-files").set_input_files(
        {"name": "plan.pdf", "mimeType": "application/pdf", "buffer": b"x" * 1_200_000}
    )
    expect(page.locator("#composer-baggage")).to_contain_text("1.2 of 25 MB")
    expect(text_of(page)).to_contain_text("The plan is attached.")
    page.keyboard.press("Control+Enter")
    page.wait_for_url(f"**/contacts/{world.ewa.pk}/")
    assert Outgoing.objects.get().state == "held" and len(world.complaints) <= 1  # the 422 that asked


def test_discarding_is_undone(world):
    page = world.open(f"/contacts/{world.ewa.pk}/")
    page.keyboard.press("e")
    expect(text_of(page)).to_be_focused()
    page.keyboard.type("Thrown away")
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("#live")).to_contain_text("The draft is discarded.")
    page.keyboard.press("u")
    page.wait_for_url("**/compose/*/")
    expect(text_of(page)).to_contain_text("Thrown away")
    assert not world.complaints


def test_from_is_offered_with_two_accounts_and_changes_who_will_see_it(world, smtp_sink):
    make_account(
        world.cast.alice,
        "private@ours.example",
        visibility="owner",
        **{**sending_fields(smtp_sink), "is_default": False},
    )
    page = world.open(f"/compose/?contact={world.ewa.pk}")
    expect(page.locator("#composer-readers")).not_to_contain_text("you alone")
    page.get_by_label("From").select_option(label="Alice <private@ours.example>")
    expect(page.locator("#composer-readers")).to_contain_text("will be visible to you alone")
    assert not world.complaints


@pytest.mark.parametrize("path", ["/compose/", "/mail/drafts/", "/mail/scheduled/"])
def test_on_a_phone_nothing_scrolls_sideways(world, path):
    page = world.open(path, width=375)
    if path == "/compose/":
        expect(text_of(page)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and not world.complaints


def test_on_a_phone_an_answer_is_a_page_of_its_own(world):
    deliver(world.account, EWA, world.account.address, "Invoice 114")
    page = world.open(f"/contacts/{world.ewa.pk}/", width=375)
    page.get_by_role("link", name="Reply", exact=False).first.click()
    page.wait_for_url("**/compose/?reply=*")
    expect(page.get_by_label("Subject")).to_have_value("Re: Invoice 114")


def test_without_scripts_a_mail_is_written_and_taken_back(world):
    page = world.open(f"/compose/?contact={world.ewa.pk}", java_script_enabled=False)
    page.get_by_label("Subject").fill("Plain offer")
    page.get_by_label("Text of the mail").fill("Dear Ewa,\nno scripts here.")
    page.locator("[data-send]").click()
    expect(page.get_by_role("heading", name="Scheduled")).to_be_visible()
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_label("Text of the mail")).to_have_value("Dear Ewa,\nno scripts here.")
