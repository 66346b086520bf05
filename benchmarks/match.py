"""Triage and the review over a large store of unassigned messages, on SQLite and PostgreSQL.

Pages are asked as in `search`: server time, p50 and p95. The review is measured after 100 and after 10,000 new contacts
that came past the hooks, once where hardly one of a hundred ever wrote (an imported customer list), once where each
did and has mail waiting. Everything that the product does is in it: links, marks, counts of triage. CPU is ours and
that of all processes of the database.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.installation import DATABASES, call, installation
from benchmarks.measure import report

ROUNDS = 20
SENDERS = 50_000
PAGES = {
    "triage": ("/triage/", {}),
    "triage newsletters": ("/triage/", {"tab": "newsletters"}),
    "triage by domain": ("/triage/", {"by": "domain"}),
    "count in the navigation": ("/triage/count/", {}),
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench match")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    options = parser.parse_args(arguments)
    for database in options.database or DATABASES:
        with installation(database) as env:
            call(env, "benchmarks.seed_store", "--messages", str(options.messages), "--senders", str(SENDERS))
            call(env, "benchmarks.match", database)


def measure(database: str) -> None:
    """Ask the pages in turn, then review after each group of new contacts."""
    from benchmarks.asking import ask_in_turn, viewers

    for name, user in viewers().items():
        ask_in_turn(f"{database} {name}", user, PAGES, ROUNDS)
    measure_reviews(database)


def measure_reviews(database: str) -> None:
    """From the least to the most: an empty review, then contacts of whom one in a hundred wrote, then of all."""
    from benchmarks.database import server_cpu_seconds
    from benchmarks.seed_store import add_contacts
    from mailwall.assignment import services

    def review(words: str) -> None:
        begin, cpu = time.perf_counter(), time.process_time() + server_cpu_seconds()
        done = services.review_unassigned(trigger="manual")
        seconds, cpu = time.perf_counter() - begin, time.process_time() + server_cpu_seconds() - cpu
        label = f"{database} review, {words}, {done.assigned} of {done.reviewed} assigned"
        report(label, [1000 * seconds], "ms")
        report(f"{label}, CPU", [1000 * cpu], "ms")

    review("no contact")
    first = SENDERS  # rare senders last: each who wrote has a few mails
    for number in (100, 10_000):
        add_contacts(range(number), domain=f"new{number}.example")
        first -= number // 100
        add_contacts(range(first, first + number // 100))
        review(f"{number} new contacts, 1 in 100 wrote")
    for number in (100, 10_000):
        first -= number
        add_contacts(range(first, first + number))
        review(f"{number} new contacts, all wrote")


if __name__ == "__main__":
    import sys

    measure(sys.argv[1])
