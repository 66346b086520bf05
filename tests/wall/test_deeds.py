"""What an owner does with their messages: a thread for themselves alone, a message removed; and both undone."""

from __future__ import annotations

import pytest
from django.test import Client

from mailwall.mailstore.models import Message
from tests.cast import make_account, make_contact
from tests.wall.seed import deliver

pytestmark = pytest.mark.django_db
EWA, ME = "Ewa <ewa@kwiat.example>", "alice@ours.example"


@pytest.fixture
def mail(cast):
    make_contact("Ewa", "ewa@kwiat.example")
    account = make_account(cast.alice, ME)
    return deliver(account, EWA, ME, "Secret offer", "quetzalcoatl", message_id="root@x.example")


def browser(user, **headers) -> Client:
    client = Client(headers=headers)
    client.force_login(user)
    return client


def is_seen_by(user, mail) -> bool:
    """On its page, in the list, on the wall, in the search: everywhere the same."""
    client = browser(user)
    contact = mail.links.first().contact_id
    answers = {client.get(f"/mail/{mail.pk}/").status_code == 200}
    for url in ("/mail/", f"/contacts/{contact}/", "/search?q=quetzalcoatl", "/"):
        answers.add("Secret offer" in client.get(url).content.decode())
    assert len(answers) == 1
    return answers.pop()


def test_a_narrowed_thread_is_its_owners_alone_and_so_is_what_comes_into_it(cast, mail):
    assert is_seen_by(cast.charlie, mail)
    browser(cast.alice).post(f"/mail/{mail.pk}/narrow/")
    reply = deliver(mail.account, EWA, ME, "Re: Secret offer", answers="root@x.example")
    assert reply.only_owner
    for other in (cast.bob, cast.charlie, cast.erin):
        assert not is_seen_by(other, mail)
        assert browser(other).get(f"/mail/{reply.pk}/").status_code == 404
    assert is_seen_by(cast.alice, mail)
    browser(cast.alice).post(f"/mail/{reply.pk}/widen/")
    assert is_seen_by(cast.charlie, mail) and browser(cast.charlie).get(f"/mail/{reply.pk}/").status_code == 200


def test_narrowing_says_so_in_place_and_offers_to_undo_it(cast, mail):
    client = browser(cast.alice, **{"HX-Request": "true"})
    said = client.post(f"/mail/{mail.pk}/narrow/").content.decode()
    assert f'id="seers-{mail.pk}" hx-swap-oob="true"' in said and "1 person" in said
    assert f'id="deeds-{mail.pk}" hx-swap-oob="true"' in said and "Thread: as visible as the account" in said
    assert f'action="/mail/{mail.pk}/widen/"' in said and "Only you see this thread now" in said


def test_a_removed_message_is_gone_for_everybody_and_comes_back(cast, mail):
    client = browser(cast.alice)
    said = client.post(f"/mail/{mail.pk}/remove/").content.decode()
    assert "The message is removed from Mailwall" in said and "Undo" in said
    for viewer in cast.everyone():
        assert not is_seen_by(viewer, mail)
    answer = client.post(f"/mail/{mail.pk}/restore/", follow=True)
    assert "The message is back." in answer.content.decode() and is_seen_by(cast.charlie, mail)


def test_all_copies_of_the_owner_go_and_those_of_others_stay(cast, mail):
    second, theirs = make_account(cast.alice, "second@ours.example"), make_account(cast.charlie, "charlie@ours.example")
    for account in (second, theirs):
        deliver(account, EWA, ME, "Secret offer", "quetzalcoatl", message_id="root@x.example")
    browser(cast.alice).post(f"/mail/{mail.pk}/remove/")
    assert [m.account_id for m in Message.objects.visible_to(cast.alice)] == [theirs.pk]


@pytest.mark.parametrize("deed", ["narrow", "widen", "remove", "restore"])
def test_only_the_owner_may(cast, mail, deed):
    for other in (cast.bob, cast.charlie, cast.erin):
        assert browser(other).post(f"/mail/{mail.pk}/{deed}/").status_code == (404 if deed == "restore" else 403)
        assert "wall-deeds" not in browser(other).get(f"/mail/{mail.pk}/").content.decode()
    assert Client().post(f"/mail/{mail.pk}/{deed}/").status_code == 302
    assert browser(cast.alice).get(f"/mail/{mail.pk}/{deed}/").status_code == 405
    assert browser(cast.alice).post(f"/mail/{2**70}/{deed}/").status_code == 404
    assert is_seen_by(cast.charlie, mail)


def test_rest_narrows_and_removes_for_the_owner(cast, mail, api):
    path = f"/messages/{mail.pk}"
    for other in (cast.bob, cast.charlie, cast.erin):
        assert api(other).call("DELETE", path).status_code == 403
        assert api(other).call("PATCH", path, {"only_owner": True}).status_code == 403
    narrowed = api(cast.alice).call("PATCH", path, {"only_owner": True})
    assert narrowed.json()["visible_to"] == [cast.alice.pk]
    for other in (cast.bob, cast.charlie, cast.erin):
        assert api(other).call("DELETE", path).status_code == 404
    api(cast.alice).call("PATCH", path, {"only_owner": False})
    assert api(cast.charlie).get(path).status_code == 200
    assert api(cast.alice).call("DELETE", path).status_code == 204
    for viewer in cast.everyone():
        assert api(viewer).get(path).status_code == 404
        assert api(viewer).get("/messages").json()["items"] == []
