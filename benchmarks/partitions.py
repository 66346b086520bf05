"""Declarative partitions on PostgreSQL beside the plain tables: storing, searching, walls, lists, the review.

The same store twice. Messages are divided by a hash of the account; participants and search documents, which have no
account, by a hash of the message. The product's own statements run unchanged; foreign keys to messages are left out,
for they would have to carry the account (docs/adr/0017). Milliseconds are CPU of all processes of the database.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from benchmarks.installation import call, installation
from benchmarks.measure import report

ROUNDS, REVIEWED = 20, 1_000
DIVIDED = {"mailstore_message": "account_id", "mailstore_participant": "message_id", "mailstore_search": "id"}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench partitions")
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--partitions", type=int, nargs="*", default=[0, 16], help="0: the plain tables")
    options = parser.parse_args(arguments)
    for number in options.partitions:
        with installation("postgresql") as env:
            call(env, "benchmarks.partitions", "in", str(number), str(options.messages))


def inside(number: int, messages: int) -> None:
    from benchmarks.database import rows, server_cpu_seconds
    from benchmarks.seed_store import World, add_contacts, seed
    from mailwall.assignment import services as assignment

    label = f"{number} partitions" if number else "plain"
    for table, column in DIVIDED.items() if number else ():
        divide(table, column, number)
    begin, server = time.process_time(), server_cpu_seconds()
    seed(World(messages=messages, contacts=500, texts=40, senders=5_000))
    spent = server_cpu_seconds() - server
    report(f"stored by CPU of the database, {label}", [messages / spent], "1/s")
    report(f"stored by CPU of all, {label}", [messages / (spent + time.process_time() - begin)], "1/s")
    rows("VACUUM ANALYZE")
    ask(label)
    add_contacts(range(500, 500 + REVIEWED))
    server = server_cpu_seconds()
    done = assignment.review_unassigned(trigger="manual")
    report(f"review that assigns {done.assigned}, {label}", [1000 * (server_cpu_seconds() - server)], "ms")


def divide(table: str, column: str, number: int) -> None:
    """Make an empty table of ours a partitioned one, with all its indexes."""
    from benchmarks.database import rows

    indexes = [
        str(definition)
        for (definition,) in rows(
            "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i "
            f"WHERE i.indrelid = '{table}'::regclass AND NOT i.indisprimary"
        )
    ]
    rows(f"CREATE TABLE divided (LIKE {table} INCLUDING DEFAULTS INCLUDING IDENTITY) PARTITION BY HASH ({column})")
    rows(f"DROP TABLE {table} CASCADE")
    rows(f"ALTER TABLE divided RENAME TO {table}")
    key = {"mailstore_search": "id", "mailstore_message": "id, account_id"}.get(table, "id, message_id")
    rows(f"ALTER TABLE {table} ADD PRIMARY KEY ({key})")
    for place in range(number):
        rows(f"CREATE TABLE {table}_{place} PARTITION OF {table} FOR VALUES WITH (MODULUS {number}, REMAINDER {place})")
    for definition in indexes:
        rows(definition)


def ask(label: str) -> None:
    """Requests as users make them, by who may see nearly all and by who sees less."""
    from benchmarks.asking import Asker, big_wall, viewers
    from benchmarks.database import server_cpu_seconds
    from benchmarks.search import QUERIES

    wanted = {f"search {kind}": ("/api/v1/search", {"q": QUERIES[kind]}) for kind in ("common word", "rare word")}
    wanted |= {"wall": (f"/contacts/{big_wall()}/", {}), "list": ("/mail/", {}), "triage": ("/triage/", {})}
    for name, user in viewers().items():
        asker = Asker(user)
        for kind, (path, query) in wanted.items():
            asker.ask(path, query)
            server = server_cpu_seconds()
            for _ in range(ROUNDS):
                asker.ask(path, query)
            report(f"{kind} of {name}, {label}", [1000 * (server_cpu_seconds() - server) / ROUNDS], "ms")


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"
    import django

    django.setup()
    inside(int(sys.argv[2]), int(sys.argv[3]))
