"""An account in which nothing happens, asked again and again over 50 ms round trips.

Ours by what workers call, on a new connection each time and on one that is kept; beside the usual loop over IMAPClient
(connect, sign in, select, search, log out). Round trips are counted at the proxy, without the TCP handshake
and without LOGOUT, whose answer nobody needs.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from imapclient import IMAPClient

from benchmarks import mailboxes
from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import report
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.proxy import Proxy

ROUND_TRIP_SECONDS = 0.05


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench poll")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    with Dovecot() as dovecot, Proxy(dovecot.port) as proxy, installation("sqlite") as env:
        mailboxes.fill_text(dovecot, 200)
        call(env, "benchmarks.seed_sync", "seed", str(proxy.port), mailboxes.TEXT, PASSWORD)
        call(env, "benchmarks.seed_sync", "synchronise")
        proxy.delay_seconds = ROUND_TRIP_SECONDS / 2
        found: dict[str, list[list[float]]] = {"mailwall": [], "kept": [], "imapclient": []}
        for _ in range(options.repeats):
            found["mailwall"].append(_polls(proxy, options.times, lambda n: _ours(env, "poll", n)))
            found["kept"].append(_polls(proxy, options.times, lambda n: _ours(env, "poll-kept", n)))
            found["imapclient"].append(_polls(proxy, options.times, lambda n: _imapclient(proxy.port, n)))
    _print(found)


def _polls(proxy: Proxy, times: int, poll: Callable[[int], float]) -> list[float]:
    """Round trips and milliseconds of each poll, and its CPU time; the first one, which may do more, does not count."""
    turns, begun = proxy.turns, time.perf_counter()
    poll(1)
    first_turns, first_seconds = proxy.turns - turns, time.perf_counter() - begun
    turns, begun = proxy.turns, time.perf_counter()
    cpu = poll(times + 1)
    seconds = time.perf_counter() - begun
    return [(proxy.turns - turns - first_turns) / times, 1000 * (seconds - first_seconds) / times, cpu]


def _ours(env: dict[str, str], what: str, times: int) -> float:
    command = [sys.executable, "-m", "benchmarks.seed_sync", what, str(times)]
    done = subprocess.run(command, env=env, cwd=ROOT, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1] if done.stdout else 0)


def _imapclient(port: int, times: int) -> float:
    begun = time.process_time()
    for _ in range(times):
        client = IMAPClient("127.0.0.1", port, ssl=False)
        client.login(mailboxes.TEXT, PASSWORD)
        client.select_folder("INBOX", readonly=True)
        client.search("UNSEEN")
        client.logout()
    return 1000 * (time.process_time() - begun) / times


def _print(found: dict[str, list[list[float]]]) -> None:
    for name, logout in (("mailwall", 1), ("kept", 0), ("imapclient", 1)):
        turns, ms, cpu = (_column(found[name], at) for at in range(3))
        report(f"poll_{name}_round_trips", [each - logout for each in turns], "round trips")
        report(f"poll_{name}_duration", ms, "ms")
        report(f"poll_{name}_cpu", cpu, "ms")


def _column(rows: Sequence[Sequence[float]], at: int) -> list[float]:
    return [row[at] for row in rows]
