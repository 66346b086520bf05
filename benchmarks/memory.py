"""The memory of a worker while it synchronises 100,000 messages: `mailwall worker` as it is, Dovecot, many accounts.

Sampled every 10,000 messages, from the first 10,000 on, when all its threads have begun. Own memory: without the pages
of the SQLite file, which the kernel lends and takes back.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

from benchmarks.corpus import text_mail
from benchmarks.installation import DATABASES, ROOT, call, installation
from benchmarks.measure import report, rss_mb
from tests.rig.dovecot import Dovecot

PER_ACCOUNT, STEP = 2_000, 10_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench memory")
    parser.add_argument("--database", choices=DATABASES, default="postgresql")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=1_800, help="give up after so many")
    options = parser.parse_args(arguments)
    accounts = max(1, options.messages // PER_ACCOUNT)
    with Dovecot(max_connections=100) as dovecot, installation(options.database) as env:
        _fill(dovecot, accounts)
        call(env, "benchmarks.scale", "in", "fleet", str(accounts), str(dovecot.port), dovecot.password)
        call(env, "benchmarks.scale", "in", "all_due")
        command = [sys.executable, "-m", "mailwall.config", "worker"]
        worker = subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            samples = _sample(env, worker, accounts * PER_ACCOUNT, options.seconds)
        finally:
            worker.terminate()
            worker.wait(20)
    if not samples:
        raise SystemExit(f"The first {STEP} messages did not come within {options.seconds} s.")
    middle = (max(samples) + min(samples)) / 2
    report(f"own memory beyond the middle, {options.database}", [100 * (max(samples) - middle) / middle], "%")


def _fill(dovecot: Dovecot, accounts: int) -> None:
    """The same texts for each account, with ids and senders of its own."""
    now = datetime.now(UTC)
    made = [
        (text_mail(number, now - timedelta(minutes=number)), now - timedelta(minutes=number))
        for number in range(PER_ACCOUNT)
    ]
    for account in range(accounts):
        domain = b"@k%d.example>" % account
        mails = [(raw.replace(b"@kwiat.example>", domain), at) for raw, at in made]
        dovecot.fill(f"fleet{account}@example.org", mails)


def _sample(env: dict[str, str], worker: subprocess.Popen[bytes], total: int, seconds: int) -> list[float]:
    """One figure for every so many messages, told by a process that counts."""
    command = [sys.executable, "-m", "benchmarks.scale", "in", "count"]
    counting = subprocess.Popen(command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert counting.stdin is not None
    assert counting.stdout is not None
    samples: list[float] = []
    wanted, end = STEP, time.monotonic() + seconds
    while wanted <= total and time.monotonic() < end:
        counting.stdin.write("\n")
        counting.stdin.flush()
        stored = int(counting.stdout.readline())
        if stored < wanted:
            time.sleep(0.5)
            continue
        samples.append(rss_mb(worker.pid))
        report(f"own memory, {stored} stored", samples[-1:], "MB")
        wanted = (stored // STEP + 1) * STEP
    counting.stdin.close()
    counting.wait(20)
    return samples
