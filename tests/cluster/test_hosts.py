"""Mail hosts: connections to one are counted, and one that is silent keeps no others waiting. Real workers."""

from __future__ import annotations

import contextlib
import fcntl

import pytest

from mailwall.email_accounts import places
from tests.cluster.conftest import CLICK, Cluster, fill
from tests.rig.proxy import Proxy

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]

LIMIT = 4


def started(cluster: Cluster, host: str, port: int, *names: str, due_in: int = 0) -> list[int]:
    """Accounts on a host, of two messages each, that are due after so many seconds."""
    addresses = [f"{name}-{cluster.database}@example.org" for name in names]
    for address in addresses:
        fill(cluster.dovecot, address, 2)
    return cluster.accounts(
        *({"address": address, "host": host, "port": port, "due_in": due_in} for address in addresses)
    )


def test_connections_to_a_host_never_exceed_the_limit(cluster: Cluster):
    """Two workers with more threads than connections, and more accounts than both."""
    cluster.env |= {"MAILWALL_HOST_CONNECTIONS": str(LIMIT), "MAILWALL_KEPT_CONNECTIONS": "50"}
    with Proxy(cluster.dovecot.port, delay_seconds=0.02) as proxy:
        accounts = started(cluster, "127.0.0.1", proxy.port, *(f"many{number}" for number in range(9)))
        for _ in range(2):
            cluster.worker(concurrency=6)
        for _ in range(2):
            seen = {row[0]: row[1] for row in cluster.standing()}
            cluster.wait(
                lambda seen=seen: all(row[1] and row[1] != seen[row[0]] for row in cluster.standing()), "not all polled"
            )
        assert all(cluster.stored()[account] == 2 for account in accounts)
        assert LIMIT - 1 <= proxy.most_open <= LIMIT
        assert all(row[4] == 0 for row in cluster.standing())


def test_a_silent_host_does_not_keep_the_others_waiting(cluster: Cluster):
    """Four threads, twelve accounts on a host that takes connections and says nothing: two at a time once it is known."""
    cluster.env |= {"MAILWALL_HOST_CONNECTIONS": "50", "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1,127.0.0.2"}
    with Proxy(cluster.dovecot.port, host="127.0.0.2") as silent:
        silent.black_hole = True
        mute = set(started(cluster, "127.0.0.2", silent.port, *(f"silent{number}" for number in range(12))))
        cluster.worker(concurrency=4)
        cluster.wait(lambda: any(row[4] for row in cluster.standing()), "nobody noticed the silence")
        cluster.wait(lambda: held(cluster, mute) <= 2, "the first ones do not end")
        well = set(started(cluster, "127.0.0.1", cluster.dovecot.port, *(f"well{number}" for number in range(4))))
        most = 0

        def all_polled_since(seen: dict[int, object]) -> bool:
            nonlocal most
            most = max(most, held(cluster, mute))
            return all(row[1] and row[1] != seen[row[0]] for row in cluster.standing() if row[0] in well)

        for _ in range(3):
            seen = {row[0]: row[1] for row in cluster.standing()}
            cluster.wait(lambda seen=seen: all_polled_since(seen), "the others wait")
        assert most <= 2
        assert sum(bool(row[4]) for row in cluster.standing()) < len(mute)  # the others were served before all failed


def held(cluster: Cluster, accounts: set[int]) -> int:
    """How many of these a worker has."""
    return sum(row[3] is not None for row in cluster.standing() if row[0] in accounts)


def test_a_click_is_served_while_bulk_work_has_all_connections_of_the_host(cluster: Cluster):
    cluster.env["MAILWALL_HOST_CONNECTIONS"] = str(LIMIT)
    [account] = started(cluster, "127.0.0.1", cluster.dovecot.port, "clicked", due_in=3600)
    locks = cluster.folder / "data" / "locks"
    locks.mkdir(exist_ok=True)
    with contextlib.ExitStack() as held:
        for number in range(LIMIT - 1):  # as bulk work of another process holds them
            lock = held.enter_context((locks / f"host-{places.host_key('127.0.0.1')}-{number}").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        cluster.worker(concurrency=2).wait_started()
        cluster.python(CLICK, str(account))
        cluster.wait(lambda: bool(cluster.rows("SELECT 1 FROM sync_syncrun WHERE state = 'done'")), "the click waits")
    [(waited,)] = cluster.rows("SELECT extract(epoch FROM started_at - requested_at)::float FROM sync_syncrun")
    assert cluster.stored()[account] == 2
    assert waited <= 2
