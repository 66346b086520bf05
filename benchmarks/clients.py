"""Those who download a whole account: Mailwall as a command and in a running worker, mbsync, an imap_tools loop."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import Cost, report, run
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.proxy import Proxy

#: port, user, number of messages → what it cost to have them all
Client = Callable[[int, str, int], Cost]

_MBSYNC = {
    "best": ("FSync no\n", "DisableExtension COMPRESS=DEFLATE\n"),
    "depth_50": ("FSync no\n", "DisableExtension COMPRESS=DEFLATE\nPipelineDepth 50\n"),
    "as_it_comes": ("", ""),
}


def mailwall_command(port: int, user: str, count: int) -> Cost:
    """`mailwall sync` with the start of Python and of all our rooms."""
    return _mailwall(port, user, count, "mailwall.config", "sync", "--json")


def mailwall_warm(port: int, user: str, count: int) -> Cost:
    """The same work in a process that runs already, as our worker does."""
    cost = _mailwall(port, user, count, "benchmarks.seed_sync", "synchronise")
    measured = json.loads(cost.output.splitlines()[-1])
    return replace(cost, wall_seconds=measured["wall_seconds"], cpu_seconds=measured["cpu_seconds"])


def _mailwall(port: int, user: str, count: int, *command: str) -> Cost:
    """In a fresh installation with one account and 500 contacts."""
    with installation("sqlite") as env:
        call(env, "benchmarks.seed_sync", "seed", str(port), user, PASSWORD)
        cost = run([sys.executable, "-m", *command], env=env, cwd=str(ROOT))
        stored = subprocess.run(
            [sys.executable, "-m", "benchmarks.seed_sync", "count"],
            env=env, cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
    if stored.stdout.strip() != f"{count} {count}":
        raise SystemExit(f"of {count} messages stored and searchable: {stored.stdout} {cost.output[-500:]}")
    return cost


def mbsync(kind: str) -> Client:
    """mbsync into a fresh maildir. kind: 'best' (no fsync, no deflate), 'depth_50' as well, or 'as_it_comes'."""

    def client(port: int, user: str, count: int) -> Cost:
        folder = Path(tempfile.mkdtemp(prefix="bench-mbsync-"))
        fsync, account = _MBSYNC[kind]
        (folder / "rc").write_text(
            f"{fsync}IMAPAccount a\nHost 127.0.0.1\nPort {port}\nUser {user}\nPass {PASSWORD}\nSSLType None\n"
            f"AuthMechs LOGIN\n{account}"
            f"\nIMAPStore far\nAccount a\n\nMaildirStore near\nPath {folder}/\nInbox {folder}/INBOX\n"
            "\nChannel c\nFar :far:\nNear :near:\nPattern INBOX\nSync Pull New\nCreate Near\nSyncState *\n"
        )
        try:
            cost = run(["mbsync", "-q", "-c", str(folder / "rc"), "c"])
            found = sum(1 for name in ("cur", "new") for _ in (folder / "INBOX" / name).iterdir())
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        if found != count:
            raise SystemExit(f"mbsync fetched {found} of {count}")
        return cost

    return client


def imap_tools(port: int, user: str, count: int) -> Cost:
    """The loop of imap_tools' manual, a hundred at a time; the texts are read and thrown away."""
    code = (
        "import sys; from imap_tools import MailBoxUnencrypted\n"
        "port, user, password = int(sys.argv[1]), *sys.argv[2:]\n"
        "with MailBoxUnencrypted('127.0.0.1', port).login(user, password) as box:\n"
        "    print(sum(1 for m in box.fetch(mark_seen=False, bulk=100) if (m.subject, m.from_, m.text, m.html)))\n"
    )
    cost = run([sys.executable, "-c", code, str(port), user, PASSWORD])
    if int(cost.output) != count:
        raise SystemExit(f"imap_tools read {cost.output} of {count}")
    return cost


def compare(
    label: str,
    clients: Mapping[str, Client],
    mailbox: tuple[Dovecot, str, int, int],
    *,
    repeats: int,
    delay_seconds: float = 0.0,
) -> None:
    """Run all in turn, `repeats` times, each through a proxy of its own; print figures, and ratios within each round.

    mailbox: server, user, number of messages, their bytes. The first two clients are ours.
    """
    dovecot, user, count, size_bytes = mailbox
    clients["mbsync_best"](dovecot.port, user, count)  # warms the server's caches, for everybody
    costs: dict[str, list[Cost]] = {name: [] for name in clients}
    received: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(repeats):
        for name, client in clients.items():
            with Proxy(dovecot.port, delay_seconds=delay_seconds) as proxy:
                costs[name].append(client(proxy.port, user, count))
                received[name].append(proxy.to_client / 1e6)
    for name, of_client in costs.items():
        report(f"{label}_{name}_rate", [count / cost.wall_seconds for cost in of_client], "messages/s")
        report(f"{label}_{name}_cpu", [cost.cpu_seconds for cost in of_client], "s")
        report(f"{label}_{name}_peak_rss", [cost.peak_rss_mb for cost in of_client], "MB")
        report(f"{label}_{name}_received", received[name], "MB")
    ours, *peers = [name for name in clients if name != "mailwall_command"]
    report(f"{label}_{ours}_received_share", [100e6 * n / size_bytes for n in received[ours]], "% of the mailbox")
    for own in (ours, "mailwall_command"):
        for peer in peers:
            _ratio(f"{label}_{own}_against_{peer}", costs[own], costs[peer])


def _ratio(name: str, own: Sequence[Cost], peer: Sequence[Cost]) -> None:
    report(name, [b.wall_seconds / a.wall_seconds for a, b in zip(own, peer, strict=True)], "x")
