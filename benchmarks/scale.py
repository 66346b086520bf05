"""How many accounts an installation carries.

poll: accounts on Dovecot without news, all polled in one go by one worker: CPU of a poll, polls and accounts per core.
workers: the product as it runs on several machines (PostgreSQL, Redis, `mailwall worker`), accounts on a stub server
50 ms away, always due: throughput of 1, 2 and 4 workers. It counts only while cores are idle, which is told beside it.
tick: accounts in the tables alone, of which as many are due as in life, then all. Storing is measured by `ingest`,
memory by `memory`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import report, tree_cpu_seconds
from benchmarks.stub_imap import StubImap
from tests.rig import mails
from tests.rig.dovecot import Dovecot
from tests.rig.redis import Redis

TICK_SECONDS, INTERVAL_SECONDS, POLL_EVERY_SECONDS = 15, 180, 300
PARTS = ("poll", "workers", "tick")
HOSTS = [f"127.0.0.{number}" for number in range(1, 41)]
WORKER_COUNTS, WORKER_THREADS = (1, 2, 4), 4


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench scale")
    parser.add_argument("--polled", type=int, default=1000, help="accounts on Dovecot")
    parser.add_argument("--accounts", type=int, nargs="*", default=[10_000, 100_000], help="accounts in the tables")
    parser.add_argument("--seconds", type=int, default=30, help="to measure each number of workers")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this one")
    options = parser.parse_args(arguments)
    parts = options.part or PARTS
    if "poll" in parts:
        poll(options.polled)
    if "workers" in parts:
        workers(options.seconds)
    for accounts in options.accounts if "tick" in parts else ():
        with installation("postgresql") as env:
            call(env, "benchmarks.scale", "in", "tick", str(accounts))


def poll(accounts: int) -> None:
    """By one worker of one thread, so that CPU seconds are its own. A mail in each box."""
    with Dovecot(max_connections=2000) as dovecot, installation("postgresql") as env:
        for number in range(accounts):
            dovecot.fill(f"fleet{number}@example.org", [(mails.plain_mail(number, size=300), datetime.now(UTC))])
        call(env, "benchmarks.scale", "in", "fleet", str(accounts), str(dovecot.port), dovecot.password)
        _poll_all(env)  # the first import
        wall, cpu, database, polls = _poll_all(env)
        per_core = polls / (cpu + database)
        report("polls", [polls], "")
        report("polls per second", [polls / wall], "1/s")
        report("CPU per poll, worker", [1000 * cpu / polls], "ms")
        report("CPU per poll, database", [1000 * database / polls], "ms")
        report("polls per second of a core, database included", [per_core], "1/s")
        report(f"accounts per core, polled each {POLL_EVERY_SECONDS} s", [per_core * POLL_EVERY_SECONDS], "")


def _poll_all(env: dict[str, str]) -> tuple[float, float, float, int]:
    """Every account once; gives wall seconds, CPU seconds of the worker and the database, and how many were polled."""
    call(env, "benchmarks.scale", "in", "all_due")
    command = [sys.executable, "-m", "benchmarks.scale", "in", "worker"]
    done = subprocess.run(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    wall, cpu, database, polls = json.loads(done.stdout)
    return wall, cpu, database, polls


def workers(seconds: int) -> None:
    """Each number of workers on the same installation, while nobody has nothing to do."""
    redis, stub = Redis(), StubImap(HOSTS, 0.05)
    try:
        with installation("postgresql") as env:
            env |= {"MAILWALL_REDIS_URL": redis.url, "MAILWALL_SECRET_KEY": "the same for all"}
            env |= {"MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.0/8", "MAILWALL_SYNC_INTERVAL_SECONDS": "1"}
            call(env, "benchmarks.scale", "in", "stub_fleet", "800", str(stub.port))
            found = {}
            for number in WORKER_COUNTS:
                call(env, "benchmarks.scale", "in", "all_due")
                found[number] = _throughput(env, stub, number, seconds)
    finally:
        redis.stop()
    for number in WORKER_COUNTS[1:]:
        report(f"throughput, {number} workers to 1", [found[number][0] / found[1][0]], "x")
        report(f"CPU per poll, {number} workers to 1", [found[number][1] / found[1][1]], "x")


def _throughput(env: dict[str, str], stub: StubImap, number: int, seconds: int) -> tuple[float, float]:
    """Polls a second, and CPU seconds of workers for each."""
    with _working(env, number) as running:
        before = stub.sessions
        while stub.sessions < before + 20 * number:  # all of them are at work
            time.sleep(0.1)
        begin, first = time.perf_counter(), stub.sessions
        cpu, idle = sum(map(tree_cpu_seconds, running)), _idle_seconds()
        time.sleep(seconds)
        polls, wall = stub.sessions - first, time.perf_counter() - begin
        cpu = sum(map(tree_cpu_seconds, running)) - cpu
        report(f"polls per second, {number} workers", [polls / wall], "1/s")
        report(f"CPU per poll, {number} workers", [1000 * cpu / polls], "ms")
        report(f"cores idle, {number} workers", [(_idle_seconds() - idle) / wall], "")
    return polls / wall, cpu / polls


@contextlib.contextmanager
def _working(env: dict[str, str], number: int) -> Iterator[list[int]]:
    """Worker processes; gives their ids."""
    command = [
        sys.executable,
        "-m",
        "mailwall.config",
        "worker",
        "--queue",
        "bulk",
        "--concurrency",
        str(WORKER_THREADS),
    ]
    running = [
        subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(number)
    ]
    try:
        yield [each.pid for each in running]
    finally:
        for each in running:
            each.terminate()
        for each in running:
            each.wait(30)


def _idle_seconds() -> float:
    """Of all cores since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.readline().split()[4]) / os.sysconf("SC_CLK_TCK")


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


def stub_fleet(accounts: str, port: str) -> None:
    """Spread over many hosts, and read to the end a moment ago."""
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.sync.models import Folder

    fleet(accounts, port, "any")
    for account in EmailAccount.objects.all():
        account.imap_host, account.last_synchronized_at = HOSTS[account.pk % len(HOSTS)], datetime.now(UTC)
        account.save()
        Folder.objects.create(
            account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True, uidvalidity=7, uidnext=1,
            import_done=True, compared_at=datetime.now(UTC),
        )  # fmt: skip


def all_due() -> None:
    from mailwall.email_accounts.models import EmailAccount

    EmailAccount.objects.update(next_sync_at=datetime.now(UTC) - timedelta(seconds=1), failed_attempts=0)


def count() -> None:
    """Tell for each line that comes how many messages are stored."""
    from mailwall.mailstore.models import Message

    for _ in sys.stdin:
        print(Message.objects.count(), flush=True)


def worker() -> None:
    """Claims and polls until nothing is due; tells wall seconds, CPU seconds of it and of the database, and polls."""
    from benchmarks.database import server_cpu_seconds
    from mailwall.sync import due, services

    begin, cpu, database = time.perf_counter(), time.process_time(), server_cpu_seconds()
    polls = 0
    while claimed := due.claim_due(datetime.now(UTC), 20):
        for account_id in claimed:
            outcome = services.sync_account(account_id)
            assert outcome.state == "done", outcome
            polls += 1
    cpu, database = time.process_time() - cpu, server_cpu_seconds() - database
    print(json.dumps([time.perf_counter() - begin, cpu, database, polls]))


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


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"
    import django

    django.setup()
    {"fleet": fleet, "stub_fleet": stub_fleet, "all_due": all_due, "count": count, "worker": worker, "tick": tick}[
        sys.argv[2]
    ](*sys.argv[3:])
