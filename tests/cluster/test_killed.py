"""kill -9 of a worker in every phase at once: each account hangs in another one. Nothing is lost, doubled or stuck."""

from __future__ import annotations

import contextlib
import time

import pytest

from tests.cluster.conftest import LEASE_SECONDS, Cluster, fill, taken
from tests.rig.proxy import Proxy
from tests.rig.smtp_sink import SmtpSink

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]

SYNC_PHASES = [b"LOGIN", b"LIST", b"EXAMINE", b"SEARCH", b"FETCH", b"LOGOUT"]
SEND_PHASES = [b"AUTH", b"MAIL FROM", b"DATA\r\n", b"\r\n.\r\n"]
MAILS = 30


def test_in_each_phase_of_synchronisation(cluster: Cluster):
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(cluster.dovecot.port)) for _ in SYNC_PHASES]
        addresses = [f"kill-{phase.decode().lower()}-{cluster.database}@example.org" for phase in SYNC_PHASES]
        for address in addresses:
            fill(cluster.dovecot, address, MAILS)
        for proxy, phase in zip(proxies, SYNC_PHASES, strict=True):
            proxy.silent_from = phase
        ids = cluster.accounts(
            *({"address": address, "port": proxy.port} for address, proxy in zip(addresses, proxies, strict=True))
        )
        kill_where_all_are_silent(cluster, proxies)
        killed_at = time.monotonic()
        cluster.worker().wait_started()
        cluster.wait(lambda: all(cluster.is_whole(pk, MAILS) for pk in ids), "not whole")
        cluster.wait(lambda: all(row[3] is None and row[1] for row in cluster.standing()), "stuck")
        assert time.monotonic() - killed_at < LEASE_SECONDS + 25
        assert all(row[4] == 0 for row in cluster.standing())
        cluster.wait(lambda: bool(cluster.rows("SELECT 1 FROM health_tally WHERE name = 'taken_over'")), "not told")


def test_in_the_middle_of_a_commit(cluster: Cluster):
    """The database has the batch, the worker never heard so."""
    address = f"commit-{cluster.database}@example.org"
    fill(cluster.dovecot, address, MAILS)
    [account_id] = cluster.accounts({"address": address})
    with Proxy(cluster.postgres.port) as line:
        victim = cluster.worker(MAILWALL_DATABASE_URL=cluster.url(line.port))
        cluster.wait(lambda: b"sync_placement" in line.sent, "no batch")
        line.black_hole = True
        time.sleep(0.3)
        victim.kill()
    cluster.worker()
    cluster.wait(lambda: cluster.is_whole(account_id, MAILS), "not whole")
    cluster.wait(lambda: cluster.standing()[0][3] is None, "stuck")


def test_in_each_phase_of_sending(cluster: Cluster, smtp_sink: SmtpSink):
    with contextlib.ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(smtp_sink.port)) for _ in SEND_PHASES]
        for proxy, phase in zip(proxies, SEND_PHASES, strict=True):
            proxy.silent_from = phase
        cluster.accounts(
            *(
                {
                    "address": f"send{number}-{cluster.database}@example.org",
                    "smtp_port": proxy.port,
                    "mails": 3,
                    "due_in": 3600,
                }
                for number, proxy in enumerate(proxies)
            )
        )
        kill_where_all_are_silent(cluster, proxies)
        cluster.worker()
        cluster.wait(lambda: cluster.outgoing()["sent"] >= 9, "not sent")
        cluster.wait(lambda: not cluster.outgoing()["queued"], "left over")
        # MAIL and DATA are said together: of three that had begun nobody knows; all others are sent, each once
        assert cluster.outgoing()["sending"] + cluster.outgoing()["needs_review"] <= 3
        assert sum(cluster.outgoing().values()) == 12
        assert max(taken(smtp_sink).values()) == 1
        sent = {row[0] for row in cluster.rows("SELECT message_id_header FROM sending_outgoing WHERE state = 'sent'")}
        assert sent <= set(taken(smtp_sink))


def kill_where_all_are_silent(cluster, proxies) -> None:
    """A worker that is stuck at every proxy is killed; then the servers are there again."""
    victim = cluster.worker()
    cluster.wait(
        lambda: all(proxy.black_hole for proxy in proxies),
        "no phase is left out: " + str([proxy.black_hole for proxy in proxies]),
    )
    victim.kill()
    for proxy in proxies:
        proxy.silent_from, proxy.black_hole = b"", False
        proxy.cut_now()
