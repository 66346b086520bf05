"""The composer over HTTP: drafts that are saved, attached to, sent, taken back and thrown away, each by its writer."""

from __future__ import annotations

import email
import email.policy
import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount
from mailwall.sending import signatures
from mailwall.sending.models import DraftMessage, Outgoing
from tests.cast import make_account
from tests.wall.seed import deliver

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
QUIET = {"X-Autosave": "1"}
ME, EWA = "alice@ours.example", "Ewa <ewa@kwiat.example>"


class Writer:
    """Alice with an account that sends, signed in; `form` is what the composer's form holds."""

    def __init__(self, cast: Any) -> None:
        self.cast = cast
        self.account = make_account(
            cast.alice, ME, smtp_host="127.0.0.1", smtp_port=25, sending_active=True, is_default=True
        )
        self.ewa = contacts.create_contact(
            cast.alice, ContactInput(first_name="Ewa", last_name="Kwiat", emails=["ewa@kwiat.example"])
        )
        self.client = self.signed_in(cast.alice)

    def signed_in(self, user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def form(self, **changed: Any) -> dict[str, Any]:
        given = {
            "to": EWA, "subject": "Offer", "body": "<p>Dear Ewa</p>", "version": "0", "mode": "new",
            "with_signature": "1", "with_quote": "1",
        }  # fmt: skip
        return {**given, **changed}

    def post(self, draft_id: Any, deed: str, *, headers: dict[str, str] | None = None, **changed: Any) -> Any:
        return self.client.post(f"/compose/{draft_id}/{deed}/", self.form(**changed), headers=headers or {})

    def draft(self, **changed: Any) -> DraftMessage:
        draft_id = uuid.uuid4()
        assert self.post(draft_id, "save", headers=QUIET, **changed).status_code == 200
        return DraftMessage.objects.get(pk=draft_id)


@pytest.fixture
def writer(cast: Any) -> Writer:
    return Writer(cast)


def test_a_new_message_opens_empty_and_is_no_draft_before_something_is_saved(writer):
    page = writer.client.get("/compose/")
    assert page.status_code == 200 and b'id="composer"' in page.content
    assert not DraftMessage.objects.exists()


def test_a_message_to_a_contact_begins_with_their_address(writer):
    page = writer.client.get("/compose/", {"contact": writer.ewa.pk}, headers=HTMX).content.decode()
    assert "Ewa Kwiat &lt;ewa@kwiat.example&gt;" in page and "<html" not in page


def test_a_draft_is_saved_cleaned_and_found_again(writer):
    draft = writer.draft(body='<p onclick="x()">Hi<script>alert(1)</script></p>', subject="A\r\nBcc: x@y.example")
    assert draft.body == "<p>Hi</p>" and draft.subject == "A Bcc: x@y.example" and draft.version == 1
    page = writer.client.get(f"/compose/{draft.pk}/").content.decode()
    assert "&lt;p&gt;Hi&lt;/p&gt;" in page and re.search(r'name="version" value="1"', page)
    assert "A Bcc: x@y.example" in writer.client.get("/mail/drafts/").content.decode()


def test_saving_upon_an_old_version_is_told_and_the_writer_may_choose(writer):
    draft = writer.draft()
    assert writer.post(draft.pk, "save", headers=QUIET, version="1", body="<p>First tab</p>").status_code == 200
    second = writer.post(draft.pk, "save", headers=QUIET, version="1", body="<p>Second tab</p>")
    assert second.status_code == 409 and b"changed in another window" in second.content
    kept = writer.post(draft.pk, "save", headers=QUIET, version="1", over="2", body="<p>Second tab</p>")
    draft.refresh_from_db()
    assert kept.status_code == 200 and draft.body == "<p>Second tab</p>"


def test_saving_the_same_twice_is_no_conflict(writer):
    draft = writer.draft()
    for _ in range(2):
        assert writer.post(draft.pk, "save", headers=QUIET, version="1", body="<p>Same</p>").status_code == 200


def test_a_conflict_without_scripts_keeps_what_was_typed(writer):
    draft = writer.draft()
    writer.post(draft.pk, "save", version="1", body="<p>First</p>")
    page = writer.post(draft.pk, "save", version="1", body="<p>Second</p>")
    assert page.status_code == 409 and "&lt;p&gt;Second&lt;/p&gt;" in page.content.decode()


@pytest.mark.parametrize("who", ["bob", "charlie", "erin"])
def test_a_draft_is_its_writers_alone(writer, who):
    draft = writer.draft(subject="Private words")
    other = writer.signed_in(getattr(writer.cast, who))
    assert other.get(f"/compose/{draft.pk}/").status_code == 404
    for deed in ("save", "send", "files", "plain", "template"):
        assert other.post(f"/compose/{draft.pk}/{deed}/", writer.form(version="1")).status_code == 404, deed
    assert other.post(f"/compose/{draft.pk}/discard/", {}).status_code == 404
    assert other.post(f"/compose/{draft.pk}/restore/", {}).status_code == 404
    assert "Private words" not in other.get("/mail/drafts/").content.decode()
    draft.refresh_from_db()
    assert draft.discarded_at is None and draft.version == 1
    assert Client().get(f"/compose/{draft.pk}/").status_code == 302


def test_sending_holds_the_mail_and_a_double_click_sends_once(writer):
    draft = writer.draft()
    for _ in range(2):
        answer = writer.post(draft.pk, "send", headers=HTMX, version="1")
        assert answer.status_code == 204 and answer["HX-Redirect"] == "/mail/"
    [outgoing] = Outgoing.objects.all()
    assert outgoing.state == "held" and outgoing.receivers == ["ewa@kwiat.example"]
    assert writer.client.get("/mail/drafts/").content.decode().count("Offer") == 0
    toast = writer.client.get("/outgoing/undo/", headers=HTMX).content.decode()
    assert "data-undo" in toast and f"/outgoing/{outgoing.pk}/undo/" in toast


def test_what_cannot_be_sent_is_told_at_its_field_and_stays(writer):
    page = writer.post(uuid.uuid4(), "send", headers=HTMX, to="jan@@nowak, Ewa <ewa@kwiat.example>")
    text = page.content.decode()
    assert page.status_code == 422 and "“jan@@nowak” is not an address." in text and 'name="version" value="1"' in text
    nobody = writer.post(uuid.uuid4(), "send", headers=HTMX, to="")
    assert nobody.status_code == 422 and "Say to whom the mail goes." in nobody.content.decode()
    assert not Outgoing.objects.exists()


def test_undo_opens_the_draft_again_and_what_is_sent_then_is_the_new_text(writer):
    draft = writer.draft(body="<p>Old words</p>")
    writer.post(draft.pk, "send", version="1", body="<p>Old words</p>")
    first = Outgoing.objects.get()
    undone = writer.client.post(f"/outgoing/{first.pk}/undo/", headers=HTMX)
    assert undone["HX-Redirect"] == f"/compose/{draft.pk}/"
    page = writer.client.get(f"/compose/{draft.pk}/").content.decode()
    version = re.search(r'name="version" value="(\d+)"', page)
    assert "Old words" in page and version
    writer.post(draft.pk, "send", version=version[1], body="<p>New words</p>")
    states = dict(Outgoing.objects.values_list("pk", "state"))
    assert states.pop(first.pk) == "cancelled" and list(states.values()) == ["held"]


def test_nobody_else_takes_a_mail_back(writer):
    writer.post(writer.draft().pk, "send", version="1")
    outgoing = Outgoing.objects.get()
    for user in (writer.cast.bob, writer.cast.erin):
        other = writer.signed_in(user)
        for deed in ("undo", "now", "cancel", "edit"):
            assert other.post(f"/outgoing/{outgoing.pk}/{deed}/").status_code == 404, deed


def test_a_word_about_an_attachment_without_one_asks_first(writer):
    draft_id = uuid.uuid4()
    asked = writer.post(draft_id, "send", headers=HTMX, body="<p>W załączniku oferta</p>")
    assert asked.status_code == 422 and "Send anyway" in asked.content.decode() and not Outgoing.objects.exists()
    sent = writer.post(draft_id, "send", headers=HTMX, version="1", body="<p>W załączniku oferta</p>", confirmed="1")
    assert sent.status_code == 204 and Outgoing.objects.count() == 1


def test_files_are_attached_removed_and_refused_in_words(writer):
    draft = writer.draft()
    files = [SimpleUploadedFile("offer.pdf", b"%PDF"), SimpleUploadedFile("setup.EXE", b"MZ")]
    page = writer.post(draft.pk, "files", headers=HTMX, version="1", files=files)
    text = page.content.decode()
    assert page.status_code == 422 and "offer.pdf" in text and "setup.EXE cannot be attached" in text
    file = draft.files.get()
    assert bytes(file.raw_content) == b"%PDF" and "0.1 of 25 MB" in text
    writer.post(draft.pk, f"files/{file.pk}/remove", headers=HTMX, version="2")
    assert not draft.files.exists()


def test_too_much_is_refused_in_words(writer, monkeypatch):
    monkeypatch.setattr("mailwall.sending.rules.MAX_FILES_BYTES", 5)
    draft = writer.draft()
    page = writer.post(draft.pk, "files", headers=HTMX, version="1", files=[SimpleUploadedFile("a.txt", b"123456")])
    assert page.status_code == 422 and "a.txt does not fit" in page.content.decode()


def test_a_discarded_draft_comes_back_by_undo(writer):
    draft = writer.draft()
    page = writer.post(draft.pk, "discard", headers=HTMX, inline="composer-here").content.decode()
    assert (
        f"/compose/{draft.pk}/restore/" in page and "Offer" not in writer.client.get("/mail/drafts/").content.decode()
    )
    writer.client.post(f"/compose/{draft.pk}/restore/")
    assert "Offer" in writer.client.get("/mail/drafts/").content.decode()


def test_reply_all_keeps_cc_drops_own_addresses_and_honours_reply_to(writer):
    to = f"{ME}, jan@kwiat.example"
    mail = deliver(writer.account, EWA, to, "Price", cc="books@acme.example", Reply_To="sales@kwiat.example")
    page = writer.client.get("/compose/", {"reply_all": mail.pk}).content.decode()
    assert 'name="to" value="sales@kwiat.example, jan@kwiat.example"' in page
    assert 'name="cc" value="books@acme.example"' in page and 'value="Re: Price"' in page
    only = writer.client.get("/compose/", {"reply": mail.pk}).content.decode()
    assert 'name="to" value="sales@kwiat.example"' in only and 'name="cc" value=""' in only


@pytest.mark.parametrize("is_plain", ["", "1"])
def test_signature_and_quote_are_edited_inside_one_mail(writer, is_plain):
    signatures.save_signature(writer.cast.alice, "<p>Alice of <b>Sales</b></p>")
    mail = deliver(writer.account, EWA, ME, "Price", "What does it cost?")
    draft = writer.draft(mode="reply", original=str(mail.pk), is_plain=is_plain, body="Dear Ewa")
    again = {"version": "1", "is_plain": is_plain, "body": "Dear Ewa"}
    assert writer.post(draft.pk, "edit-quote", headers=HTMX, **again).status_code == 200
    draft.refresh_from_db()
    assert [draft.body.count(words) for words in ("Dear Ewa", "Alice of", "What does it cost?")] == [1, 1, 1]
    assert (draft.with_signature, draft.with_quote) == (False, False)
    edited = draft.body.replace("Alice of", "Alice, formerly of").replace("What does it", "How much does it")
    version = str(draft.version)
    writer.post(draft.pk, "send", version=version, body=edited, is_plain=is_plain, with_signature="", with_quote="")
    raw = email.message_from_bytes(bytes(Outgoing.objects.get().content.raw), policy=email.policy.default)
    text = raw.get_body(("plain",)).get_content()
    assert text.count("Alice") == 1 and "formerly of" in text and "How much does it cost?" in text


def test_a_mail_that_one_may_not_see_is_not_quoted(writer):
    secret = make_account(writer.cast.charlie, visibility="owner")
    mail = deliver(secret, EWA, "charlie@ours.example", "Secret", "secret words")
    page = writer.client.get("/compose/", {"reply": mail.pk}).content.decode()
    assert "Secret" not in page
    assert writer.client.get(f"/compose/quote/{mail.pk}/").status_code == 404
    assert writer.client.get(f"/compose/signature/{secret.pk}/").status_code == 404
    draft = writer.draft(mode="reply", original=str(mail.pk))
    assert draft.original_id is None


def test_default_account_that_cannot_send_is_told_and_never_replaced_in_silence(writer):
    other = make_account(
        writer.cast.alice, "other@ours.example", smtp_host="127.0.0.1", smtp_port=25, sending_active=True
    )
    EmailAccount.objects.filter(pk=writer.account.pk).update(sending_error="Password refused.")
    page = writer.client.get("/compose/").content.decode()
    assert (
        "Password refused." in page
        and "This mail goes from other@ours.example." in page
        and 'id="composer-from"' in page
    )
    draft_id = uuid.uuid4()
    told = writer.post(draft_id, "send", account=str(writer.account.pk))
    assert (told.status_code, Outgoing.objects.count()) == (422, 0)
    assert "refuses to sign in" in told.content.decode()
    writer.post(draft_id, "send", version="1", account=str(other.pk))
    assert Outgoing.objects.get().account == other


def test_completion_knows_contacts_and_visible_correspondents_alone(writer):
    deliver(writer.account, "Jan Nowak <jan.nowak@else.example>", ME)
    hidden = make_account(writer.cast.charlie, visibility="owner")
    deliver(hidden, "jan.secret@else.example", "charlie@ours.example")
    found = writer.client.get("/compose/people/", {"q": "jan"}).content.decode()
    assert "jan.nowak@else.example" in found and "jan.secret" not in found
    assert "ewa@kwiat.example" in writer.client.get("/compose/people/", {"q": "kwi"}).content.decode()


def test_send_later_waits_is_listed_and_goes_now_on_demand(writer):
    page = writer.post(uuid.uuid4(), "send", headers=HTMX, when="pick", send_at="2001-01-01T08:00")
    assert page.status_code == 422 and "This moment has passed" in page.content.decode()
    writer.post(uuid.uuid4(), "send", when="tomorrow")
    outgoing = Outgoing.objects.get()
    assert outgoing.send_at is not None and outgoing.state == "held"
    assert "Offer" in writer.client.get("/mail/scheduled/").content.decode()
    writer.client.post(f"/outgoing/{outgoing.pk}/now/")
    outgoing.refresh_from_db()
    assert outgoing.state != "cancelled" and outgoing.due_at <= outgoing.send_at


def test_without_an_account_the_composer_says_what_to_do(writer):
    other = writer.signed_in(writer.cast.charlie)
    assert "Connect a mailbox to send from here." in other.get("/compose/").content.decode()
    make_account(writer.cast.charlie, "charlie@ours.example")
    assert "only receives" in other.get("/compose/").content.decode()


def test_a_placeholder_without_a_value_blocks_sending_and_is_named(writer):
    page = writer.post(uuid.uuid4(), "send", headers=HTMX, body="<p>Dear {{first_name}} of {{company}}</p>")
    assert page.status_code == 422 and "There is no value for company." in page.content.decode()
    sent = writer.post(uuid.uuid4(), "send", headers=HTMX, body="<p>Dear {{first_name}} of {{company|your firm}}</p>")
    assert sent.status_code == 204


def test_the_composer_opens_with_few_queries(writer, django_assert_max_num_queries):
    mail = deliver(writer.account, EWA, ME, "Price")
    writer.client.get("/compose/")
    with django_assert_max_num_queries(22):
        writer.client.get("/compose/", {"reply_all": mail.pk})
