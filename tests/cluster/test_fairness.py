"""One account with much mail does not make the others wait, nor whoever clicks."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.cluster.conftest import CLICK, SLACK_SECONDS, Cluster, fill
from tests.rig.product import ROOT

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]

INTERVAL_SECONDS, SMALL, BIG = 5, 6, 4000
LAGS = """
SELECT extract(epoch FROM now() - last_synchronized_at)::float - {interval} FROM email_accounts_emailaccount
WHERE address LIKE 'small%' AND last_synchronized_at IS NOT NULL
"""


def test_small_accounts_and_clicks_do_not_wait_for_a_long_import(cluster: Cluster):
    """One worker with one place for what the schedule asks: the least there can be."""
    for number in range(SMALL):
        fill(cluster.dovecot, f"small{number}-{cluster.database}@example.org", 2)
    fill(cluster.dovecot, f"big-{cluster.database}@example.org", BIG)
    cluster.env["MAILWALL_SYNC_INTERVAL_SECONDS"] = str(INTERVAL_SECONDS)
    small = cluster.accounts(*({"address": f"small{number}-{cluster.database}@example.org"} for number in range(SMALL)))
    cluster.worker(concurrency=1)
    cluster.wait(lambda: all(row[1] for row in cluster.standing()), "the small ones did not begin")
    [big] = cluster.accounts({"address": f"big-{cluster.database}@example.org"})
    cluster.wait(lambda: cluster.stored()[big] > 0, "the big one did not begin")
    click = subprocess.Popen([sys.executable, "-c", CLICK, str(small[0])], cwd=ROOT, env=cluster.env)
    lags: list[float] = []
    end = time.monotonic() + SLACK_SECONDS
    while click.poll() is None or (cluster.stored()[big] < BIG and time.monotonic() < end):
        lags += [row[0] for row in cluster.rows(LAGS.format(interval=INTERVAL_SECONDS))]
        time.sleep(0.2)
    assert click.returncode == 0
    assert max(lags) <= 2 * INTERVAL_SECONDS
    cluster.wait(
        lambda: bool(cluster.rows("SELECT 1 FROM sync_syncrun WHERE kind = 'manual' AND state = 'done'")), "no click"
    )
    [(waited,)] = cluster.rows(
        "SELECT extract(epoch FROM started_at - requested_at)::float FROM sync_syncrun WHERE kind = 'manual'"
    )
    assert waited <= 2
