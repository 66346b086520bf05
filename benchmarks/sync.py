"""First synchronisation of a whole account from Dovecot on loopback into SQLite, beside mbsync on the same account.

Two accounts: 10,000 text mails, and 400 mails with 0.2–3 MB attachments. Ours runs as `mailwall sync` with everything
that the product does (parse, store, index for search, match 500 contacts); mbsync writes a maildir, with fsync and
deflate as it comes and without both. Both read through the same counting proxy.
Runs are interleaved; medians and spread are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.measure import Cost, report, run
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.mails import attachment_mail, plain_mail
from tests.rig.proxy import Proxy

ROOT = Path(__file__).resolve().parents[1]
NEWEST = datetime.now(UTC)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench sync")
    parser.add_argument("--text", type=int, default=10_000, help="text mails")
    parser.add_argument("--files", type=int, default=400, help="mails with attachments")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    run(["true"])  # the launcher starts while this process is small
    with Dovecot() as dovecot:
        total = fill(dovecot, options.text, options.files)
        for kind, count in (("text", options.text), ("files", options.files)):
            compare(dovecot, kind, count, options.repeats, total[kind])


def fill(dovecot: Dovecot, text: int, files: int) -> dict[str, int]:
    """Fill both accounts, newest last; gives their sizes in bytes."""
    sizes = random.Random(7)
    texts = [(plain_mail(i, date=_when(i, text)), _when(i, text)) for i in range(text)]
    dovecot.fill("text@bench.example", texts)
    big = [
        (attachment_mail(i, size_bytes=sizes.randint(200_000, 3_000_000), date=_when(i, files)), _when(i, files))
        for i in range(files)
    ]
    dovecot.fill("files@bench.example", big)
    return {"text": sum(len(raw) for raw, _ in texts), "files": sum(len(raw) for raw, _ in big)}


def _when(number: int, count: int) -> datetime:
    return NEWEST - timedelta(days=13) * (1 - number / count)


def compare(dovecot: Dovecot, kind: str, count: int, repeats: int, total_bytes: int) -> None:
    """Run ours and both mbsyncs in turn; print their figures and the ratios of the same round."""
    user = f"{kind}@bench.example"
    runners: dict[str, Callable[[int], Cost]] = {
        "mailwall": lambda port: our_sync(port, user, count),
        "mbsync_best": lambda port: mbsync(port, user, count, as_it_comes=False),
        "mbsync_as_it_comes": lambda port: mbsync(port, user, count, as_it_comes=True),
    }
    runners["mbsync_best"](dovecot.port)  # warms the server's caches, for everybody
    costs: dict[str, list[Cost]] = {name: [] for name in runners}
    received: dict[str, list[int]] = {name: [] for name in runners}
    for _ in range(repeats):
        for name, runner in runners.items():
            with Proxy(dovecot.port) as proxy:
                costs[name].append(runner(proxy.port))
                received[name].append(proxy.to_client)
    for name in runners:
        report(f"{kind}_{name}_rate", [count / cost.wall_seconds for cost in costs[name]], "messages/s")
        report(f"{kind}_{name}_received", [n / 1e6 for n in received[name]], "MB")
        report(f"{kind}_{name}_cpu", [cost.cpu_seconds for cost in costs[name]], "s")
        report(f"{kind}_{name}_peak_rss", [cost.peak_rss_mb for cost in costs[name]], "MB")
    report(f"{kind}_mailwall_received_share", [100 * n / total_bytes for n in received["mailwall"]], "% of the mailbox")
    for peer in ("mbsync_best", "mbsync_as_it_comes"):
        pairs = zip(costs[peer], costs["mailwall"], strict=True)
        report(f"{kind}_speed_against_{peer}", [b.wall_seconds / a.wall_seconds for b, a in pairs], "x")


def our_sync(port: int, user: str, count: int) -> Cost:
    """`mailwall sync` of a fresh installation with one account and 500 contacts."""
    folder = tempfile.mkdtemp(prefix="bench-mailwall-")
    env = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))},
        "MAILWALL_DATA_DIR": folder,
        "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1",
    }
    command = [sys.executable, "-m", "mailwall.config"]
    try:
        subprocess.run([*command, "migrate", "--verbosity", "0"], env=env, cwd=ROOT, check=True)
        subprocess.run(
            [sys.executable, "-m", "benchmarks.seed_sync", str(port), user, PASSWORD], env=env, cwd=ROOT, check=True
        )
        cost = run([*command, "sync", "--json"], env=env, cwd=str(ROOT))
        check = [sys.executable, "-m", "benchmarks.seed_sync", "count"]
        stored = int(subprocess.run(check, env=env, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
        if stored != count:
            raise SystemExit(f"only {stored} of {count} messages were stored: {json.dumps(cost.output)[-500:]}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return cost


def mbsync(port: int, user: str, count: int, *, as_it_comes: bool) -> Cost:
    """mbsync into a fresh maildir: as it comes (fsync, deflate), or at its best (neither)."""
    folder = Path(tempfile.mkdtemp(prefix="bench-mbsync-"))
    extra = "" if as_it_comes else "DisableExtension COMPRESS=DEFLATE\n"
    (folder / "rc").write_text(
        ("" if as_it_comes else "FSync no\n")
        + f"IMAPAccount a\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass {PASSWORD}\nSSLType None\nAuthMechs LOGIN\n"
        + extra
        + f"\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {folder}/\nInbox {folder}/INBOX\n"
        + "\nChannel c\nFar :far:\nNear :near:\nPattern INBOX\nSync Pull New\nCreate Near\nSyncState *\n"
    )
    try:
        cost = run(["mbsync", "-q", "-c", str(folder / "rc"), "c"])
        found = sum(1 for name in ("cur", "new") for _ in (folder / "INBOX" / name).iterdir())
        if found != count:
            raise SystemExit(f"mbsync fetched {found} of {count}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return cost
