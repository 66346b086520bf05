"""Packages: what they allow, what changing them stops, and that nothing is ever deleted."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import queries
from mailwall.email_accounts.models import EmailAccount
from mailwall.team import services as team_services
from tests.cast import Api, make_account
from tests.sync.test_sending_settings import SMTP
from tests.sync.test_views import browser, text

pytestmark = pytest.mark.django_db
PAGE = "/settings/workspace/"
BODY = {
    "imap": {"host": "127.0.0.1", "port": 143, "security": "none", "username": "a", "password": "x"}, "smtp": None,
    "store": "both", "visibility": "everyone", "on_dashboard": True, "verify": False,
}  # fmt: skip


@pytest.fixture(autouse=True)
def loopback_allowed(settings, monkeypatch):
    settings.MAIL_HOSTS_ALLOW = ("127.0.0.1",)
    monkeypatch.setattr("mailwall.sync.tasks.download_task", lambda account_id: None)


@pytest.fixture
def three(cast) -> list[EmailAccount]:
    return [make_account(cast.alice, is_default=number == 1, **SMTP) for number in range(3)]


def effect(user, package: str, limit: int):
    query = {"package": package, "max_accounts_per_user": limit}
    return browser(user).get(f"{PAGE}package/", query)


def test_a_fourth_account_is_refused_in_words_and_the_limit_can_be_raised(cast, three):
    alice = Api(cast.alice)
    refused = alice.post("/email-accounts", {**BODY, "address": "four@ours.example"})
    assert (refused.status_code, refused.json()["code"]) == (422, "account_limit_reached")
    assert "Alice has connected 3 of 3 email accounts." in refused.json()["detail"]
    assert EmailAccount.objects.count() == 3
    Api(cast.erin).call("PATCH", "/workspace", {"max_accounts_per_user": 4})
    assert alice.post("/email-accounts", {**BODY, "address": "four@ours.example"}).status_code == 201


def test_basic_connects_any_number_and_sends_from_the_default_alone(cast, three):
    Api(cast.erin).call("PATCH", "/workspace", {"package": "basic"})
    alice = Api(cast.alice)
    sending = {found["id"]: found["sending_active"] for found in alice.get("/email-accounts").json()["items"]}
    assert sending == {three[0].pk: False, three[1].pk: True, three[2].pk: False}
    assert alice.post("/email-accounts", {**BODY, "address": "four@ours.example"}).status_code == 201
    Api(cast.erin).call("PATCH", "/workspace", {"package": "automation"})
    assert sum(found["sending_active"] for found in alice.get("/email-accounts").json()["items"]) == 3


def test_what_stops_is_said_before_it_is_saved(cast, three):
    page = text(effect(cast.erin, "basic", 3))
    assert "2 accounts would stop sending" in page
    assert "Nothing is deleted." in page
    assert "1 person has more than 2 accounts" in text(effect(cast.erin, "automation", 2))
    team_services.update_workspace(cast.erin, package="basic")
    assert "2 further accounts would send." in text(effect(cast.erin, "automation", 3))
    assert "No connected account would stop or start sending." in text(effect(cast.erin, "basic", 3))
    assert EmailAccount.objects.filter(sending_active=True).count() == 3


@pytest.mark.parametrize(("package", "limit"), [("gold", "3"), ("basic", ""), ("basic", "²"), ("basic", "99999")])
def test_an_effect_of_nonsense_is_empty(cast, package, limit):
    assert effect(cast.erin, package, limit).content == b""


def test_only_admins_choose_the_package(cast, three):
    for user in (cast.alice, cast.bob, cast.charlie):
        assert effect(user, "basic", 3).status_code == 403
        assert browser(user).post(PAGE, {"package": "basic"}).status_code == 403
        assert Api(user).call("PATCH", "/workspace", {"package": "basic"}).status_code == 403
    assert "sequences rest" in text(browser(cast.erin).get(PAGE))


def test_the_effect_costs_the_same_for_many_accounts(cast, three, django_assert_max_num_queries):
    for _ in range(20):
        make_account(cast.charlie, **SMTP)
    queries.package_effect("basic", 3)  # makes the workspace's row
    with django_assert_max_num_queries(2):
        assert queries.package_effect("basic", 3).stop_sending == 22
