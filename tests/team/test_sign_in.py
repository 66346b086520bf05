"""Signing in and out, set-up, two steps, ends of sessions; over HTTP."""

from __future__ import annotations

import hmac
import re
import struct
import time
from base64 import b32decode

import pytest
from django.core.cache import cache
from django.test import Client

from mailwall.team import services
from mailwall.team.models import User
from tests.cast import PASSWORD

LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def forget_rate_limits():
    cache.clear()


@pytest.fixture
def alice(cast) -> User:
    services.set_password(None, cast.alice, PASSWORD)
    return cast.alice


def sign_in(client: Client, email: str = "alice@ours.example", password: str = PASSWORD):
    return client.post(LOGIN, {"login": email, "password": password})


def is_signed_in(client: Client) -> bool:
    return client.get("/settings/").status_code == 200


def test_right_password_opens_and_signing_out_closes(alice, client):
    assert sign_in(client, "Alice@Ours.Example").headers["Location"] == "/"
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_pages_send_the_signed_out_to_sign_in_and_back(alice, client):
    answer = client.get("/settings/profile/")
    assert answer.headers["Location"] == "/accounts/login/?next=/settings/profile/"
    answer = client.post(LOGIN, {"login": alice.email, "password": PASSWORD, "next": "/settings/profile/"})
    assert answer.headers["Location"] == "/settings/profile/"


def test_another_site_is_no_place_to_go_back_to(alice, client):
    answer = client.post(LOGIN, {"login": alice.email, "password": PASSWORD, "next": "https://evil.example/"})
    assert answer.headers["Location"] == "/"


def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(alice, client):
    def words(answer):
        return re.sub(r"value=\"[^\"]*\"|X-CSRFToken[^}]*", "", answer.content.decode())

    wrong = sign_in(client, password="wrong wrong wrong")
    unknown = sign_in(client, email="nobody@ours.example")
    assert wrong.status_code == unknown.status_code == 200
    assert words(wrong) == words(unknown)
    assert PASSWORD not in words(wrong)


def test_many_wrong_passwords_are_slowed_down(alice, client):
    for _ in range(12):
        last = sign_in(client, password="wrong wrong wrong")
    assert last.status_code == 429 or "Too many" in last.content.decode()
    assert not is_signed_in(client)


def test_a_deactivated_user_is_refused_and_their_session_ends(cast, alice, client):
    sign_in(client)
    services.update_user(cast.erin, alice, is_active=False)
    assert not is_signed_in(client)
    fresh = Client()
    sign_in(fresh)
    assert not is_signed_in(fresh)


def test_a_new_password_ends_the_sessions_elsewhere(alice):
    here, there = Client(), Client()
    sign_in(here)
    sign_in(there)
    new = "a new horse, a new battery"
    answer = here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert answer.status_code == 302
    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_the_password_is_changed_only_by_who_knows_the_old_one(alice, client):
    sign_in(client)
    new = "a new horse, a new battery"
    client.post("/accounts/password/change/", {"oldpassword": "wrong", "password1": new, "password2": new})
    assert User.objects.get(pk=alice.pk).check_password(PASSWORD)


@pytest.mark.parametrize("path", ["signup/", "email/", "confirm-email/", "password/set/"])
def test_nobody_signs_up_or_changes_their_address(alice, client, path):
    sign_in(client)
    assert client.get(f"/accounts/{path}").status_code == 404
    assert client.post(f"/accounts/{path}", {"email": "x@ours.example", "password1": PASSWORD}).status_code == 404


def test_without_system_mail_the_forgotten_password_leads_to_the_administrator(alice, client, mailoutbox):
    page = client.get("/accounts/password/reset/")
    assert "Ask your administrator" in page.content.decode()
    client.post("/accounts/password/reset/", {"email": alice.email})
    assert mailoutbox == []


def test_with_system_mail_a_link_sets_a_new_password(alice, client, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example"
    client.post("/accounts/password/reset/", {"email": alice.email})
    link = re.search(r"http://127.0.0.1:8000(\S+)", mailoutbox[0].body).group(1)
    page = client.get(link, follow=True)
    new = "a new horse, a new battery"
    client.post(page.redirect_chain[-1][0], {"password1": new, "password2": new})
    assert User.objects.get(pk=alice.pk).check_password(new)


def test_an_unknown_address_gets_the_same_answer_when_the_password_is_forgotten(alice, client, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example"
    known = client.post("/accounts/password/reset/", {"email": alice.email})
    unknown = client.post("/accounts/password/reset/", {"email": "nobody@ours.example"})
    assert known.headers["Location"] == unknown.headers["Location"]


def totp(secret: str) -> str:
    """RFC 6238 with allauth's defaults."""
    counter = struct.pack(">Q", int(time.time()) // 30)
    digest = hmac.digest(b32decode(secret), counter, "sha1")
    start = digest[-1] & 15
    return f"{(int.from_bytes(digest[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def test_two_steps_ask_for_the_code_and_take_a_recovery_code_once(alice, client):
    sign_in(client)
    asked = client.get("/accounts/2fa/totp/activate/", follow=True).redirect_chain[-1][0]
    assert asked.startswith("/accounts/reauthenticate/")
    page = client.post(asked, {"password": PASSWORD}, follow=True).content.decode()
    secret = re.search(r"<code[^>]*>([A-Z2-7]+)</code>", page).group(1)
    assert client.post("/accounts/2fa/totp/activate/", {"code": totp(secret)}).status_code == 302
    codes = re.findall(r"<code>(\d{8})</code>", client.get("/accounts/2fa/recovery-codes/").content.decode())
    assert len(codes) == 10

    other = Client()
    assert sign_in(other).headers["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(other)
    other.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_signed_in(other)
    other.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_signed_in(other)

    again = Client()
    sign_in(again)
    again.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert not is_signed_in(again)


def test_htmx_is_sent_to_a_whole_sign_in_page_when_the_session_has_ended(db, client):
    answer = client.get(
        "/settings/profile/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/contacts/?q=a b"}
    )
    assert answer.status_code == 204
    assert answer.headers["HX-Redirect"] == "/accounts/login/?next=/contacts/%3Fq%3Da%20b"


# -- set-up

FORM = {"language": "pl", "name": "First", "email": "first@ours.example", "password": PASSWORD, "time_zone": "UTC"}


@pytest.fixture
def setup_path(db) -> str:
    link = services.make_setup_link("http://testserver")
    assert link
    return link.removeprefix("http://testserver")


def test_the_setup_link_signs_the_first_administrator_in_once(setup_path, client):
    assert client.get(setup_path).status_code == 200
    assert client.post(setup_path, FORM).headers["Location"] == "/"
    page = client.get("/settings/users/")
    assert page.status_code == 200
    assert '<html lang="pl"' in page.content.decode()
    second = Client().post(setup_path, {**FORM, "email": "second@ours.example"})
    assert second.status_code == 410
    assert User.objects.count() == 1


def test_an_unknown_setup_link_is_a_clear_page(db, client):
    page = client.get("/setup/nonsense/")
    assert page.status_code == 410
    assert "This set-up link cannot be used" in page.content.decode()
    assert client.post("/setup/nonsense/", FORM).status_code == 410
    assert not User.objects.exists()


def test_a_refused_setup_says_why_keeps_the_values_and_shows_no_password(setup_path, client):
    answer = client.post(setup_path, {**FORM, "password": "secret99"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "first@ours.example" in page
    assert "secret99" not in page
    assert not User.objects.exists()
