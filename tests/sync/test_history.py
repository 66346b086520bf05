"""Older history by REST and by its page: who may ask for it, what ranges mean, estimates, offers."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from playwright.sync_api import expect, sync_playwright

from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import history, services, tasks
from mailwall.sync.models import Backfill, BackfillFolder, Folder
from tests.cast import Api, make_account, make_user
from tests.rig import mails
from tests.rig.processes import free_port
from tests.sync.conftest import NOW, ago, ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list[int]:
    """The queue is not what is tested here."""
    noted: list[int] = []
    monkeypatch.setattr(tasks, "sync_account_task", noted.append)
    return noted


def path(account) -> str:
    return f"/email-accounts/{account.pk}/backfill"


# -- REST


def test_a_backfill_is_started_read_paused_resumed_and_stopped(cast, woken):
    account = make_account(cast.alice)
    api = Api(cast.alice)
    assert api.get(path(account)).status_code == 404
    started = api.post(path(account), {"since": "2026-01-05", "until": "2026-01-31", "between": ["22:00", "05:00"]})
    assert started.status_code == 201
    assert started.json() == {
        "state": "waiting", "since": "2026-01-05T00:00:00Z", "until": "2026-02-01T00:00:00Z",
        "between": ["22:00", "05:00"], "per_minute": 0, "total": 0, "done": 0, "stored": 0, "eta_at": None,
    }  # fmt: skip
    assert woken == [account.pk]
    again = api.post(path(account), {"since": "2026-01-05"})
    assert (again.status_code, again.json()["code"]) == (409, "backfill_active")
    assert api.call("PATCH", path(account), {"paused": True}).json()["state"] == "paused"
    assert api.call("PATCH", path(account), {"paused": False}).json()["state"] == "waiting"
    assert api.call("DELETE", path(account)).status_code == 204
    assert api.get(path(account)).json()["state"] == "stopped"
    assert api.post(path(account), {"since": "2025-01-05"}).status_code == 201


WRONG = [
    ({"since": "yesterday"}, "since"),
    ({"since": ""}, "since"),
    ({"since": "2999-01-01"}, "since"),
    ({"since": "1812-01-01"}, "since"),
    ({"since": "2026-01-05", "until": "soon"}, "until"),
    ({"since": "2026-01-05", "until": "2026-01-04"}, "until"),
    ({"since": "2026-01-05", "between": ["01:00", "one"]}, "between"),
    ({"since": "2026-01-05", "between": ["01:00", "01:00"]}, "between"),
    ({"since": "2026-01-05", "between": ["01:00"]}, "between"),
    ({"since": "2026-01-05", "per_minute": -1}, "per_minute"),
]


@pytest.mark.parametrize(("body", "field"), WRONG)
def test_what_is_no_range_is_refused_beside_its_field(cast, body, field):
    answer = Api(cast.alice).post(path(make_account(cast.alice)), body)
    assert answer.status_code == 422
    assert field in answer.json()["errors"][0]["field"]
    assert not Backfill.objects.exists()


def test_days_are_those_of_the_owners_zone(cast):
    cast.alice.time_zone = "Europe/Warsaw"
    cast.alice.save()
    account = make_account(cast.alice)
    said = Api(cast.alice).post(path(account), {"since": "2026-07-01", "until": "2026-07-31"}).json()
    assert (said["since"], said["until"]) == ("2026-06-30T22:00:00Z", "2026-07-31T22:00:00Z")
    assert Backfill.objects.get().zone == "Europe/Warsaw"


@pytest.mark.parametrize("visibility", ["everyone", "owner_and_managers", "owner"])
def test_only_who_may_see_the_messages_sees_the_backfill_and_only_the_owner_starts_it(cast, visibility):
    account = make_account(cast.alice, visibility=visibility)
    sees = {"everyone": {cast.bob, cast.erin}, "owner_and_managers": {cast.bob}, "owner": set()}[visibility]
    for viewer in (cast.bob, cast.charlie, cast.erin):
        status = Api(viewer).post(path(account), {"since": "2026-01-05"}).status_code
        assert status == (403 if viewer in sees else 404)
    Api(cast.alice).post(path(account), {"since": "2026-01-05"})
    for viewer in (cast.bob, cast.charlie, cast.erin):
        assert Api(viewer).get(path(account)).status_code == (200 if viewer in sees else 404)
        paused = Api(viewer).call("PATCH", path(account), {"paused": True})
        assert paused.status_code == (200 if viewer in sees else 404)
    assert Api(None).get(path(account)).status_code == 401


def test_a_deactivated_account_begins_nothing_but_can_be_read_and_stopped(cast):
    account = make_account(cast.alice)
    api = Api(cast.alice)
    api.post(path(account), {"since": "2026-01-05"})
    EmailAccount.objects.update(state="deactivated")
    refused = api.post(path(account), {"since": "2026-01-05"})
    assert (refused.status_code, refused.json()["code"]) == (409, "account_deactivated")
    assert api.get(path(account)).status_code == 200
    assert api.call("DELETE", path(account)).status_code == 204
    assert api.call("DELETE", "/email-accounts/999/backfill").status_code == 404


# -- what is offered


def to_the_end(account) -> None:
    for _ in range(20):
        outcome = services.sync_account(account.pk)
        if not (outcome.more or outcome.more_history):
            return
    raise AssertionError("never done")


def test_a_wider_direction_offers_what_was_skipped_in_the_window_and_before_it(connect, mailbox):
    account = connect(mailbox, store="received")
    mailbox.fill([(mails.mail(message_id=f"<{n}@x.example>"), ago(n)) for n in (30, 2)])
    own = [(mails.mail(sender=mailbox.address, message_id=f"<s{n}@x.example>"), ago(n)) for n in (31, 3)]
    mailbox.fill(own, folder="Sent")
    history.fetch(account, account.owner, history.Wanted(since=ago(60)))
    to_the_end(account)
    assert ids(account) == {"30@x.example", "2@x.example"}
    assert not history.offer(account)
    EmailAccount.objects.update(store="both")
    account.refresh_from_db()
    assert history.offer(account).skipped == 2
    history.fetch_skipped(account, account.owner)
    to_the_end(account)
    assert ids(account) == {"30@x.example", "2@x.example", "s31@x.example", "s3@x.example"}
    assert not history.offer(account)


def test_a_folder_chosen_later_is_offered_the_history_of_the_others(connect, mailbox):
    account = connect(mailbox)
    mailbox.fill([(mails.mail(message_id="<i@x.example>"), ago(30))])
    mailbox.fill([(mails.mail(message_id="<p@x.example>"), ago(40))], folder="Projekty")
    history.fetch(account, account.owner, history.Wanted(since=ago(60)))
    to_the_end(account)
    account.folders.filter(name="Projekty").update(selected=True)
    offered = history.offer(account)
    assert offered.folders == ("Projekty",) and offered.since == ago(60)
    history.fetch_skipped(account, account.owner)
    to_the_end(account)
    assert ids(account) == {"i@x.example", "p@x.example"} and not history.offer(account)


def test_an_estimate_is_asked_from_the_server(connect, mailbox):
    account = connect(mailbox)
    mailbox.fill([(mails.mail(message_id=f"<{n}@x.example>"), ago(n)) for n in range(20, 60)])
    services.sync_account(account.pk)
    wanted = history.wanted_range(account, (datetime.now(UTC) - timedelta(days=40)).date().isoformat(), None, None)
    assert abs(history.estimate(account, wanted) - 21) <= 1


def test_the_offer_is_the_owners_to_take(cast):
    account = make_account(cast.alice)
    with pytest.raises(Exception, match="Only the owner"):
        history.fetch_skipped(account, make_user("x@ours.example", "admin"))


# -- the page


def page_of(account) -> str:
    return f"/settings/email-accounts/{account.pk}/history/"


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_page_starts_a_backfill_and_then_shows_how_far_it_is(cast):
    account = make_account(cast.alice, last_synchronized_at=NOW)
    client = signed_in(cast.alice)
    sent = {"since": "2026-01-05", "quiet": "on", "begins": "01:00", "ends": "05:00", "per_minute": "600"}
    assert client.post(page_of(account), sent).status_code == 302
    asked = Backfill.objects.get()
    assert (asked.begins, asked.ends, asked.per_minute, asked.requested_by) == (time(1), time(5), 600, cast.alice)
    folder = Folder.objects.create(account=account, raw_name=b"INBOX", name="INBOX")
    BackfillFolder.objects.create(backfill=asked, folder=folder, uidvalidity=1, low_uid=1, total=2_000, done=500)
    Backfill.objects.update(state="running", begins=None, ends=None)
    page = client.get(page_of(account)).content.decode()
    assert '<progress max="2000" value="500"' in page and "500 of 2,000 messages · 25 %" in page
    assert 'name="since"' not in page
    client.post(f"{page_of(account)}pause/")
    assert "is paused" in client.get(page_of(account)).content.decode()
    client.post(f"{page_of(account)}stop/")
    page = client.get(page_of(account)).content.decode()
    assert 'name="since"' in page and "Stopped" in page


@pytest.mark.parametrize(("who", "sees"), [("alice", True), ("bob", True), ("erin", False)])
def test_the_list_of_accounts_shows_how_far_it_is_to_who_may_see_the_messages(cast, who, sees):
    account = make_account(cast.alice, visibility="owner_and_managers")
    asked = Backfill.objects.create(account=account, requested_by=cast.alice, since=NOW - timedelta(days=99))
    Backfill.objects.filter(pk=asked.pk).update(state="running", working_seconds=60)
    folder = Folder.objects.create(account=account, raw_name=b"INBOX", name="INBOX", selected=True, import_done=True)
    BackfillFolder.objects.create(backfill=asked, folder=folder, uidvalidity=1, low_uid=1, total=400, done=100)
    client = Client()
    client.force_login(getattr(cast, who))
    row = client.get(f"/settings/email-accounts/{account.pk}/row/").content.decode()
    assert ("100 of 400 messages" in row) == ("about 3 min left" in row) == ("every 2s" in row) == sees


def test_a_refused_range_keeps_what_was_typed(cast):
    account = make_account(cast.alice)
    answer = signed_in(cast.alice).post(page_of(account), {"since": "2999-01-01", "per_minute": "7"})
    assert answer.status_code == 422
    assert 'value="2999-01-01"' in answer.content.decode() and 'value="7"' in answer.content.decode()


def test_an_estimate_that_fails_says_why(cast):
    account = make_account(cast.alice, imap_port=free_port())
    page = signed_in(cast.alice).get(f"{page_of(account)}estimate/?since=2026-01-05").content.decode()
    assert "refuses connections" in page
    assert "Choose the days first." in signed_in(cast.alice).get(f"{page_of(account)}estimate/").content.decode()


def test_others_see_the_page_only_where_they_see_the_messages(cast):
    account = make_account(cast.alice, visibility="owner_and_managers")
    assert "Only Alice, the owner" in signed_in(cast.bob).get(page_of(account)).content.decode()
    assert signed_in(cast.bob).post(page_of(account), {"since": "2026-01-05"}).status_code == 422
    for viewer in (cast.charlie, cast.erin):
        for path_ in ("", "estimate/"):
            assert signed_in(viewer).get(page_of(account) + path_).status_code == 404
        for deed in ("pause/", "resume/", "stop/", "skipped/"):
            assert signed_in(viewer).post(page_of(account) + deed).status_code == 404
    assert Client().get(page_of(account)).status_code == 302
    assert not Backfill.objects.exists()


@pytest.mark.browser
def test_in_a_browser_older_messages_are_counted_fetched_and_told(connect, mailbox, live_server):
    account = connect(mailbox)
    mailbox.fill([(mails.mail(message_id=f"<{n}@x.example>"), ago(n)) for n in range(20, 60)])
    services.sync_account(account.pk)
    session = signed_in(account.owner).cookies["sessionid"].value
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        context = chromium.new_context(base_url=live_server.url, locale="en", viewport={"width": 375, "height": 800})
        context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(page_of(account))
        page.get_by_label("Since").fill(ago(39.5).date().isoformat())
        page.keyboard.press("Tab")
        expect(page.locator("#estimate")).to_contain_text("About 2")
        page.get_by_role("button", name="Fetch older messages").click()
        expect(page.get_by_role("heading", name="Fetching older messages waits")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("heading", name="is paused")).to_be_visible()
        expect(page.locator("#history-pause")).to_be_focused()
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        to_the_end(account)
        expect(page.locator("#history table")).to_contain_text("Done")  # by itself, from the poll
        assert len(ids(account)) == Backfill.objects.get().stored in (20, 21)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth") and not complaints
        chromium.close()
