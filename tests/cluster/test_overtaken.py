"""A worker that slept past its lease, or was cut off from the database: another takes over, and it must not write."""

from __future__ import annotations

import time

import pytest

from tests.cluster.conftest import LEASE_SECONDS, Cluster, fill
from tests.rig.proxy import Proxy

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]
MAILS = 30


def test_a_worker_that_slept_past_its_lease_does_not_write(cluster: Cluster):
    address = f"sleep-{cluster.database}@example.org"
    fill(cluster.dovecot, address, MAILS)
    with Proxy(cluster.dovecot.port) as line:
        line.silent_from = b"FETCH"
        [account_id] = cluster.accounts({"address": address, "port": line.port})
        sleeper = cluster.worker()
        cluster.wait(lambda: line.black_hole, "no FETCH")
        sleeper.freeze()
        line.silent_from, line.black_hole = b"", False  # what the sleeper asked for waits in its socket now
        cluster.worker()
        cluster.wait(lambda: cluster.is_whole(account_id, MAILS), "nobody took over")
        cluster.wait(lambda: cluster.standing()[0][1] is not None, "not told as done")
        [(_, after, *_rest)] = cluster.standing()
        sleeper.thaw()
        cluster.wait(lambda: sleeper.logged("lease was lost"), "the sleeper did not notice")
        assert cluster.is_whole(account_id, MAILS)
        assert cluster.standing()[0][1] >= after
        assert cluster.standing()[0][4] == 0


def test_a_worker_cut_off_from_the_database_is_replaced_and_comes_back_harmless(cluster: Cluster):
    address = f"cut-{cluster.database}@example.org"
    fill(cluster.dovecot, address, MAILS)
    with Proxy(cluster.dovecot.port) as mail, Proxy(cluster.postgres.port) as line:
        mail.silent_from = b"FETCH"
        [account_id] = cluster.accounts({"address": address, "port": mail.port})
        lonely = cluster.worker(MAILWALL_DATABASE_URL=cluster.url(line.port))
        cluster.wait(lambda: mail.black_hole, "no FETCH")
        line.black_hole = True
        mail.silent_from, mail.black_hole = b"", False
        cut_at = time.monotonic()
        cluster.worker()
        cluster.wait(lambda: cluster.is_whole(account_id, MAILS), "nobody took over")
        assert time.monotonic() - cut_at < LEASE_SECONDS + 25
        line.black_hole = False
        cluster.wait(lambda: lonely.logged("lease was lost"), "the lonely one did not notice")
        assert cluster.is_whole(account_id, MAILS)
        assert lonely.process.poll() is None
