"""Nobody finds a trace of mail that is not theirs to see: three levels of visibility, everybody, every surface."""

from __future__ import annotations

import itertools

import pytest
from django.test import Client

from mailwall.assignment import marks
from tests.cast import Cast, make_account, make_contact
from tests.wall.seed import deliver

TOKEN = "quetzalcoatl"  # stands in every field of the mail
WHO = ["alice", "bob", "charlie", "erin"]
SEES = {
    "everyone": {"alice", "bob", "charlie", "erin"},
    "owner_and_managers": {"alice", "bob"},
    "owner": {"alice"},
}
CASES = [(v, only, who) for v, only, who in itertools.product(SEES, (False, True), WHO)]


def hidden_mail(cast: Cast, visibility: str, only_owner: bool):
    """One assigned and one unassigned mail in Alice's account, and a thread whose other mail everybody sees."""
    contact = make_contact("Ewa", "ewa@kwiat.example")
    open_account = make_account(cast.charlie, "open@ours.example")
    deliver(
        open_account,
        "ewa@kwiat.example",
        "open@ours.example",
        "Plain",
        "words",
        message_id="open@x.example",
        days_ago=4,
    )
    account = make_account(cast.alice, "alice@ours.example", visibility=visibility, on_dashboard=True)
    options = {"html": f"<p>{TOKEN}</p>", "files": (f"{TOKEN}.pdf",), "answers": "open@x.example"}
    mail = deliver(account, f"{TOKEN} <ewa@kwiat.example>", "alice@ours.example", TOKEN, TOKEN, days_ago=2, **options)
    lost = deliver(account, f"{TOKEN} <who@else.example>", "alice@ours.example", TOKEN, TOKEN, days_ago=2, **options)
    type(mail).objects.filter(pk__in=[mail.pk, lost.pk]).update(only_owner=only_owner)
    marks.settle([mail.pk, lost.pk])
    return contact, account, mail, lost


@pytest.mark.parametrize(("visibility", "only_owner", "who"), CASES)
def test_the_api_shows_mail_to_those_who_may_see_it_alone(cast, api, visibility, only_owner, who):
    contact, account, mail, lost = hidden_mail(cast, visibility, only_owner)
    sees = who in SEES[visibility] and (who == "alice" or not only_owner)
    viewer = api(getattr(cast, who))
    lists = [
        (f"/contacts/{contact.pk}/wall", {}),
        (f"/contacts/{contact.pk}/wall", {"q": TOKEN}),
        (f"/contacts/{contact.pk}/wall", {"type": "email"}),
        ("/messages", {}),
        ("/messages", {"email_account": account.pk}),
        ("/messages", {"contact": contact.pk}),
        ("/messages", {"assigned": "false"}),
        ("/messages", {"message_id": mail.message_id}),
        ("/search", {"q": TOKEN[:5]}),
        ("/search", {"q": f"from:{TOKEN}"}),
        ("/search", {"q": "has:attachment"}),
        ("/search", {"q": TOKEN, "order": "best"}),
        ("/dashboard", {}),
    ]
    for path, query in lists:
        answer = viewer.get(path, **query)
        assert answer.status_code == 200
        assert (TOKEN in answer.content.decode()) == sees, (path, query)
    for message in (mail, lost):
        assert viewer.get(f"/messages/{message.pk}").status_code == (200 if sees else 404)
    if not sees:
        file = mail.attachments.get().pk
        for path in (f"attachments/{file}", "attachments.zip", "original"):
            assert viewer.get(f"/messages/{mail.pk}/{path}").status_code == 404
        assert viewer.call("DELETE", f"/messages/{mail.pk}").status_code == 404
        assert viewer.call("PATCH", f"/messages/{mail.pk}", {"only_owner": False}).status_code == 404
    card = viewer.get(f"/contacts/{contact.pk}/wall").json()["items"][0]
    assert card["thread_count"] == (2 if sees else 1)
    assert viewer.get("/dashboard").json()["unassigned"] == (1 if sees else 0)
    if sees:
        ids = set(viewer.get(f"/messages/{mail.pk}").json()["visible_to"])
        expected = {name for name in SEES[visibility] if name == "alice" or not only_owner}
        assert ids == {getattr(cast, name).pk for name in expected}


@pytest.mark.parametrize(("visibility", "only_owner", "who"), CASES)
def test_the_pages_show_mail_to_those_who_may_see_it_alone(cast, visibility, only_owner, who):
    contact, account, mail, lost = hidden_mail(cast, visibility, only_owner)
    sees = who in SEES[visibility] and (who == "alice" or not only_owner)
    client = Client()
    client.force_login(getattr(cast, who))
    lists = [
        "/", "/mail/", "/mail/?tab=unassigned", f"/mail/?account={account.pk}", f"/mail/?q={TOKEN[:6]}", f"/contacts/{contact.pk}/",
        f"/contacts/{contact.pk}/feed/", f"/contacts/{contact.pk}/?q={TOKEN[:6]}", f"/search?q={TOKEN[:6]}", "/search?q=has:attachment",
        "/search?q=from:quetzal&order=best",
    ]  # fmt: skip
    for url in lists:
        answer = client.get(url, follow=True)
        assert answer.status_code == 200 and (TOKEN in answer.content.decode()) == sees, url
    single = [f"/mail/{m.pk}/{part}" for m in (mail, lost) for part in ("", "frame/", "seers/", "thread/", "assign/")]
    single += [f"/contacts/{contact.pk}/thread/{mail.pk}/"]
    hidden = [
        f"/mail/{mail.pk}/attachments/{mail.attachments.get().pk}/",
        f"/mail/{mail.pk}/attachments.zip",
        f"/mail/{mail.pk}/original.eml",
    ]
    if not sees:
        single += hidden
    for url in single:
        assert client.get(url).status_code == (200 if sees else 404), url
    assert client.get(f"/mail/{mail.pk}/body/", headers={"HX-Request": "true"}).status_code == (200 if sees else 404)
    if not sees:
        for deed in ("narrow", "widen", "remove"):
            assert client.post(f"/mail/{mail.pk}/{deed}/").status_code == 404
    for deed in ("assign", "unassign"):
        assert client.post(f"/mail/{lost.pk}/{deed}/{contact.pk}/").status_code == (302 if sees else 404)


def test_signed_out_callers_get_nothing(cast, api):
    contact, _account, mail, _lost = hidden_mail(cast, "everyone", False)
    for path in (f"/contacts/{contact.pk}/wall", "/messages", f"/messages/{mail.pk}", "/search?q=x", "/dashboard"):
        assert api(None).get(path).status_code == 401
    for url in (
        "/",
        "/mail/",
        f"/mail/{mail.pk}/",
        f"/mail/{mail.pk}/frame/",
        f"/contacts/{contact.pk}/",
        "/search?q=x",
    ):
        assert Client().get(url).status_code == 302


def test_a_change_of_visibility_holds_at_once(cast, api):
    contact, account, _mail, _lost = hidden_mail(cast, "everyone", False)
    assert TOKEN in api(cast.charlie).get(f"/contacts/{contact.pk}/wall").content.decode()
    account.visibility = "owner"
    account.save()
    for path in (f"/contacts/{contact.pk}/wall", "/messages", f"/search?q={TOKEN}", "/dashboard"):
        assert TOKEN not in api(cast.charlie).get(path).content.decode()


def test_a_manager_who_leaves_the_team_sees_nothing_more(cast, api):
    contact, _account, _mail, _lost = hidden_mail(cast, "owner_and_managers", False)
    assert TOKEN in api(cast.bob).get(f"/contacts/{contact.pk}/wall").content.decode()
    cast.team.managers.clear()
    assert TOKEN not in api(cast.bob).get(f"/contacts/{contact.pk}/wall").content.decode()
