"""What the search finds, for whom, in which order: the same on both databases."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import pytest

from mailwall.mailstore import rules as mailstore_rules
from mailwall.mailstore.models import Message
from mailwall.wall import full_text, search
from tests.cast import make_account, make_contact
from tests.wall.seed import NOW, deliver, deliver_raw, raw_mail

EWA, ME = "Ewa Kwiatkowska <ewa@kwiat.example>", "alice@ours.example"


def day(ago: int) -> str:
    return (NOW - timedelta(days=ago)).date().isoformat()


@pytest.fixture
def mails(cast):
    account = make_account(cast.alice, ME)
    ewa = make_contact("Ewa Kwiatkowska", "ewa@kwiat.example")
    deliver(account, EWA, ME, "Żółw w mieście", "Piękny żółw szedł przez Łódź i jadł gęś", message_id="zolw@x")
    deliver(
        account,
        "Jürgen <info@bauer.example>",
        ME,
        "Angebot aus München",
        "Die Müller GmbH grüßt aus der Übergröße",
        message_id="munchen@x",
    )
    deliver(
        account,
        EWA,
        ME,
        "Invoice 2026/114",
        "Please find the invoice for the green horse enclosed",
        files=("umowa-kowalski.pdf",),
        days_ago=9,
        message_id="invoice@x",
    )
    deliver(
        account,
        "jan@kwiat.example",
        ME,
        "Horse",
        "The horse is green as grass and the invoicing is late",
        days_ago=3,
        message_id="horse@x",
    )
    deliver(
        account,
        f"Alice <{ME}>",
        "ewa@kwiat.example",
        "Offer",
        "Our quotation for one pelican",
        direction="sent",
        days_ago=5,
        message_id="sent@x",
    )
    deliver(
        account,
        EWA,
        ME,
        "Re: something",
        "Yes.\n\nOn Monday Alice wrote:\n> the original mentions a wombat here",
        message_id="quoted@x",
    )
    deliver(account, EWA, ME, "Long one", "filler word " * 3000 + "needle at the very end", message_id="late@x")
    private = make_account(cast.alice, "alice.private@ours.example", visibility="owner")
    deliver(
        private,
        EWA,
        "alice.private@ours.example",
        "Secret zebra",
        "The zebra knows the green horse and the żółw",
        files=("zebra.pdf",),
        message_id="private@x",
    )
    return ewa


QUERIES = [
    ("zolw", {"zolw"}),
    ("ŻÓŁW", {"zolw"}),
    ("Lodz", {"zolw"}),
    ("piekny zolw", {"zolw"}),
    ("ubergro", {"munchen"}),
    ("grass", {"horse"}),
    ("invoic", {"invoice", "horse"}),
    ("invoicing", {"horse"}),
    ("invo green", set()),
    ("horse green", {"invoice", "horse"}),
    ('"green horse"', {"invoice"}),
    ('"green hors"', set()),
    ("umowa kowalski", {"invoice"}),
    ("pelican in:sent", {"sent"}),
    ("pelican in:received", set()),
    ("from:jan@kwiat.example", {"horse"}),
    ("to:ewa@kwiat.example", {"sent"}),
    ("from:alice", {"sent"}),
    ("has:attachment", {"invoice"}),
    (f"green after:{day(5)}", {"horse"}),
    (f"green before:{day(5)}", {"invoice"}),
    (f"after:{day(3)} before:{day(2)} green", {"horse"}),
    ("wombat", {"quoted"}),
    ("needle", {"late"}),
    ("2026/114", {"invoice"}),
    ("kwiatkowska", {"zolw", "invoice", "quoted", "late"}),
    ("zolw nosuchword", set()),
    ("from:kwiatkowska pelican", set()),
]


@pytest.mark.parametrize(("q", "wanted"), QUERIES)
def test_a_query_finds_what_it_should(cast, api, mails, q, wanted, monkeypatch):
    for plan in (0, 2_000):  # by the index, and from the viewer's messages
        monkeypatch.setattr(search, "SEES_LITTLE", plan)
        for viewer in (cast.charlie, cast.alice):
            items = api(viewer).get("/search", q=q, type="email").json()["items"]
            names = [api(viewer).get(f"/messages/{item['id']}").json()["message_id"].split("@")[0] for item in items]
            assert set(names) - {"private"} == wanted and len(names) == len(set(names))
            assert viewer is cast.alice or "private" not in names


def test_the_owner_finds_private_mail_and_nobody_else_a_trace_of_it(cast, api, mails):
    for q in ("zebra", "zolw", "from:ewa@kwiat.example", "has:attachment", "secret"):
        assert "zebra" in api(cast.alice).get("/search", q=q).content.decode().lower()
        for viewer in (cast.bob, cast.charlie, cast.erin):
            assert "zebra" not in api(viewer).get("/search", q=q).content.decode().lower()


@pytest.mark.parametrize("q", ["needle", "zolw", "wombat", "kowalski", "pelican"])
def test_a_snippet_shows_the_hit_marked(cast, api, mails, q):
    [item] = api(cast.charlie).get("/search", q=q).json()["items"]
    assert "<mark>" in item["snippet"] and len(re.sub("<[^>]*>", "", item["snippet"])) < 300
    assert item["subject"] and item["at"]


def test_a_snippet_is_escaped(cast, api):
    account = make_account(cast.alice, ME)
    deliver(account, EWA, ME, "x", "a <script>alert(1)</script> & horse <b>")
    [item] = api(cast.alice).get("/search", q="horse").json()["items"]
    assert (
        "<script>" not in item["snippet"]
        and "&lt;script&gt;" in item["snippet"]
        and "<mark>horse</mark>" in item["snippet"]
    )


def test_notes_are_found_among_mail_newest_first(cast, api, mails):
    note = api(cast.alice).post(f"/contacts/{mails.pk}/notes", {"text": "Called about the Kamień horse"}).json()
    items = api(cast.charlie).get("/search", q="horse").json()["items"]
    assert [item["type"] for item in items] == ["note", "email", "email"]
    assert items[0]["id"] == note["id"] and items[0]["contacts"][0]["id"] == mails.pk
    assert [item["type"] for item in api(cast.charlie).get("/search", q="kamien").json()["items"]] == ["note"]
    assert [item["type"] for item in api(cast.charlie).get("/search", q="horse in:received").json()["items"]] == [
        "email"
    ] * 2
    assert api(cast.charlie).get("/search", q="horse", type="email").json()["items"] == items[1:]


def test_results_come_page_by_page(cast, api, mails):
    api(cast.alice).post(f"/contacts/{mails.pk}/notes", {"text": "green horse"})
    whole = api(cast.charlie).get("/search", q="green").json()["items"]
    for order in ("newest", "best"):
        found, cursor = [], None
        while True:
            page = (
                api(cast.charlie)
                .get("/search", q="green", order=order, limit=1, **({"cursor": cursor} if cursor else {}))
                .json()
            )
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                break
        assert sorted(item["at"] for item in found) == sorted(item["at"] for item in whole) and len(whole) == 3


def test_best_first_puts_hits_in_the_subject_on_top(cast, api, mails):
    newest = [item["subject"] for item in api(cast.charlie).get("/search", q="invo").json()["items"]]
    best = [item["subject"] for item in api(cast.charlie).get("/search", q="invo", order="best").json()["items"]]
    assert newest == ["Horse", "Invoice 2026/114"] and best == newest[::-1]


def test_copies_in_several_accounts_are_one_hit(cast, api, mails, monkeypatch):
    other = make_account(cast.charlie, "charlie@ours.example")
    mail = deliver(
        other,
        EWA,
        ME,
        "Invoice 2026/114",
        "Please find the invoice for the green horse enclosed",
        files=("umowa-kowalski.pdf",),
        days_ago=9,
        message_id="invoice@x",
    )
    for plan in (0, 2_000):
        monkeypatch.setattr(search, "SEES_LITTLE", plan)
        [item] = api(cast.charlie).get("/search", q="kowalski").json()["items"]
        assert item["id"] == mail.pk


def test_dates_are_those_that_the_sender_wrote_whenever_the_mail_came(cast, api, monkeypatch):
    account = make_account(cast.alice, ME)
    for name, dated, came in (("moved", 900, 1), ("late", 30, 28), ("early", 3, 9), ("plain", 5, 5), ("old", 950, 950)):
        mail = deliver(account, EWA, ME, name, "horse", days_ago=came, message_id=f"{name}@x")
        date = NOW - timedelta(days=dated)
        Message.objects.filter(pk=mail.pk).update(date=date, odd_date=mailstore_rules.odd_date(date, mail.internaldate))
    asked = {
        f"after:{day(10)}": ["plain", "early"],
        f"after:{day(40)} before:{day(20)}": ["late"],
        f"before:{day(800)}": ["moved", "old"],
        f"after:{day(910)} before:{day(800)}": ["moved"],
        f"before:{day(4)}": ["moved", "plain", "late", "old"],
    }
    for little, odd in ((0, 1_000), (0, 0), (2_000, 1_000)):
        monkeypatch.setattr(search, "SEES_LITTLE", little)
        monkeypatch.setattr(search, "MAX_ODD", odd)
        for query, wanted in asked.items():
            for words in (f"hors {query}", query):
                items = api(cast.charlie).get("/search", q=words).json()["items"]
                assert [item["subject"] for item in items] == wanted, (words, little, odd)


@pytest.mark.parametrize("limits", [(300, 5_000), (2, 5_000), (300, 0), (2, 0), (1, 0)])
def test_a_prefix_finds_every_word_that_begins_so_however_it_is_asked(cast, api, mails, monkeypatch, limits):
    monkeypatch.setattr(full_text, "MAX_COMPLETIONS", limits[0])
    monkeypatch.setattr(full_text, "FEW_HITS", limits[1])
    for little in (0, 2_000):
        monkeypatch.setattr(search, "SEES_LITTLE", little)
        for q, wanted in (
            ("g", 4),
            ("gr", 3),
            ("green", 2),
            ("inv", 2),
            ('"the invoicing" green', 1),
            ("from:ewa g", 2),
        ):
            items = api(cast.charlie).get("/search", q=q, type="email").json()["items"]
            assert len(items) == wanted, q
        on_wall = api(cast.charlie).get(f"/contacts/{mails.pk}/wall", q="gr", type="email").json()["items"]
        assert [item["email"]["subject"] for item in on_wall] == ["Invoice 2026/114"]


def test_copies_stand_on_one_page_only(cast, api, monkeypatch):
    boxes = [make_account(user) for user in (cast.alice, cast.bob, cast.charlie)]
    for number in range(6):
        raw = raw_mail(EWA, "all@ours.example", f"Mail {number}", "horse", message_id=f"m{number}@x")
        for lag, box in enumerate(boxes):
            deliver_raw(box, raw, days_ago=6 - number - lag * 1.4)
    for little in (0, 2_000):
        monkeypatch.setattr(search, "SEES_LITTLE", little)
        found, cursor = [], {}
        while cursor is not None:
            page = api(cast.erin).get("/search", q="hors", limit=2, **cursor).json()
            found += [item["subject"] for item in page["items"]]
            cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None
        assert sorted(found) == [f"Mail {number}" for number in range(6)]


def test_an_empty_query_is_refused(cast, api):
    for q in ("", "  "):
        answer = api(cast.alice).get("/search", q=q)
        assert answer.status_code == 422 and answer.json()["code"] == "query_empty"


HOSTILE = [
    '"',
    '""',
    '"unclosed',
    "'",
    "'; DROP TABLE mailstore_message;--",
    "*",
    "a*b",
    "NEAR(a b)",
    "a NEAR/2 b",
    "AND",
    "NOT a",
    "(",
    "a OR b)",
    "^a",
    "from:",
    'from:"',
    "to:()",
    "in:nowhere",
    "has:",
    "before:yesterday",
    "after:9999-99-99",
    "before:0000-00-00",
    "before:0001-01-01",
    "after:9999-12-31",
    "-",
    "+a",
    "{a b}",
    "col : x",
    "\\",
    "%",
    "_",
    "\x00",
    "a\x00b",
    "😀👩‍👩‍👧",
    "\u202e",
    "a" * 10_000,
    "a " * 5_000,
    '"' * 999,
    "(" * 999,
    "NEAR(" * 200,
    "<script>alert(1)</script>",
    "{{7*7}}",
    "\t\r\n",
    "a & b | !c",
    "<->",
    ":*",
    'żółć*"',
    "from:a " * 300,
]


@pytest.mark.parametrize("q", HOSTILE)
def test_no_input_breaks_it(cast, api, mails, q):
    for path in ("/search", f"/contacts/{mails.pk}/wall", "/messages"):
        begin = time.monotonic()
        answer = api(cast.charlie).get(path, q=q)
        assert answer.status_code == 200 or answer.json()["code"] == "query_empty", (path, answer.content)
        assert "zebra" not in answer.content.decode() and time.monotonic() - begin < 5
