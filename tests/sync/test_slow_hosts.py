"""A mail host that keeps threads waiting has half of them at most."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from mailwall import queue
from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import due, services, slow_hosts, tasks
from mailwall.sync.slow_hosts import SlowHosts
from tests.cast import make_account
from tests.sync.conftest import NOW

BAD, WORSE, GOOD = "silent.example", "mute.example", "good.example"


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def hosts(now) -> SlowHosts:
    return SlowHosts(4, clock=lambda: now[0])


def test_slow_hosts_share_half_of_the_threads_and_others_have_all(hosts: SlowHosts):
    for host in (BAD, WORSE):
        hosts.note(host, failed=True, seconds=10)
    assert [hosts.enter(host) for host in (BAD, WORSE, BAD)] == [True, True, False]
    assert [hosts.enter(GOOD) for _ in range(4)] == [True] * 4
    hosts.leave(WORSE)
    assert hosts.enter(BAD)


def test_who_refuses_at_once_is_not_slow(hosts: SlowHosts):
    hosts.note(BAD, failed=True, seconds=0.1)
    assert not hosts.any and all(hosts.enter(BAD) for _ in range(4))


def test_a_host_that_answers_again_is_forgiven(hosts: SlowHosts):
    hosts.note(BAD, failed=True, seconds=10)
    assert hosts.any
    hosts.note(BAD, failed=False, seconds=20)
    assert not hosts.any and all(hosts.enter(BAD) for _ in range(4))


def test_a_host_is_tried_with_all_threads_again_after_a_while(hosts: SlowHosts, now):
    hosts.note(BAD, failed=True, seconds=10)
    assert [hosts.enter(BAD) for _ in range(3)] == [True, True, False]
    now[0] += slow_hosts.REMEMBERED_SECONDS + 1
    assert hosts.enter(BAD)


def test_the_only_thread_is_for_everybody(now):
    alone = SlowHosts(1, clock=lambda: now[0])
    alone.note(BAD, failed=True, seconds=10)
    assert alone.enter(BAD)


@pytest.mark.django_db
def test_an_account_without_a_thread_is_put_back_and_comes_again_soon(cast, monkeypatch, hosts: SlowHosts):
    monkeypatch.setattr(tasks, "slow_hosts", hosts)
    monkeypatch.setattr(services, "sync_account", lambda *_, **__: pytest.fail("nothing may connect"))
    hosts.note(BAD, failed=True, seconds=10)
    assert hosts.enter(BAD) and hosts.enter(BAD)
    account = make_account(cast.alice, imap_host=BAD, next_sync_at=NOW)
    before = datetime.now(UTC)
    queue.bulk.flush()
    assert due.claim_due(before, 1) == [account.pk]
    tasks.sync_account_task(account.pk)
    queue.bulk.execute(queue.bulk.dequeue())
    again_at = EmailAccount.objects.get().next_sync_at
    assert before + services.AGAIN_WITHIN <= again_at <= datetime.now(UTC) + services.AGAIN_WITHIN
