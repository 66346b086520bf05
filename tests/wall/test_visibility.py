"""Nobody finds a trace of mail that is not theirs to see: three levels of visibility, everybody, every surface."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
from django.test import Client

from mailwall.assignment import marks
from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from tests.cast import Cast, make_account, make_contact
from tests.wall.seed import deliver

EWA = "ewa@kwiat.example"
TOKENS = ("quetzalcoatl", "xochipilli", "tezcatlipoca", "coyolxauhqui", "huitzilopochtli", "mictlantecuhtli")
TOKEN = TOKENS[0]  # each stands in every field of its mail
WHO = ["alice", "bob", "charlie", "erin"]
SEES = {
    "everyone": {"alice", "bob", "charlie", "erin"},
    "owner_and_managers": {"alice", "bob"},
    "owner": {"alice"},
}


@dataclass(frozen=True, kw_only=True)
class Hidden:
    """One assigned and one unassigned mail in an account of Alice's, in a thread whose other mail everybody sees."""

    token: str
    seen_by: set[str]
    account: EmailAccount
    mail: Message
    lost: Message


def hidden_mail(
    cast: Cast, contact: Contact, visibility: str, only_owner: bool = False, *, token: str = TOKEN
) -> Hidden:
    open_account = make_account(cast.charlie)
    opened = f"open-{token[:3]}@x.example"
    deliver(open_account, EWA, open_account.address, f"Plain {token[:3]}", "words", message_id=opened, days_ago=4)
    account = make_account(cast.alice, visibility=visibility, on_dashboard=True)
    options = {"html": f"<p>{token}</p>", "files": (f"{token}.pdf",), "answers": opened}
    mail = deliver(account, f"{token} <{EWA}>", account.address, token, token, days_ago=2, **options)
    lost = deliver(account, f"{token} <who@else.example>", account.address, token, token, days_ago=2, **options)
    Message.objects.filter(pk__in=[mail.pk, lost.pk]).update(only_owner=only_owner)
    marks.settle([mail.pk, lost.pk])
    seen_by = {"alice"} if only_owner else SEES[visibility]
    return Hidden(token=token, seen_by=seen_by, account=account, mail=mail, lost=lost)


@pytest.fixture
def contact(db) -> Contact:
    return make_contact("Ewa", EWA)


@pytest.fixture
def all_hidden(cast, contact) -> list[Hidden]:
    """Of each visibility, with and without mail narrowed to its owner."""
    cases = zip(itertools.product(SEES, (False, True)), TOKENS, strict=True)
    return [hidden_mail(cast, contact, visibility, only, token=token) for (visibility, only), token in cases]


def tokens_in(answer) -> set[str]:
    text = answer.content.decode()
    return {token for token in TOKENS if token in text}


@pytest.mark.parametrize("who", WHO)
def test_the_api_shows_mail_to_those_who_may_see_it_alone(cast, api, contact, all_hidden, who):
    viewer = api(getattr(cast, who))
    seen = {each.token for each in all_hidden if who in each.seen_by}
    for path, query in (
        (f"/contacts/{contact.pk}/wall", {}),
        (f"/contacts/{contact.pk}/wall", {"type": "email"}),
        ("/messages", {}),
        ("/messages", {"contact": contact.pk}),
        ("/messages", {"assigned": "false"}),
        ("/search", {"q": "has:attachment"}),
        ("/dashboard", {}),
    ):
        answer = viewer.get(path, **query)
        assert answer.status_code == 200
        assert tokens_in(answer) == seen, (path, query)
    for each in all_hidden:
        for path, query in (
            (f"/contacts/{contact.pk}/wall", {"q": each.token}),
            ("/messages", {"email_account": each.account.pk}),
            ("/messages", {"message_id": each.mail.message_id}),
            ("/search", {"q": each.token[:5]}),
            ("/search", {"q": f"from:{each.token}"}),
            ("/search", {"q": each.token, "order": "best"}),
        ):
            answer = viewer.get(path, **query)
            assert answer.status_code == 200
            assert tokens_in(answer) == seen & {each.token}, (path, query)
        asks_for_one_mail_by_the_api(cast, viewer, each, who)
    walls = viewer.get(f"/contacts/{contact.pk}/wall").json()["items"]
    threads = {(each.token, 2) if each.token in seen else (f"Plain {each.token[:3]}", 1) for each in all_hidden}
    assert {(item["email"]["subject"], item["thread_count"]) for item in walls} == threads
    assert viewer.get("/dashboard").json()["unassigned"] == len(seen)


def asks_for_one_mail_by_the_api(cast: Cast, viewer, hidden: Hidden, who: str) -> None:
    mail, sees = hidden.mail, who in hidden.seen_by
    for message in (mail, hidden.lost):
        assert viewer.get(f"/messages/{message.pk}").status_code == (200 if sees else 404)
    if sees:
        ids = set(viewer.get(f"/messages/{mail.pk}").json()["visible_to"])
        assert ids == {getattr(cast, name).pk for name in hidden.seen_by}
        return
    file = mail.attachments.get().pk
    for path in (f"attachments/{file}", "attachments.zip", "original"):
        assert viewer.get(f"/messages/{mail.pk}/{path}").status_code == 404
    assert viewer.call("DELETE", f"/messages/{mail.pk}").status_code == 404
    assert viewer.call("PATCH", f"/messages/{mail.pk}", {"only_owner": False}).status_code == 404


@pytest.mark.parametrize("who", WHO)
def test_the_pages_show_mail_to_those_who_may_see_it_alone(cast, contact, all_hidden, who):
    client = Client()
    client.force_login(getattr(cast, who))
    seen = {each.token for each in all_hidden if who in each.seen_by}
    for url in (
        "/", "/mail/", "/mail/?tab=unassigned", f"/contacts/{contact.pk}/", f"/contacts/{contact.pk}/feed/",
        "/search?q=has:attachment",
    ):  # fmt: skip
        answer = client.get(url, follow=True)
        assert answer.status_code == 200
        assert tokens_in(answer) == seen, url
    for each in all_hidden:
        begin = each.token[:6]
        for url in (
            f"/mail/?account={each.account.pk}", f"/mail/?q={begin}", f"/contacts/{contact.pk}/?q={begin}",
            f"/search?q={begin}", f"/search?q=from:{begin}&order=best",
        ):  # fmt: skip
            answer = client.get(url, follow=True)
            assert answer.status_code == 200
            assert tokens_in(answer) == seen & {each.token}, url
        asks_for_one_mail_by_its_pages(client, contact, each, who in each.seen_by)


def asks_for_one_mail_by_its_pages(client: Client, contact: Contact, hidden: Hidden, sees: bool) -> None:
    mail, lost = hidden.mail, hidden.lost
    single = [f"/mail/{m.pk}/{part}" for m in (mail, lost) for part in ("", "frame/", "seers/", "thread/", "assign/")]
    single += [f"/contacts/{contact.pk}/thread/{mail.pk}/"]
    files = [
        f"/mail/{mail.pk}/attachments/{mail.attachments.get().pk}/",
        f"/mail/{mail.pk}/attachments.zip",
        f"/mail/{mail.pk}/original.eml",
    ]
    for url in single if sees else single + files:
        assert client.get(url).status_code == (200 if sees else 404), url
    assert client.get(f"/mail/{mail.pk}/body/", headers={"HX-Request": "true"}).status_code == (200 if sees else 404)
    if not sees:
        for deed in ("narrow", "widen", "remove"):
            assert client.post(f"/mail/{mail.pk}/{deed}/").status_code == 404
    for deed in ("assign", "unassign"):
        assert client.post(f"/mail/{lost.pk}/{deed}/{contact.pk}/").status_code == (302 if sees else 404)


def test_signed_out_callers_get_nothing(cast, api, contact):
    mail = hidden_mail(cast, contact, "everyone").mail
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


def test_a_change_of_visibility_holds_at_once(cast, api, contact):
    account = hidden_mail(cast, contact, "everyone").account
    assert TOKEN in api(cast.charlie).get(f"/contacts/{contact.pk}/wall").content.decode()
    account.visibility = "owner"
    account.save()
    for path in (f"/contacts/{contact.pk}/wall", "/messages", f"/search?q={TOKEN}", "/dashboard"):
        assert TOKEN not in api(cast.charlie).get(path).content.decode()


def test_a_manager_who_leaves_the_team_sees_nothing_more(cast, api, contact):
    hidden_mail(cast, contact, "owner_and_managers")
    assert TOKEN in api(cast.bob).get(f"/contacts/{contact.pk}/wall").content.decode()
    cast.team.managers.clear()
    assert TOKEN not in api(cast.bob).get(f"/contacts/{contact.pk}/wall").content.decode()
