"""The wish for a download and what becomes of it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as db

from mailwall.email_accounts import leases
from mailwall.email_accounts.errors import AccountDeactivated
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import passes, runs, services
from mailwall.sync.models import SyncRun
from tests.cast import make_contact
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import NOW, ids

pytestmark = pytest.mark.live


def test_a_run_tells_how_many_came_and_were_assigned(account, mailbox: Mailbox):
    make_contact("Ewa", "ewa@kwiat.example")
    for sender in ("ewa@kwiat.example", "ewa@kwiat.example", "who@else.example"):
        mailbox.deliver(mails.mail(sender=sender))
    run = services.request_download(account)
    assert run.state == "waiting"
    services.sync_account(account.pk)
    run = services.wait_for_run(run.pk, 0)
    assert (run.state, run.new, run.assigned, run.error_code) == ("done", 3, 2, "")
    assert run.started_at and run.finished_at


def test_a_second_wish_joins_the_first(account):
    first, second = services.request_download(account), services.request_download(account)
    assert first.pk == second.pk and SyncRun.objects.count() == 1


def test_a_wish_makes_an_active_account_due_at_once_and_a_paused_one_not_by_itself(account):
    later = NOW + timedelta(hours=1)
    for state, due in ((State.ACTIVE, False), (State.PAUSED, True), (State.NEEDS_SIGN_IN, True)):
        EmailAccount.objects.update(state=state, next_sync_at=later)
        services.request_download(account)
        account.refresh_from_db()
        assert (account.next_sync_at == later) is due


def test_nothing_connects_for_a_deactivated_account(account):
    EmailAccount.objects.update(state=State.DEACTIVATED, only_network_errors=False)
    with pytest.raises(AccountDeactivated):
        services.request_download(account)
    assert services.sync_account(account.pk).state == "inactive"
    account.refresh_from_db()
    assert account.lease_token == ""


def test_a_paused_account_downloads_on_request_and_stays_paused(account, mailbox: Mailbox):
    mailbox.deliver(mails.mail(message_id="<a@x.example>"))
    EmailAccount.objects.update(state=State.PAUSED, next_sync_at=None)
    run = services.request_download(account)
    services.sync_account(account.pk)
    account.refresh_from_db()
    assert services.wait_for_run(run.pk, 0).state == "done" and ids(account) == {"a@x.example"}
    assert (account.state, account.next_sync_at) == (State.PAUSED, None)


def test_a_wish_during_a_pass_sees_what_was_delivered_before_the_click(account, mailbox: Mailbox, monkeypatch):
    whole_pass = passes.Pass.run
    clicked = []

    def with_click(self, **options):
        done = whole_pass(self, **options)
        if not clicked:
            mailbox.deliver(mails.mail(message_id="<just@x.example>"))
            clicked.append(services.request_download(account))
        return done

    monkeypatch.setattr(passes.Pass, "run", with_click)
    assert not services.sync_account(account.pk).more
    run = services.wait_for_run(clicked[0].pk, 0)
    assert (run.state, run.new) == ("done", 1)
    assert ids(account) == {"just@x.example"}


def test_a_click_that_joins_a_running_run_counts_as_a_new_wish(account, mailbox: Mailbox, monkeypatch):
    whole_pass = passes.Pass.run
    run = services.request_download(account)
    clicked = []

    def with_click(self, **options):
        done = whole_pass(self, **options)
        if not clicked:
            mailbox.deliver(mails.mail(message_id="<just@x.example>"))
            clicked.append(services.request_download(account))
        return done

    monkeypatch.setattr(passes.Pass, "run", with_click)
    services.sync_account(account.pk)
    assert clicked[0].pk == run.pk
    assert services.wait_for_run(run.pk, 0).new == 1


def test_a_run_is_not_done_before_the_first_import_is(account, mailbox: Mailbox, monkeypatch):
    mailbox.fill([(mails.plain_mail(number, size=100), NOW) for number in range(120)])
    run = services.request_download(account)
    outcome = services.sync_account(account.pk, messages=10, others_wait=lambda: True)
    assert outcome.more
    halfway = services.wait_for_run(run.pk, 0)
    assert halfway.state == "running" and 0 < halfway.new < 120
    while services.sync_account(account.pk).more:
        pass
    run = services.wait_for_run(run.pk, 0)
    assert (run.state, run.new) == ("done", 120)


def test_a_failed_run_tells_why_and_counts_once(connect, mailbox: Mailbox):
    account = connect(mailbox, port=1)
    run = services.request_download(account)
    outcome = services.sync_account(account.pk)
    run = services.wait_for_run(run.pk, 0)
    assert (outcome.state, outcome.error_code) == ("failed", "imap_unreachable")
    assert (run.state, run.error_code) == ("failed", "imap_unreachable") and run.error_message
    account.refresh_from_db()
    assert account.failed_attempts == 1 and account.lease_token == ""
    assert account.next_sync_at > datetime.now(UTC) + timedelta(seconds=30)


def test_success_resets_the_failed_attempts(account):
    EmailAccount.objects.update(failed_attempts=7, state=State.NEEDS_SIGN_IN, last_error_code="imap_login_refused")
    services.request_download(account)
    services.sync_account(account.pk)
    account.refresh_from_db()
    assert (account.failed_attempts, account.state, account.last_error_code) == (0, State.ACTIVE, "")


def test_a_run_whose_worker_was_killed_is_taken_up_by_the_next(account, mailbox: Mailbox):
    run = services.request_download(account)
    leases.take_lease(account.pk)
    runs.begin_pass(account.pk)
    assert services.sync_account(account.pk).state == "busy"
    EmailAccount.objects.update(lease_until=NOW - timedelta(minutes=3))
    assert services.sync_account(account.pk).state == "done"
    assert services.wait_for_run(run.pk, 0).state == "done"


def test_the_schedule_leaves_a_row_only_when_it_brought_something(account, mailbox: Mailbox):
    services.sync_account(account.pk)
    services.sync_account(account.pk)
    assert not SyncRun.objects.exists()
    mailbox.deliver(mails.mail())
    services.sync_account(account.pk)
    run = SyncRun.objects.get()
    assert (run.kind, run.state, run.new) == ("scheduled", "done", 1)


def test_two_workers_at_once_store_everything_once(account, mailbox: Mailbox):
    mailbox.fill([(mails.plain_mail(number, size=100), NOW) for number in range(60)])
    outcomes = []

    def work():
        outcomes.append(services.sync_account(account.pk))
        db.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome.new for outcome in outcomes) == 60 == len(ids(account))


def test_waiting_ends_when_the_run_does(account):
    run = services.request_download(account)

    def later():
        services.sync_account(account.pk)
        db.close()

    thread = threading.Timer(0.2, later)
    thread.start()
    assert services.wait_for_run(run.pk, 20).state == "done"
    thread.join()


def test_old_runs_are_forgotten(account):
    old = NOW - timedelta(days=40)
    for moment in (old, NOW):
        SyncRun.objects.create(account=account, kind="scheduled", state="done", requested_at=moment, finished_at=moment)
    assert runs.forget_old(NOW) == 1 and SyncRun.objects.count() == 1
