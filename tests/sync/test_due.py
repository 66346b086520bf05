"""Which accounts the tick starts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailwall import queue
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import due, services, tasks
from mailwall.sync.models import SyncRun
from tests.cast import make_account
from tests.sync.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def empty_queues():
    for each in (queue.fast, queue.bulk):
        each.flush()
    yield
    for each in (queue.fast, queue.bulk):
        each.flush()


def make(cast, host: str, minutes_late: float, **fields) -> EmailAccount:
    return make_account(cast.alice, imap_host=host, next_sync_at=NOW - timedelta(minutes=minutes_late), **fields)


def test_mail_hosts_take_turns(cast):
    big = [make(cast, "big.example", 60 - number) for number in range(5)]
    small = make(cast, "small.example", 1)
    other = make(cast, "other.example", 2)
    claimed = due.claim_due(NOW, 4)
    assert claimed == [big[0].pk, other.pk, small.pk, big[1].pk]


def test_a_claimed_account_is_not_claimed_again_until_its_reservation_ends(cast):
    account = make(cast, "a.example", 1)
    assert due.claim_due(NOW, 10) == [account.pk]
    assert due.claim_due(NOW, 10) == []
    assert due.claim_due(NOW + timedelta(seconds=121), 10) == [account.pk]


def test_only_active_accounts_that_nobody_holds_are_due(cast):
    make(cast, "a.example", 1, state=State.PAUSED)
    make(cast, "a.example", 1, state=State.NEEDS_SIGN_IN)
    make(cast, "a.example", 1, removed_at=NOW)
    make(cast, "a.example", -1)
    make(cast, "a.example", 1, lease_until=NOW + timedelta(minutes=1), lease_token="x")
    killed = make(cast, "a.example", 1, lease_until=NOW - timedelta(seconds=1), lease_token="x")
    assert due.claim_due(NOW, 10) == [killed.pk]


def test_an_account_deactivated_by_the_network_alone_is_probed(cast):
    make(cast, "a.example", 1, state=State.DEACTIVATED, only_network_errors=False)
    probed = make(cast, "a.example", 1, state=State.DEACTIVATED, only_network_errors=True)
    make(cast, "a.example", -30, state=State.DEACTIVATED, only_network_errors=True)
    assert due.claim_due(NOW, 10) == [probed.pk]


def test_a_tick_starts_a_task_for_every_due_account_once(cast):
    for number in range(3):
        make(cast, "a.example", number)
    assert tasks.tick() == 3
    assert tasks.tick() == 0
    assert queue.bulk.pending_count() == 3


def test_a_tick_starts_no_more_than_the_queue_should_hold(cast, monkeypatch):
    monkeypatch.setattr(tasks, "WAITING_LIMIT", 2)
    for number in range(3):
        make(cast, "a.example", number)
    assert (tasks.tick(), tasks.tick()) == (2, 0)
    queue.bulk.flush()
    assert tasks.tick() == 1


def test_a_download_that_the_queue_forgot_is_started_by_the_tick(cast):
    account = make(cast, "a.example", -60, state=State.PAUSED)
    services.request_download(account)
    assert tasks.tick() == 0
    SyncRun.objects.update(requested_at=NOW - timedelta(minutes=1))
    assert tasks.tick() == 1 and queue.fast.pending_count() == 1
    assert tasks.tick() == 0


def test_download_wakes_the_fast_queue_after_the_commit(cast, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        tasks.download(7)
        assert queue.fast.pending_count() == 0
    assert queue.fast.pending_count() == 1


def test_a_task_whose_work_is_not_done_comes_again_behind_the_others(cast, monkeypatch):
    account = make(cast, "a.example", 1)
    outcomes = [
        services.SyncOutcome(account_id=account.pk, state="done", more=True),
        services.SyncOutcome(account_id=account.pk, state="done", more_history=True),
        services.SyncOutcome(account_id=account.pk, state="done"),
    ]
    monkeypatch.setattr(services, "sync_account", lambda *_, **__: outcomes.pop(0))
    tasks.sync_account_task(account.pk)
    for left in (1, 1, 0):
        queue.bulk.execute(queue.bulk.dequeue())
        assert queue.bulk.pending_count() == left


def test_a_worker_that_is_to_end_starts_nothing_more(cast, monkeypatch):
    account = make(cast, "a.example", 1)
    outcome = services.SyncOutcome(account_id=account.pk, state="done", more=True)
    monkeypatch.setattr(services, "sync_account", lambda *_, **__: outcome)
    monkeypatch.setattr(queue.stopping, "is_set", lambda: True)
    tasks.sync_account_task(account.pk)
    queue.bulk.execute(queue.bulk.dequeue())
    assert queue.bulk.pending_count() == 0
