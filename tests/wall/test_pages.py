"""The pages of the wall, "Email messages", messages, frames and search, for everybody."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from selectolax.lexbor import LexborHTMLParser

from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.wall import queries
from mailwall.wall.models import Note
from tests.cast import make_account, make_contact
from tests.wall.seed import deliver, deliver_raw, raw_mail

EWA, ME = "Ewa Kwiatkowska <ewa@kwiat.example>", "alice@ours.example"


def page(user, url: str, *, htmx: bool = False, method: str = "get", language: str = "en", **fields: str) -> str:
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(user)
    client.cookies["mailwall_language"] = language
    answer = getattr(client, method)(url, fields)
    assert answer.status_code in (200, 302), (url, answer.status_code)
    return answer.content.decode()


@pytest.fixture
def ewa(cast):
    return contacts.create_contact(cast.alice, ContactInput(name="Ewa Kwiatkowska", emails=["ewa@kwiat.example"]))


@pytest.fixture
def account(cast):
    return make_account(cast.alice, ME)


def test_a_wall_shows_mail_with_all_that_a_card_has(cast, ewa, account):
    message = deliver(
        account,
        EWA,
        f"Alice <{ME}>",
        "Invoice 2026/114",
        "Thank you.\n\nOn Monday Alice wrote:\n> the old text",
        cc="books@acme.example",
        files=("plan.pdf",),
    )
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    for part in (
        "Invoice 2026/114",
        "Received",
        "books@acme.example",
        "plan.pdf",
        "Thank you.",
        "Show quoted text",
        "Who can see this?",
        "4 people",
        ME,
    ):
        assert part in html, part
    assert html.index("Thank you.") < html.index("<summary>Show quoted text") < html.index("the old text")
    assert f'href="/mail/{message.pk}/"' in html


def test_an_empty_wall_says_what_will_come(cast, ewa):
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    assert "No history yet." in html and "Emails with ewa@kwiat.example will appear here by themselves." in html


def test_filters_stand_in_the_address_and_can_be_cleared(cast, ewa, account):
    deliver(account, EWA, ME, "Green horse")
    assert "Green <mark>horse</mark>" in page(cast.alice, f"/contacts/{ewa.pk}/?q=horse")
    html = page(cast.alice, f"/contacts/{ewa.pk}/?q=zebra&type=email")
    assert "Nothing in this history matches." in html and f'href="/contacts/{ewa.pk}/"' in html


def test_more_filters_narrow_by_day_way_attachment_and_person(cast, account):
    kwiat = contacts.create_contact(cast.alice, ContactInput(kind="company", name="Kwiat"))
    jan, _ola = (
        contacts.create_contact(
            cast.alice, ContactInput(name=name, emails=[f"{name}@kwiat.example"], company_id=kwiat.pk)
        )
        for name in ("jan", "ola")
    )
    deliver(account, "jan@kwiat.example", ME, "Old plan", days_ago=40, files=("plan.pdf",))
    deliver(account, "ola@kwiat.example", ME, "New question", days_ago=2)
    deliver(account, ME, "ola@kwiat.example", "An answer", direction="sent", days_ago=1)
    day = f"{timezone.localdate() - timedelta(days=10):%Y-%m-%d}"
    subjects = {"Old plan", "New question", "An answer"}
    for asked, expected in (
        ({"since": day}, {"New question", "An answer"}),
        ({"until": day}, {"Old plan"}),
        ({"way": "sent"}, {"An answer"}),
        ({"file": "1"}, {"Old plan"}),
        ({"person": str(jan.pk)}, {"Old plan"}),
        ({"person": "999999", "way": "sideways", "since": "soon"}, subjects),
        ({"q": "question", "until": day}, set()),
    ):
        html = page(cast.alice, f"/contacts/{kwiat.pk}/", **asked)
        assert {subject for subject in subjects if subject in html} == expected, asked
    assert "Nothing in this history matches." in html and '<details class="wall-narrow" open' in html


def test_a_history_says_which_month_its_entries_are_of(cast, ewa, account):
    for days in (0, 1, 40, 41):
        deliver(account, EWA, ME, f"Mail of {days} days ago", days_ago=days)
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    parts = re.findall(r'<p class="wall-stretch">([^<]+)', html)
    assert parts[:2] == ["Today", "Yesterday"] and 3 <= len(parts) <= 4


def test_older_entries_come_by_link_and_by_htmx(cast, ewa, account):
    for number in range(25):
        deliver(account, EWA, ME, f"Mail number {number:02}", days_ago=number + 1)
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    assert "Mail number 19" in html and "Mail number 20" not in html
    older = re.search(r'href="(/contacts/\d+/\?before=[^"]+)"', html)[1].replace("&amp;", "&")
    assert "Mail number 20" in page(cast.alice, older) and "Mail number 19" not in page(cast.alice, older)
    part = re.search(r'hx-get="(/contacts/\d+/feed/\?before=[^"]+)"', html)[1].replace("&amp;", "&")
    fragment = page(cast.alice, part, htmx=True)
    assert "Mail number 24" in fragment and "<html" not in fragment


def test_notes_are_written_changed_and_deleted_without_and_with_htmx(cast, ewa):
    for htmx in (False, True):
        page(cast.alice, f"/contacts/{ewa.pk}/notes/", htmx=htmx, method="post", text="Wants delivery in week 48")
        note = Note.objects.get()
        assert "Wants delivery" in page(cast.charlie, f"/contacts/{ewa.pk}/")
        assert f"/notes/{note.pk}/edit/" not in page(cast.charlie, f"/contacts/{ewa.pk}/")
        page(cast.alice, f"/notes/{note.pk}/edit/", htmx=htmx, method="post", **{f"n{note.pk}-text": "Week 49"})
        assert "Week 49" in page(cast.alice, f"/contacts/{ewa.pk}/")
        assert "Delete this note?" in page(cast.alice, f"/notes/{note.pk}/delete/", htmx=htmx)
        page(cast.alice, f"/notes/{note.pk}/delete/", htmx=htmx, method="post")
        assert not Note.objects.exists()


def test_a_note_of_others_is_not_touched(cast, ewa):
    page(cast.alice, f"/contacts/{ewa.pk}/notes/", method="post", text="Mine")
    client = Client()
    client.force_login(cast.charlie)
    for address in ("edit", "delete"):
        assert client.post(f"/notes/{Note.objects.get().pk}/{address}/").status_code == 403


def test_an_empty_note_is_refused_in_words(cast, ewa):
    client = Client()
    client.force_login(cast.alice)
    answer = client.post(f"/contacts/{ewa.pk}/notes/", {"text": "  "})
    assert answer.status_code == 422 and "Write something first." in answer.content.decode()
    assert "Write something first." in page(cast.alice, f"/contacts/{ewa.pk}/notes/", htmx=True, method="post", text="")


def test_the_rest_of_a_thread_is_loaded_on_request(cast, ewa, account):
    deliver(account, EWA, ME, "Offer", message_id="one@x.example", days_ago=3)
    last = deliver(account, EWA, ME, "Re: Offer", answers="one@x.example", days_ago=2)
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    assert "Show 1 more message of this thread" in html
    thread = page(cast.alice, f"/contacts/{ewa.pk}/thread/{last.pk}/", htmx=True)
    assert ">Offer<" in thread and "Re: Offer" not in thread
    assert ">Offer<" in page(cast.alice, f"/mail/{last.pk}/thread/")


def test_html_is_shown_in_a_frame_that_runs_nothing(cast, ewa, account):
    message = deliver(
        account, EWA, ME, "S", "text", html='<p>Hi</p><script>alert(1)</script><img src="https://track.example/x.gif">'
    )
    html = page(cast.alice, f"/contacts/{ewa.pk}/")
    frame = re.search(r"<iframe[^>]*>", html)[0]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in frame and 'loading="lazy"' in frame
    assert "allow-scripts" not in html and "allow-same-origin" not in html and "Images blocked" in html
    client = Client()
    client.force_login(cast.alice)
    answer = client.get(reverse("wall:frame", args=[message.pk]))
    policy = answer["Content-Security-Policy"]
    assert (
        policy.startswith("sandbox")
        and "default-src 'none'" in policy
        and "https:" not in policy
        and "allow-scripts" not in policy
    )
    assert answer["X-Frame-Options"] == "SAMEORIGIN" and answer["Referrer-Policy"] == "no-referrer"
    assert "<script" not in answer.content.decode() and " src=" not in answer.content.decode()
    shown = client.get(reverse("wall:frame", args=[message.pk]) + "?images=1")
    assert (
        'src="https://track.example/x.gif"' in shown.content.decode() and "https:" in shown["Content-Security-Policy"]
    )
    assert "script-src" not in shown["Content-Security-Policy"] and shown["Referrer-Policy"] == "no-referrer"


def test_a_mail_can_be_read_as_text(cast, account):
    message = deliver(account, EWA, ME, "S", "The plain words", html="<p>The formatted words</p>")
    assert "<iframe" in page(cast.alice, f"/mail/{message.pk}/")
    assert "The plain words" in page(cast.alice, f"/mail/{message.pk}/?view=text")
    assert "The plain words" in page(cast.alice, f"/mail/{message.pk}/body/?view=text", htmx=True)


def test_email_messages_have_tabs_with_counts(cast, ewa, account):
    other = make_account(cast.bob, "bob@ours.example", visibility="owner")
    deliver(account, EWA, ME, "Received one")
    deliver(account, ME, "ewa@kwiat.example", "Sent one", direction="sent")
    deliver(account, "jan@nowy.example", ME, "Unknown one")
    deliver(other, "jan@nowy.example", "bob@ours.example", "Private one")
    wanted = {
        "": {"Received one", "Sent one", "Unknown one"},
        "received": {"Received one", "Unknown one"},
        "sent": {"Sent one"},
        "unassigned": {"Unknown one"},
    }
    for tab, subjects in wanted.items():
        html = page(cast.alice, f"/mail/?tab={tab}")
        assert {s for s in ("Received one", "Sent one", "Unknown one", "Private one") if s in html} == subjects
        counts = re.findall(r'&nbsp;<span class="text-secondary">(\d+)', html)
        assert counts == ["3", "2", "1", "1"]
    assert "bob@ours.example" not in page(cast.alice, "/mail/")


def test_tabs_count_mails_and_not_their_copies_up_to_a_number(cast, account, monkeypatch):
    monkeypatch.setattr(queries, "MAX_COUNTED", 3)
    others = [account, *(make_account(cast.bob, f"bob{n}@ours.example", visibility="everyone") for n in range(4))]
    for number, shown in enumerate(["1", "2", "2+", "2+"]):
        raw = raw_mail("jan@nowy.example", ME, f"Mail {number}", message_id=f"{number}@x.example")
        for each in others:
            deliver_raw(each, raw)
        counts = re.findall(r'&nbsp;<span class="text-secondary">([^<]*)<', page(cast.alice, "/mail/"))
        assert counts == [shown, shown, "0", shown]


def test_the_same_mail_is_one_row(cast, ewa, account):
    raw = raw_mail(EWA, f"{ME}, bob@ours.example", "To both", message_id="both@x.example")
    mine, theirs = deliver_raw(account, raw), deliver_raw(make_account(cast.bob, "bob@ours.example"), raw)
    for viewer, own in ((cast.alice, mine), (cast.bob, theirs)):
        html = page(viewer, "/mail/")
        assert html.count("mail-row mw-plain") == 1 and f"/mail/{own.pk}/" in html and "2 copies" in html
    html = page(cast.alice, f"/mail/{mine.pk}/")
    assert "The same mail in other accounts" in html and f"/mail/{theirs.pk}/" in html


def test_a_message_says_why_it_is_where_it_is(cast, ewa, account):
    message = deliver(account, EWA, ME, "S")
    html = page(cast.alice, f"/mail/{message.pk}/")
    assert "Assigned to" in html and "From: ewa@kwiat.example" in re.sub(r"\s+", " ", html)
    preview = page(cast.alice, f"/mail/{message.pk}/", htmx=True)
    assert "<html" not in preview and "Assigned to" in preview


def test_a_message_is_assigned_and_unassigned_by_hand(cast, ewa, account):
    message = deliver(account, "jan@nowy.example", ME, "S")
    assert "Unassigned" in page(cast.alice, f"/mail/{message.pk}/")
    assert "Ewa Kwiatkowska" in page(cast.alice, f"/mail/{message.pk}/assign/?q=kwiat")
    page(cast.alice, f"/mail/{message.pk}/assign/{ewa.pk}/", method="post")
    assert "by hand" in page(cast.alice, f"/mail/{message.pk}/")
    assert "Unassigned" in page(cast.alice, f"/mail/{message.pk}/unassign/{ewa.pk}/", htmx=True, method="post")


def test_who_can_see_a_message_is_told_by_name_and_rule(cast, account):
    account.visibility = "owner_and_managers"
    account.save()
    message = deliver(account, EWA, ME, "S")
    html = page(cast.alice, f"/mail/{message.pk}/seers/", htmx=True)
    flat = re.sub(r"<[^>]*>|\s+", " ", html)
    assert re.search(r"Alice +\( *owner", flat.replace("  ", " ")) and "Bob" in flat and "manager" in flat
    assert "Not visible to: Charlie, Erin" in re.sub(r" +", " ", flat)


def test_search_finds_contacts_mail_and_notes(cast, ewa, account):
    deliver(account, EWA, ME, "Green horse")
    page(cast.alice, f"/contacts/{ewa.pk}/notes/", method="post", text="About the horse of Kwiat")
    html = page(cast.alice, "/search?q=horse")
    assert "Green <mark>horse</mark>" in html and "About the <mark>horse</mark>" in html
    assert "Green" not in page(cast.alice, "/search?q=horse&type=note")
    assert "Green" in page(cast.alice, "/search?q=horse&order=best", htmx=True)
    assert f"/contacts/{ewa.pk}/" in page(cast.alice, "/search?q=kwiatkowska")
    assert "Nothing that you may see matches." in page(cast.alice, "/search?q=nosuchword")
    assert "Search the text of messages" in page(cast.alice, "/search")


PAYLOAD = "<img src=x onerror=alert(1)><script>alert(2)</script>\"'><svg onload=alert(3)>"


def test_the_palette_offers_contacts_pages_deeds_and_the_search(cast, ewa):
    def options(q: str, language: str = "en") -> list[tuple[str, str]]:
        tree = LexborHTMLParser(page(cast.charlie, "/search/palette", q=q, htmx=True, language=language))
        return [(node.attributes["href"] or "", " ".join(node.text().split())) for node in tree.css("[role=option]")]

    assert ("/contacts/", "Contacts") in options("") and ("/contacts/new/", "New person") in options("")
    assert options("kwiatk") == [
        (f"/contacts/{ewa.pk}/", "Ewa Kwiatkowska ewa@kwiat.example"),
        ("/search?q=kwiatk", "Search all mail for “kwiatk”"),
    ]
    assert options("acc add")[0] == ("/settings/email-accounts/new/", "Add an email account")
    assert ("/contacts/", "Kontakty") in options("KONT", "pl")
    assert options("<b>")[-1] == ("/search?q=%3Cb%3E", "Search all mail for “<b>”")


def test_no_field_of_a_mail_or_note_becomes_markup(cast, account):
    contact = make_contact(PAYLOAD, "ewa@kwiat.example")
    message = deliver(
        account,
        f"{_quoted(PAYLOAD)} <ewa@kwiat.example>",
        f"{_quoted(PAYLOAD)} <{ME}>",
        PAYLOAD,
        PAYLOAD,
        html=f"<p>{PAYLOAD}</p>",
        files=("x.pdf",),
        List_Id=PAYLOAD,
        Reply_To=f"{_quoted(PAYLOAD)} <r@x.example>",
    )
    account.address = PAYLOAD
    account.save()
    message.attachments.update(filename=PAYLOAD, content_type=PAYLOAD)
    message.message_id, message.defects, message.on_server = PAYLOAD, [PAYLOAD], True
    message.save()
    cast.alice.name = PAYLOAD
    cast.alice.save()
    page(cast.alice, f"/contacts/{contact.pk}/notes/", method="post", text=PAYLOAD)
    urls = [
        "/",
        "/mail/",
        f"/mail/{message.pk}/",
        f"/mail/{message.pk}/?view=text",
        f"/mail/{message.pk}/seers/",
        f"/mail/{message.pk}/assign/?q=img",
    ]
    urls += [
        f"/contacts/{contact.pk}/",
        f"/contacts/{contact.pk}/?q=alert",
        "/search?q=alert",
        f"/search?q={PAYLOAD}",
        f"/mail/?q={PAYLOAD}",
        f"/contacts/{contact.pk}/?q={PAYLOAD}",
        f"/mail/{message.pk}/frame/",
    ]
    for url in urls:
        for htmx in (False, True):
            html = page(cast.alice, url, htmx=htmx)
            tree = LexborHTMLParser(html)
            assert not tree.css("img[src=x], script:not([src]), svg[onload]"), url
            assert not [name for node in tree.css("*") for name in node.attributes if name.startswith("on")], url


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_pages_speak_polish(cast, ewa, account):
    cast.alice.language = "pl"
    cast.alice.save()
    deliver(account, EWA, ME, "S")
    for url, word in (
        (f"/contacts/{ewa.pk}/", "Dodaj notatkę"),
        ("/mail/", "Odebrane"),
        ("/search", "Szukaj"),
        ("/", "Czekają na"),
    ):
        assert word in page(cast.alice, url), url
    for url in (f"/contacts/{ewa.pk}/", "/mail/", "/"):
        assert 'lang="pl"' in page(cast.alice, url)


@pytest.mark.parametrize(
    "url",
    [
        "/contacts/99/",
        "/mail/99/",
        "/mail/99999999999999999999/",
        "/mail/99/frame/",
        "/mail/99/seers/",
        "/contacts/99/feed/",
        "/notes/99/",
    ],
)
def test_what_is_not_there_is_404(cast, url):
    client = Client()
    client.force_login(cast.alice)
    assert client.get(url).status_code == 404


@pytest.mark.parametrize("url", ["/", "/mail/", "/mail/1/", "/mail/1/frame/", "/contacts/1/", "/search?q=x"])
def test_signed_out_visitors_are_sent_to_sign_in(db, url):
    answer = Client().get(url)
    assert answer.status_code == 302 and "login" in answer["Location"]
