"""How many accounts an installation carries: polling a fleet, ticking over many accounts, storing many messages.

poll: accounts on Dovecot without news, all polled in one go by 1, 2 and 4 worker processes. tick: accounts in the
tables alone, of which as many are due as in life. ingest: messages stored by the batch, the first tenth beside the
last, and the memory of the process on its way. PostgreSQL.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import report
from tests.rig import mails
from tests.rig.dovecot import Dovecot

TICK_SECONDS, INTERVAL_SECONDS = 15, 180
BATCH = 500


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench scale")
    parser.add_argument("--polled", type=int, default=1000, help="accounts on Dovecot")
    parser.add_argument("--accounts", type=int, nargs="*", default=[10_000, 100_000], help="accounts in the tables")
    parser.add_argument("--messages", type=int, default=200_000, help="to be stored")
    parser.add_argument("--part", choices=["poll", "tick", "ingest"], help="only this one")
    options = parser.parse_args(arguments)
    if options.part in (None, "poll"):
        poll(options.polled)
    for accounts in options.accounts if options.part in (None, "tick") else ():
        with installation("postgresql") as env:
            call(env, "benchmarks.scale", "in", "tick", str(accounts))
    if options.part in (None, "ingest"):
        with installation("postgresql") as env:
            call(env, "benchmarks.scale", "in", "ingest", str(options.messages))


def poll(accounts: int) -> None:
    """By workers of one thread each, so that CPU seconds are theirs."""
    with Dovecot(max_connections=2000) as dovecot, installation("postgresql") as env:
        for number in range(accounts):
            dovecot.fill(f"fleet{number}@example.org", [(mails.plain_mail(number, size=300), datetime.now(UTC))])
        call(env, "benchmarks.scale", "in", "fleet", str(accounts), str(dovecot.port), dovecot.password)
        _poll_all(env, workers=2)  # the first import
        rates = {}
        for workers in (1, 2, 4):
            wall, cpu, polls = _poll_all(env, workers)
            rates[workers] = polls / wall
            report(f"polls per second, {workers} workers", [rates[workers]], "1/s")
            report(f"worker CPU per poll, {workers} workers", [1000 * cpu / polls], "ms")
            report(f"polls per second of a core's CPU, {workers} workers", [polls / cpu], "1/s")
        report("throughput, 2 workers to 1", [rates[2] / rates[1]], "x")
        report("throughput, 4 workers to 1", [rates[4] / rates[1]], "x")


def _poll_all(env: dict[str, str], workers: int) -> tuple[float, float, int]:
    """Every account once; gives wall seconds, CPU seconds of the workers, and how many were polled."""
    call(env, "benchmarks.scale", "in", "all_due")
    command = [sys.executable, "-m", "benchmarks.scale", "in", "worker"]
    running = [
        subprocess.Popen(
            command,
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for _ in range(workers)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    begin = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        told = [json.loads(line) for line in pool.map(lambda each: each.communicate("go\n")[0], running)]
    wall = time.perf_counter() - begin
    return wall, sum(cpu for cpu, _ in told), sum(polls for _, polls in told)


# -- inside an installation


def fleet(accounts: str, port: str, password: str) -> None:
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.web import secrets
    from tests.cast import make_account, make_user

    owner = make_user("owner@ours.example")
    for number in range(int(accounts)):
        made = make_account(owner, f"fleet{number}@example.org", imap_port=int(port))
        made.sealed_imap_password = secrets.seal(password, bound_to=f"{made.secret_id}:imap")
        made.save()
    assert EmailAccount.objects.count() == int(accounts)


def all_due() -> None:
    from mailwall.email_accounts.models import EmailAccount

    EmailAccount.objects.update(next_sync_at=datetime.now(UTC) - timedelta(seconds=1), failed_attempts=0)


def worker() -> None:
    """Claims and polls until nothing is due; tells CPU seconds and polls."""
    from mailwall.sync import due, services

    print("ready", flush=True)
    sys.stdin.readline()
    before = time.process_time()
    polls = 0
    while claimed := due.claim_due(datetime.now(UTC), 20):
        for account_id in claimed:
            outcome = services.sync_account(account_id)
            assert outcome.state == "done", outcome
            polls += 1
    print(json.dumps([time.process_time() - before, polls]))


def tick(accounts_text: str) -> None:
    """As many are due as come in one tick; the worst case, all due after an outage, follows."""
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.health import metrics
    from mailwall.sync import due, removal
    from mailwall.team.models import User
    from tests.cast import make_user

    accounts = int(accounts_text)
    make_user("owner@ours.example")
    owner, now = User.objects.get(), datetime.now(UTC)
    for start in range(0, accounts, 5000):
        EmailAccount.objects.bulk_create(
            EmailAccount(
                owner=owner, address=f"fleet{n}@example.org", imap_host=f"imap{n % 50}.example", imap_username="x",
                import_since=now, last_synchronized_at=now,
                next_sync_at=now + timedelta(seconds=INTERVAL_SECONDS * n / accounts),
                state="deactivated" if n % 100 == 99 else "active",
            )
            for n in range(start, min(accounts, start + 5000))
        )  # fmt: skip
    _analyze()
    label = f"{accounts} accounts"
    later = now + timedelta(seconds=TICK_SECONDS)
    report(f"tick, {label}", _times(lambda: due.claim_due(later, 200), 20), "ms")
    report(f"forgotten downloads, {label}", _times(lambda: due.forgotten_downloads(now), 20), "ms")
    report(f"removed accounts, {label}", _times(removal.accounts_to_purge, 20), "ms")
    EmailAccount.objects.filter(state="active").update(next_sync_at=now - timedelta(hours=1))
    _analyze()
    report(f"tick while all are due, {label}", _times(lambda: due.claim_due(now, 200), 10), "ms")
    report(f"metrics, {label}", _times(lambda: metrics.text(now), 3), "ms")
    begin, claimed = time.perf_counter(), 0
    while time.perf_counter() - begin < 10 and (ids := due.claim_due(now, 200)):
        EmailAccount.objects.filter(pk__in=ids).update(next_sync_at=now + timedelta(seconds=INTERVAL_SECONDS))
        claimed += len(ids)
    report(f"accounts claimed per second with a stub server, {label}", [claimed / (time.perf_counter() - begin)], "1/s")


def ingest(messages_text: str) -> None:
    from django.db import transaction

    from mailwall.assignment import services as assignment
    from mailwall.mailstore import services as mailstore
    from mailwall.mailstore.types import IncomingMessage
    from mailwall.mime.parse import parse_whole
    from tests.cast import make_account, make_contact, make_user

    owner = make_user("owner@ours.example")
    accounts = [make_account(owner) for _ in range(20)]
    for number in range(40):
        make_contact(f"Kunde {number}", f"kunde{number}@kwiat.example")
    batches = int(messages_text) // BATCH
    spent, memory = [], []
    for number in range(batches):
        incoming = []
        for each in range(number * BATCH, (number + 1) * BATCH):
            raw = mails.plain_mail(each, size=1500)
            when = datetime.now(UTC) - timedelta(seconds=10 * each)
            incoming.append(
                IncomingMessage(parsed=parse_whole(raw), direction="received", internaldate=when, size_bytes=len(raw))
            )
        begin = time.perf_counter()
        with transaction.atomic():
            stored = mailstore.store_messages(accounts[number % len(accounts)], incoming)
            assignment.assign_messages([row.message_id for row in stored if row.message_id])
        spent.append(time.perf_counter() - begin)
        memory.append(_rss_mb())
    tenth = max(1, batches // 10)
    first, last = BATCH * tenth / sum(spent[:tenth]), BATCH * tenth / sum(spent[-tenth:])
    report("stored per second, first tenth", [first], "1/s")
    report("stored per second, last tenth", [last], "1/s")
    report("rate, last tenth to first", [last / first], "x")
    report("RSS, last tenth to second tenth", [sum(memory[-tenth:]) / sum(memory[tenth : 2 * tenth])], "x")
    report("peak RSS", [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024], "MB")
    report("database per message", [_database_bytes() / (batches * BATCH)], "bytes")


def _times(function, times: int) -> list[float]:  # type: ignore[no-untyped-def]
    spent = []
    for _ in range(times):
        begin = time.perf_counter()
        function()
        spent.append(1000 * (time.perf_counter() - begin))
    return spent


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _database_bytes() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"
    import django

    django.setup()
    {"fleet": fleet, "all_due": all_due, "worker": worker, "tick": tick, "ingest": ingest}[sys.argv[2]](*sys.argv[3:])
