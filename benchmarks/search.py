"""Search, lists and walls over a large store, as the API and the pages answer them, on SQLite and PostgreSQL.

The store holds messages of five accounts with every visibility, 500 contacts, one of them with 2,000 messages. Asked by
an administrator, who sees what is for everyone and her team, and by a colleague who sees less. Times are the server's:
everything between the request and its answer, without the network.
"""

from __future__ import annotations

import argparse
from functools import partial

from benchmarks.installation import DATABASES, call, installation

QUERIES = {
    "common word": "faktura",
    "medium word": "medium42",
    "rare word": "rare4242",
    "two words": "faktura medium42",
    "prefix": "medium4",
    "common prefix": "fak",
    "phrase": '"Grüße invoice"',
    "sender": "from:person7@gmail.com",
    "of a month": "faktura after:2026-01-01 before:2026-02-01",
    "of long ago": "faktura before:2024-06-01",
    "nothing": "nowhere",
}
ROUNDS = 20


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench search")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    options = parser.parse_args(arguments)
    for database in options.database or DATABASES:
        with installation(database) as env:
            size = ["--messages", str(options.messages), "--contacts", "500", "--texts", "40"]
            call(env, "benchmarks.seed_store", *size)
            call(env, "benchmarks.search", database)


def measure(database: str) -> None:
    """Ask everything `ROUNDS` times in turn, and print p50 and p95 in ms with the number of queries.

    found: the search itself, fifty visible messages of the viewer, newest first, copies put together. search: the whole
    answer of the API, with fifty cards.
    """
    from benchmarks.asking import ask_in_turn, big_wall, do_in_turn, viewers
    from mailwall.wall.rules import parse_query
    from mailwall.wall.search import find_messages

    pages = {"wall": f"/contacts/{big_wall()}/", "mail": "/mail/", "dashboard": "/", "contacts": "/contacts/"}
    pages |= {f"mail {tab}": f"/mail/?tab={tab}" for tab in ("received", "sent", "unassigned")}
    pages |= {"wall searched": f"/contacts/{big_wall()}/?q=fak", "mail searched": "/mail/?q=fak", "triage": "/triage/"}
    for name, user in viewers().items():
        found = {
            f"found {kind}": partial(find_messages, user, parse_query(query), limit=50)
            for kind, query in QUERIES.items()
        }
        do_in_turn(f"{database} {name}", found, ROUNDS)
        asked = {f"search {kind}": ("/api/v1/search", {"q": query}) for kind, query in QUERIES.items()}
        asked |= {f"page {kind}": (path, {}) for kind, path in pages.items()}
        ask_in_turn(f"{database} {name}", user, asked, ROUNDS)


if __name__ == "__main__":
    import sys

    measure(sys.argv[1])
