"""The home screen: what is new, what waits, what is broken, what to do first."""

from __future__ import annotations

import pytest
from django.test import Client

from mailwall.assignment.models import Link
from mailwall.dashboard import rules
from tests.cast import make_account, make_contact
from tests.wall.seed import deliver, deliver_raw, raw_mail

EWA, ME = "Ewa <ewa@kwiat.example>", "alice@ours.example"


@pytest.fixture
def ewa(cast):
    return make_contact("Ewa", "ewa@kwiat.example")


@pytest.fixture
def account(cast):
    return make_account(cast.alice, ME)


def subjects(items) -> list[str]:
    return [item["email"]["subject"] if item["type"] == "email" else item["note"]["text"] for item in items]


def home(user, language: str = "en") -> str:
    client = Client()
    client.force_login(user)
    client.cookies["mailwall_language"] = language
    return client.get("/").content.decode()


def test_the_feed_has_assigned_mail_of_accounts_that_opted_in_and_notes(cast, api, ewa, account):
    quiet = make_account(cast.alice, "quiet@ours.example", on_dashboard=False)
    deliver(account, EWA, ME, "Shown", days_ago=2)
    deliver(account, "who@else.example", ME, "Unassigned")
    deliver(quiet, EWA, ME, "Not on the dashboard")
    api(cast.charlie).post(f"/contacts/{ewa.pk}/notes", {"text": "A note"})
    answer = api(cast.alice).get("/dashboard").json()
    assert subjects(answer["feed"]) == ["A note", "Shown"] and answer["unassigned"] == 1
    html = home(cast.alice)
    assert "Shown" in html and "A note" in html and "Not on the dashboard" not in html


def test_the_same_mail_of_two_accounts_stands_once(cast, api, ewa, account):
    raw = raw_mail(EWA, ME, "Both", message_id="b@x.example")
    deliver_raw(account, raw)
    deliver_raw(make_account(cast.bob, "bob@ours.example"), raw)
    assert subjects(api(cast.alice).get("/dashboard").json()["feed"]) == ["Both"]


def waiting(api, user) -> list[str]:
    return subjects(api(user).get("/dashboard").json()["waiting"])


def test_what_a_contact_wrote_waits_until_it_is_answered(cast, api, ewa, account):
    deliver(account, EWA, ME, "Question", message_id="q@x.example", days_ago=3)
    assert waiting(api, cast.alice) == ["Question"]
    assert waiting(api, cast.bob) == []  # not his account
    deliver(account, ME, EWA, "Re: Question", answers="q@x.example", direction="sent", days_ago=2)
    assert waiting(api, cast.alice) == []
    deliver(account, EWA, ME, "Re: Re: Question", answers="q@x.example", days_ago=1.5)
    assert waiting(api, cast.alice) == ["Re: Re: Question"]


def test_a_colleagues_answer_that_the_viewer_sees_counts(cast, api, ewa, account):
    bob = make_account(cast.bob, "bob@ours.example")
    raw = raw_mail(EWA, ME, "Question", message_id="q@x.example", days_ago=3)
    deliver_raw(account, raw, days_ago=3)
    deliver_raw(bob, raw, days_ago=2.9)
    assert waiting(api, cast.alice) == ["Question"]
    deliver(bob, "bob@ours.example", EWA, "Re: Question", answers="q@x.example", direction="sent", days_ago=2)
    assert waiting(api, cast.alice) == []


def test_fresh_old_automatic_and_unknown_mail_does_not_wait(cast, api, ewa, account):
    deliver(account, EWA, ME, "Fresh", days_ago=0.5)
    deliver(account, EWA, ME, "Old", days_ago=40)
    deliver(account, EWA, ME, "Robot", days_ago=3, Auto_Submitted="auto-generated")
    deliver(account, "who@else.example", ME, "Unknown", days_ago=3)
    assert waiting(api, cast.alice) == []


def test_an_automatic_answer_does_not_end_the_waiting(cast, api, ewa, account):
    deliver(account, EWA, ME, "Question", message_id="q@x.example", days_ago=3)
    deliver(
        account, ME, EWA, "Away", answers="q@x.example", direction="sent", days_ago=2, Auto_Submitted="auto-replied"
    )
    assert waiting(api, cast.alice) == ["Question"]


def test_problems_are_told_to_those_who_can_act(cast, api, account):
    account.state, account.failed_attempts = "deactivated", 10
    account.last_error_code, account.last_error_message = (
        "imap_login_refused",
        "The server refused this user name or password.",
    )
    account.save()
    make_account(cast.alice, "fine@ours.example", failed_attempts=1)
    for user, told in ((cast.alice, True), (cast.bob, True), (cast.erin, True), (cast.charlie, False)):
        found = api(user).get("/dashboard").json()["problems"]
        assert [(p["email_account"], p["code"]) for p in found] == (
            [(account.pk, "imap_login_refused")] if told else []
        )
        assert ("refused this user name" in home(user)) == told


def test_a_hiccup_is_no_problem_but_three_failures_are(cast, api, account):
    for attempts, told in ((2, 0), (3, 1)):
        type(account).objects.update(failed_attempts=attempts, last_error_code="imap_timeout")
        assert len(api(cast.alice).get("/dashboard").json()["problems"]) == told


def test_a_new_installation_gets_a_checklist_until_it_is_hidden_or_done(cast, ewa):
    client = Client()
    client.force_login(cast.alice)
    assert "First steps" in client.get("/").content.decode()
    assert client.post("/dashboard/hide-checklist/").status_code == 302
    assert "First steps" not in client.get("/").content.decode()
    assert "Invite a colleague" in home(cast.erin) and "Invite a colleague" not in home(cast.bob)
    deliver(make_account(cast.bob, "bob@ours.example"), EWA, "bob@ours.example")
    assert Link.objects.exists() and "First steps" not in home(cast.bob)


def test_who_may_not_connect_is_not_told_to(cast):
    cast.charlie.may_connect = False
    cast.charlie.save()
    assert "Connect a mailbox" not in home(cast.charlie)


def test_an_empty_home_screen_says_what_will_come(cast):
    html = home(cast.alice)
    assert "Nothing yet." in html and "Nobody waits for an answer" in html and "Every message is assigned." in html


def test_the_greeting_follows_the_clock():
    assert [rules.time_of_day(hour) for hour in (0, 4, 11, 12, 17, 18, 23)] == [
        "evening", "morning", "morning", "day", "day", "evening", "evening",
    ]  # fmt: skip
    assert rules.first_name("Anna Kowalska") == "Anna" and rules.first_name(" ") == ""
