"""Redis restarted empty, PostgreSQL stopped, two ticks at once, a clock an hour off: everything goes on by itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import INTERVAL_SECONDS, LEASE_SECONDS, Cluster, fill, taken
from tests.rig import mails
from tests.rig.product import ROOT
from tests.rig.proxy import Proxy
from tests.rig.smtp_sink import SmtpSink

pytestmark = [pytest.mark.live, pytest.mark.postgres, pytest.mark.slow]

TICK = """
import sys, django; django.setup()
from django.utils import timezone
from mailwall.sync import due
print("ready", flush=True)
sys.stdin.readline()
print([pk for _ in range(10) for pk in due.claim_due(timezone.now(), 20)])
"""
MANY_DUE = """
import django; django.setup()
from datetime import datetime, timedelta, UTC
from mailwall.email_accounts.models import EmailAccount
from mailwall.team.models import User
from tests.cast import make_user
alice, now = make_user("alice@ours.example"), datetime.now(UTC)
EmailAccount.objects.bulk_create(EmailAccount(owner=alice, address=f"many{n}@ours.example", imap_host=f"h{n % 7}.example",
    imap_username="x", import_since=now, next_sync_at=now - timedelta(seconds=n)) for n in range(300))
"""


def faketime() -> Path | None:
    return next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


def sender(cluster: Cluster, sink: SmtpSink, **fields: int) -> dict[str, Any]:
    """An account that only sends."""
    return {"address": f"sender-{cluster.database}@example.org", "smtp_port": sink.port, "due_in": 3600, **fields}


def test_a_queue_that_was_lost_is_filled_again(cluster: Cluster, smtp_sink: SmtpSink):
    address = f"queue-{cluster.database}@example.org"
    fill(cluster.dovecot, address, 3)
    [account_id] = cluster.accounts({"address": address})
    worker = cluster.worker()
    cluster.wait(lambda: cluster.is_whole(account_id, 3), "not begun")
    cluster.redis.stop()
    cluster.dovecot.deliver(address, mails.plain_mail(900))
    cluster.accounts(sender(cluster, smtp_sink, mails=2))
    time.sleep(INTERVAL_SECONDS)
    cluster.redis.start()
    cluster.wait(lambda: cluster.is_whole(account_id, 4), "the tick did not fill the queue")
    cluster.wait(lambda: cluster.outgoing()["sent"] == 2, "mail was forgotten")
    assert set(taken(smtp_sink).values()) == {1}
    assert worker.process.poll() is None


def test_a_database_that_was_stopped_costs_only_its_time(cluster: Cluster, smtp_sink: SmtpSink):
    address = f"stop-{cluster.database}@example.org"
    fill(cluster.dovecot, address, 400)
    with Proxy(cluster.dovecot.port, delay_seconds=0.2) as line:
        account_id, _sender = cluster.accounts(
            {"address": address, "port": line.port}, sender(cluster, smtp_sink, mails=10)
        )
        workers = [cluster.worker(concurrency=4) for _ in range(2)]
        cluster.wait(lambda: cluster.stored().get(account_id, 0) > 0, "not begun")
        cluster.postgres.restart(away_seconds=4)
        cluster.wait(lambda: cluster.is_whole(account_id, 400), "not resumed")
    cluster.wait(lambda: cluster.outgoing()["sent"] + cluster.outgoing()["sending"] == 10, "mail was forgotten")
    assert max(taken(smtp_sink).values()) == 1
    assert [worker.process.poll() for worker in workers] == [None, None]
    assert cluster.standing()[0][4] == 0, "the database's outage counts as a failed attempt"


def test_two_ticks_at_once_start_each_account_once(cluster: Cluster):
    cluster.python(MANY_DUE)
    ticks = [
        subprocess.Popen(
            [sys.executable, "-c", TICK],
            cwd=ROOT,
            env=cluster.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for tick in ticks:
        assert tick.stdout.readline() == "ready\n"
    claimed = [json.loads(tick.communicate("go\n", timeout=60)[0]) for tick in ticks]
    everybody = [pk for each in claimed for pk in each]
    assert len(everybody) == len(set(everybody)) == 300


@pytest.mark.parametrize("hours", [1, pytest.param(-1, marks=pytest.mark.exhaustive)])
def test_a_clock_that_is_an_hour_off_hurts_nobody(cluster: Cluster, smtp_sink: SmtpSink, hours: int):
    library = faketime()
    if library is None:
        pytest.skip("no libfaketime: apt-get install faketime")
    address = f"clock{hours}-{cluster.database}@example.org"
    fill(cluster.dovecot, address, 20)
    account_id, _sender = cluster.accounts({"address": address}, sender(cluster, smtp_sink, mails=4))
    fake = {
        "LD_PRELOAD": str(library),
        "FAKETIME": f"{hours:+d}h",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    wrong = cluster.worker(**fake)
    cluster.wait(lambda: cluster.is_whole(account_id, 20), "the wrong clock alone does not synchronise")
    cluster.worker()
    cluster.dovecot.deliver(address, mails.plain_mail(901))
    cluster.wait(lambda: cluster.is_whole(account_id, 21), "no news")
    cluster.wait(lambda: cluster.outgoing()["sent"] == 4, "not sent")
    assert set(taken(smtp_sink).values()) == {1}
    _, last, due, *_rest = cluster.standing()[0]
    now = datetime.now(UTC)
    assert abs(now - last) < timedelta(minutes=2)
    assert due - now < timedelta(seconds=INTERVAL_SECONDS + LEASE_SECONDS + 5)
    cluster.wait(lambda: any(abs(row[0]) > 3500 for row in clock_offsets(cluster)), "nobody tells of the clock")
    assert wrong.process.poll() is None


def clock_offsets(cluster: Cluster) -> list[tuple[float]]:
    return cluster.rows("SELECT extract(epoch FROM own_clock_at - seen_at)::float FROM health_beat")
