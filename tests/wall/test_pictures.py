"""Whose pictures are shown without being asked. Those that lie in the mail: tests/sync/test_pictures.py."""

from __future__ import annotations

import pytest
from django.test import Client

from mailwall.wall import pictures
from mailwall.wall.models import PictureSender
from tests.cast import make_account
from tests.wall.seed import deliver

EWA, ME = "Ewa Kwiatkowska <Ewa@Kwiat.example>", "alice@ours.example"
HTML = '<p>Hi</p><img src="https://shop.example/banner.png">'


def client_of(user, *, htmx: bool = False) -> Client:
    client = Client(headers={"HX-Request": "true"} if htmx else {})
    client.force_login(user)
    return client


@pytest.fixture
def account(cast):
    return make_account(cast.alice, ME)


def test_pictures_of_a_chosen_sender_are_shown_until_that_is_taken_back(cast, account):
    first = deliver(account, EWA, ME, "One", html=HTML)
    later = deliver(account, "ewa@kwiat.example", ME, "Two", html=HTML)
    stranger = deliver(account, "Ewa Kwiatkowska <ewa@else.example>", ME, "Three", html=HTML)
    alice = client_of(cast.alice, htmx=True)
    answer = alice.post(f"/mail/{first.pk}/pictures/").content.decode()
    assert f"/mail/{first.pk}/frame/?images=1" in answer
    assert "Images from ewa@kwiat.example are always shown" in answer and "Images blocked" not in answer
    assert f"/mail/{later.pk}/frame/?images=1" in alice.get(f"/mail/{later.pk}/").content.decode()
    assert "Images blocked" in alice.get(f"/mail/{stranger.pk}/").content.decode()
    assert "Images blocked" in client_of(cast.charlie).get(f"/mail/{later.pk}/").content.decode()
    assert "Images blocked" in alice.post(f"/mail/{later.pk}/no-pictures/").content.decode()
    assert "Images blocked" in alice.get(f"/mail/{first.pk}/").content.decode()


def test_choosing_twice_and_without_scripts_works(cast, account):
    mail = deliver(account, EWA, ME, html=HTML)
    for _ in range(2):
        answer = client_of(cast.alice).post(f"/mail/{mail.pk}/pictures/")
        assert answer.status_code == 302 and answer["Location"] == f"/mail/{mail.pk}/"
    assert PictureSender.objects.count() == 1


def test_nobody_chooses_by_mail_that_they_may_not_see_or_that_names_no_sender(cast):
    private = make_account(cast.alice, ME, visibility="owner")
    mail = deliver(private, EWA, ME, html=HTML)
    nameless = deliver(private, "undisclosed", ME, html=HTML)
    assert client_of(cast.charlie).post(f"/mail/{mail.pk}/pictures/").status_code == 404
    assert client_of(cast.alice).post(f"/mail/{nameless.pk}/pictures/").status_code == 404
    assert client_of(cast.alice).post(f"/mail/{2**70}/pictures/").status_code == 404
    assert Client().post(f"/mail/{mail.pk}/pictures/").status_code == 302
    assert not PictureSender.objects.exists()


def test_a_hit_in_a_folded_quote_is_unfolded_with_pictures_too(cast, account):
    mail = deliver(account, EWA, ME, html=HTML)
    pictures.always_show(cast.alice, "ewa@kwiat.example")
    body = client_of(cast.alice, htmx=True).get(f"/mail/{mail.pk}/body/?open=1").content.decode()
    assert f"/mail/{mail.pk}/frame/?images=1&amp;open=1" in body
