"""Walls, notes, messages and search by REST."""

from __future__ import annotations

import pytest

from tests.cast import make_account, make_contact
from tests.wall.seed import deliver, deliver_raw, raw_mail

EWA = "Ewa Kwiatkowska <ewa@kwiat.example>"


@pytest.fixture
def ewa(cast):
    return make_contact("Ewa Kwiatkowska", "ewa@kwiat.example")


@pytest.fixture
def account(cast):
    return make_account(cast.alice, "alice@ours.example")


def subjects(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [
        item["email"]["subject"] if item["type"] == "email" else item["note"]["text"] for item in answer.json()["items"]
    ]


def test_a_wall_is_newest_first_with_notes_in_between(cast, api, ewa, account):
    deliver(account, EWA, "alice@ours.example", "Old", days_ago=3)
    deliver(account, EWA, "alice@ours.example", "New", days_ago=1)
    api(cast.alice).post(f"/contacts/{ewa.pk}/notes", {"text": "A note"})
    answer = api(cast.alice).get(f"/contacts/{ewa.pk}/wall")
    assert subjects(answer) == ["A note", "New", "Old"]
    times = [item["at"] for item in answer.json()["items"]]
    assert times == sorted(times, reverse=True)


def test_a_page_goes_on_where_the_one_before_ended(cast, api, ewa, account):
    for number in range(7):
        deliver(account, EWA, "alice@ours.example", f"Mail {number}", days_ago=number + 1)
        api(cast.alice).post(f"/contacts/{ewa.pk}/notes", {"text": f"Note {number}"})
    found, cursor = [], None
    while True:
        page = api(cast.alice).get(f"/contacts/{ewa.pk}/wall", limit=3, **({"cursor": cursor} if cursor else {}))
        found += subjects(page)
        cursor = page.json()["next_cursor"]
        if not cursor:
            break
    assert found == [f"Note {n}" for n in reversed(range(7))] + [f"Mail {n}" for n in range(7)]


def test_a_thread_is_one_card_with_its_newest_mail(cast, api, ewa, account):
    deliver(account, EWA, "alice@ours.example", "Offer", message_id="one@x.example", days_ago=3)
    deliver(
        account,
        "alice@ours.example",
        "ewa@kwiat.example",
        "Re: Offer",
        answers="one@x.example",
        direction="sent",
        days_ago=2,
    )
    deliver(account, EWA, "alice@ours.example", "Other", days_ago=2.5)
    items = api(cast.alice).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert [(item["email"]["subject"], item["thread_count"]) for item in items] == [("Re: Offer", 2), ("Other", 1)]


def test_a_thread_counts_only_what_the_viewer_sees(cast, api, ewa, account):
    private = make_account(cast.bob, "bob@ours.example", visibility="owner")
    deliver(account, EWA, "alice@ours.example", "Offer", message_id="one@x.example", days_ago=3)
    deliver(private, EWA, "bob@ours.example", "Re: Offer", answers="one@x.example", days_ago=2)
    [item] = api(cast.alice).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert (item["email"]["subject"], item["thread_count"], item["copies"]) == ("Offer", 1, 1)
    [item] = api(cast.bob).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert (item["email"]["subject"], item["thread_count"]) == ("Re: Offer", 2)


def test_the_same_mail_in_two_accounts_is_one_card_and_the_own_copy_comes_first(cast, api, ewa, account):
    other = make_account(cast.charlie, "charlie@ours.example")
    raw = raw_mail(EWA, "alice@ours.example, charlie@ours.example", "To both", message_id="both@x.example")
    mine, theirs = deliver_raw(account, raw), deliver_raw(other, raw)
    for viewer, own in ((cast.alice, mine), (cast.charlie, theirs)):
        [item] = api(viewer).get(f"/contacts/{ewa.pk}/wall").json()["items"]
        assert (item["email"]["id"], item["copies"], item["copies_differ"]) == (own.pk, 2, False)
    assert len(api(cast.bob).get("/messages").json()["items"]) == 2


def test_copies_whose_text_differs_are_said_to_differ(cast, api, ewa, account):
    other = make_account(cast.charlie, "charlie@ours.example")
    deliver_raw(account, raw_mail(EWA, "alice@ours.example", "S", "One text", message_id="b@x.example"))
    deliver_raw(other, raw_mail(EWA, "alice@ours.example", "S", "Another text", message_id="b@x.example"))
    [item] = api(cast.alice).get(f"/contacts/{ewa.pk}/wall").json()["items"]
    assert (item["copies"], item["copies_differ"], item["email"]["text"].strip()) == (2, True, "One text")


def test_a_companys_wall_has_its_peoples_mail_and_notes_each_said_whose(cast, api, account):
    company = make_contact("Kwiat", "office@kwiat.example", kind="company")
    person = make_contact("Ewa", "ewa@kwiat.example", company=company)
    deliver(account, EWA, "alice@ours.example", "From Ewa", days_ago=1)
    deliver(account, "office@kwiat.example", "alice@ours.example", "From the office", days_ago=2)
    api(cast.alice).post(f"/contacts/{person.pk}/notes", {"text": "About Ewa"})
    items = api(cast.alice).get(f"/contacts/{company.pk}/wall").json()["items"]
    assert [[contact["name"] for contact in item["contacts"]] for item in items] == [["Ewa"], ["Ewa"], ["Kwiat"]]
    assert subjects(api(cast.alice).get(f"/contacts/{person.pk}/wall")) == ["About Ewa", "From Ewa"]


def test_a_mail_to_two_people_of_a_company_stands_once(cast, api, account):
    company = make_contact("Kwiat", kind="company")
    make_contact("Ewa", "ewa@kwiat.example", company=company)
    make_contact("Jan", "jan@kwiat.example", company=company)
    deliver(account, "alice@ours.example", "ewa@kwiat.example, jan@kwiat.example", "Both", direction="sent")
    assert subjects(api(cast.alice).get(f"/contacts/{company.pk}/wall")) == ["Both"]


def test_a_wall_is_filtered_by_kind_and_words(cast, api, ewa, account):
    deliver(account, EWA, "alice@ours.example", "Green horse")
    deliver(account, EWA, "alice@ours.example", "Blue cow")
    api(cast.alice).post(f"/contacts/{ewa.pk}/notes", {"text": "The horse is tired"})
    wall = f"/contacts/{ewa.pk}/wall"
    assert subjects(api(cast.alice).get(wall, q="HORS")) == ["The horse is tired", "Green horse"]
    assert subjects(api(cast.alice).get(wall, q="horse", type="note")) == ["The horse is tired"]
    assert subjects(api(cast.alice).get(wall, q="horse in:received")) == ["Green horse"]
    assert sorted(subjects(api(cast.alice).get(wall, type="email"))) == ["Blue cow", "Green horse"]
    assert subjects(api(cast.alice).get(wall, q="zebra")) == []


def test_notes_are_changed_by_their_author_alone(cast, api, ewa):
    made = api(cast.alice).post(f"/contacts/{ewa.pk}/notes", {"text": " Delivery week 48 "})
    assert made.status_code == 201 and made.json()["text"] == "Delivery week 48"
    note = f"/notes/{made.json()['id']}"
    assert api(cast.charlie).call("PATCH", note, {"text": "x"}).status_code == 403
    assert api(cast.erin).call("DELETE", note).status_code == 403
    assert api(None).call("DELETE", note).status_code == 401
    assert api(cast.alice).call("PATCH", note, {"text": "Delivery week 49"}).json()["text"] == "Delivery week 49"
    assert subjects(api(cast.charlie).get(f"/contacts/{ewa.pk}/wall", q="49")) == ["Delivery week 49"]
    assert subjects(api(cast.charlie).get(f"/contacts/{ewa.pk}/wall", q="48")) == []
    assert api(cast.alice).call("DELETE", note).status_code == 204
    assert subjects(api(cast.charlie).get(f"/contacts/{ewa.pk}/wall")) == []


@pytest.mark.parametrize("text", ["", "  ", "\x00", "x" * 50_001])
def test_a_note_needs_a_text_of_reasonable_length(cast, api, ewa, text):
    answer = api(cast.alice).post(f"/contacts/{ewa.pk}/notes", {"text": text})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "text"


def test_a_message_has_what_the_contract_says(cast, api, ewa, account):
    message = deliver(
        account,
        f"{EWA}, Jan <jan@kwiat.example>",
        "Alice <alice@ours.example>",
        "Invoice",
        "See it.\n" * 20_000,
        html='<p>See it.<script>alert(1)</script><img src="https://track.example/x.gif"></p>',
        cc="bob@ours.example",
        message_id="inv@x.example",
        files=("plan.pdf",),
    )
    whole = api(cast.alice).get(f"/messages/{message.pk}").json()
    assert whole["from"] == {"name": "Ewa Kwiatkowska", "address": "ewa@kwiat.example"}
    assert whole["other_senders"] == [{"name": "Jan", "address": "jan@kwiat.example"}]
    assert whole["to"] == [{"name": "Alice", "address": "alice@ours.example"}]
    assert whole["message_id"] == "inv@x.example" and whole["direction"] == "received" and whole["on_server"]
    assert whole["contacts"] == [
        {
            "id": ewa.pk,
            "kind": "person",
            "name": "Ewa Kwiatkowska",
            "because": [{"field": "from", "address": "ewa@kwiat.example"}],
        }
    ]
    assert "data-remote-src" in whole["html"] and " src=" not in whole["html"] and "script" not in whole["html"]
    assert whole["text"].count("See it.") == 20_000 and not whole["text_truncated"]
    [attachment] = whole["attachments"]
    assert (attachment["filename"], attachment["content_type"], attachment["available"]) == (
        "plan.pdf",
        "application/pdf",
        True,
    )
    assert sorted(whole["visible_to"]) == sorted(user.pk for user in cast.everyone())
    [listed] = api(cast.alice).get("/messages").json()["items"]
    assert "html" not in listed and listed["text_truncated"] and len(listed["text"].encode()) <= 65_536
    assert {k: v for k, v in listed.items() if k[:4] != "text"} == {
        k: v for k, v in whole.items() if k[:4] != "text" and k != "html"
    }


def test_messages_are_filtered(cast, api, ewa, account):
    other = make_account(cast.alice, "second@ours.example")
    first = deliver(account, EWA, "alice@ours.example", "One", message_id="one@x.example", days_ago=5)
    sent = deliver(other, "second@ours.example", "ewa@kwiat.example", "Two", direction="sent", days_ago=3)
    alone = deliver(account, "who@else.example", "alice@ours.example", "Three", days_ago=1)

    def ids(**query):
        answer = api(cast.alice).get("/messages", **query)
        assert answer.status_code == 200, answer.content
        return [item["id"] for item in answer.json()["items"]]

    assert ids() == [alone.pk, sent.pk, first.pk]
    assert ids(assigned="true") == [sent.pk, first.pk]
    assert ids(assigned="false") == [alone.pk]
    assert ids(email_account=other.pk) == [sent.pk]
    assert ids(direction="sent") == [sent.pk]
    assert ids(contact=ewa.pk) == [sent.pk, first.pk]
    assert ids(message_id="one@x.example") == ids(message_id="<one@x.example>") == [first.pk]
    day = sent.internaldate.date().isoformat()
    assert ids(since=day, until=day) == [sent.pk]
    assert ids(since=sent.internaldate.isoformat()) == [alone.pk, sent.pk]
    assert ids(until=sent.internaldate.isoformat()) == [first.pk]
    assert ids(q="from:else") == [alone.pk]
    assert ids(email_account=10**30) == ids(contact=0) == []
    page = api(cast.alice).get("/messages", limit=2).json()
    assert ids(limit=2, cursor=page["next_cursor"]) == [first.pk]


@pytest.mark.parametrize(
    "query", [{"since": "yesterday"}, {"until": "2026-99-01"}, {"direction": "up"}, {"cursor": "x"}]
)
def test_unusable_filters_are_refused(cast, api, query):
    answer = api(cast.alice).get("/messages", **query)
    assert answer.status_code == 422 and answer.json()["errors"]


def test_what_is_not_there_is_not_found(cast, api):
    for path in ("/messages/1", f"/messages/{10**30}", "/contacts/1/wall", f"/contacts/{10**30}/wall"):
        assert api(cast.alice).get(path).status_code == 404, path


def test_bcc_is_for_the_owner_alone(cast, api, account):
    message = deliver(account, "alice@ours.example", "ewa@kwiat.example", Bcc="secret@x.example", direction="sent")
    assert api(cast.alice).get(f"/messages/{message.pk}").json()["bcc"][0]["address"] == "secret@x.example"
    assert api(cast.charlie).get(f"/messages/{message.pk}").json()["bcc"] == []
