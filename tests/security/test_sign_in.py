"""Attacks on the door: guessing, forged headers, a session that was there before."""

from __future__ import annotations

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


def guess(client: Client, password: str = "wrong wrong wrong", **headers: str) -> bool:
    """Whether the password was at least looked at."""
    answer = client.post(LOGIN, {"login": "alice@ours.example", "password": password}, headers=headers)
    return answer.status_code != 429 and "Too many" not in answer.content.decode()


def test_a_forged_host_gives_no_further_guesses(alice, client):
    assert sum(guess(client, Host=f"h{number}.example") for number in range(9)) <= 5


def test_a_forged_forwarding_header_gives_no_further_guesses(alice, client):
    assert sum(guess(client, **{"X-Forwarded-For": f"192.0.2.{number}"}) for number in range(40)) <= 10


def test_behind_a_proxy_of_ours_each_visitor_has_a_throttle_of_their_own(alice, client, settings):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(12):
        client.post(
            LOGIN, {"login": f"nobody{number}@ours.example", "password": "x"}, headers={"X-Forwarded-For": "192.0.2.1"}
        )
    assert not guess(client, **{"X-Forwarded-For": "192.0.2.1"})
    assert guess(client, **{"X-Forwarded-For": "192.0.2.2"})


@pytest.mark.parametrize("address", ["alice@ours.example", "nobody@ours.example"])
def test_a_mail_about_a_forgotten_password_leads_to_us_alone(alice, client, settings, mailoutbox, address):
    settings.EMAIL_HOST, settings.BASE_URL = "mail.example", "https://crm.ours.example"
    client.post("/accounts/password/reset/", {"email": address}, headers={"Host": "evil.example"})
    [mail] = mailoutbox
    assert "evil.example" not in f"{mail.subject} {mail.body}"
    assert "https://crm.ours.example/accounts/" in mail.body


def test_signing_in_begins_a_session_of_its_own(alice, client):
    client.get(LOGIN)
    session = client.session
    session["planted"] = "by the attacker"
    session.save()
    before = client.session.session_key
    client.post(LOGIN, {"login": "alice@ours.example", "password": PASSWORD})
    assert client.session.session_key != before
    planted = Client()
    planted.cookies["sessionid"] = before
    assert planted.get("/settings/").status_code == 302


def test_an_image_in_a_mail_signs_nobody_out(alice, client):
    client.force_login(alice)
    client.get("/accounts/logout/")
    assert client.get("/settings/").status_code == 200
