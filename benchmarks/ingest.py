"""Storing a million messages: is it as fast at the end as at the beginning?

Through the code that every synchronisation uses: `sync.batches.commit` with lease, rows, threads, search words,
placements, links, counts and cursor, 500 mails to a transaction, 100 accounts in turn. Mails are made beforehand,
unmeasured: reading and parsing cost the same whatever the store holds. Their words, senders and threads are spread as
in life: few are frequent, and new ones keep coming. CPU is ours and the database's; wall time is of storing alone.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from statistics import harmonic_mean
from typing import TYPE_CHECKING, Any

from benchmarks.installation import DATABASES, call, installation
from benchmarks.measure import report, rss_mb

if TYPE_CHECKING:
    from mailwall.sync.reading import Reading

BATCH, ACCOUNTS, SENDERS, CONTACTS, WORDS = 500, 100, 50_000, 2_000, 300_000
STEPS, WARM_UP = 10, 10_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench ingest")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--messages", type=int, default=100_000, help="to be stored")
    parser.add_argument("--grow", type=int, default=0, help="after half of them multiply to so many (PostgreSQL)")
    options = parser.parse_args(arguments)
    for database in DATABASES if options.database == "both" else [options.database]:
        with installation(database) as env:
            call(env, "benchmarks.ingest", "in", database, str(options.messages), str(options.grow))


def inside(database: str, messages: int, grown: int) -> None:
    """In the installation: store so many and print the rate of every tenth."""
    from benchmarks.database import rows, size_bytes

    per_step, works, steps = max(BATCH, messages // STEPS), make_works(), []
    store(works, range(WARM_UP))
    begin = WARM_UP
    for step in range(STEPS):
        if grown and step == STEPS // 2:
            from benchmarks.grow import grow

            grow(grown)
            store(works, range(begin + grown, begin + grown + WARM_UP))
            begin += grown + WARM_UP
        wall, cpu = store(works, range(begin, begin + per_step))
        begin += per_step
        steps.append((per_step / wall, per_step / cpu))
        [(stored,)] = rows("SELECT count(*) FROM mailstore_message")
        report(f"rate, {database}, {stored} stored", [steps[-1][0]], "1/s")
        report(f"rate by CPU, {database}, {stored} stored", [steps[-1][1]], "1/s")
        report(f"own memory, {database}, {stored} stored", [rss_mb()], "MB")
    compare = STEPS // 2 if grown else 1
    for position, name in enumerate(("wall", "CPU")):
        rates = [step[position] for step in steps]
        first, last = harmonic_mean(rates[:compare]), harmonic_mean(rates[-compare:])
        report(f"rate, end to start by {name}, {database}", [last / first], "x")
    report(f"stored size of a message, {database}", [size_bytes() / int(str(stored))], "bytes")


def store(works: Sequence[Any], numbers: range) -> tuple[float, float]:
    """Gives wall and CPU seconds."""
    from benchmarks.database import server_cpu_seconds
    from mailwall.sync import batches

    wall = cpu = 0.0
    server = server_cpu_seconds()
    for first in range(numbers.start, numbers.stop, BATCH):
        work, folder = works[first // BATCH % ACCOUNTS]
        readings = make_readings(range(first, min(first + BATCH, numbers.stop)))
        begin, begin_cpu = time.perf_counter(), time.process_time()
        batches.commit(work, folder, readings, lambda batch: {"high_uid": batch[-1].uid})
        wall += time.perf_counter() - begin
        cpu += time.process_time() - begin_cpu
    return wall, cpu + server_cpu_seconds() - server


def make_works() -> list[tuple[Any, Any]]:
    """Accounts with a lease and a folder each, of ten owners, and contacts who are among the senders."""
    from mailwall.contacts.models import Contact, ContactAddress
    from mailwall.email_accounts import leases
    from mailwall.sync.batches import Work
    from mailwall.sync.models import Folder
    from tests.cast import make_account, make_user

    owners = [make_user(f"owner{number}@ours.example") for number in range(10)]
    works = []
    for number in range(ACCOUNTS):
        account = make_account(owners[number % len(owners)], f"box{number}@ours.example")
        folder = Folder.objects.create(
            account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True, uidvalidity=1
        )
        works.append((Work(account=account, token=str(leases.take_lease(account.pk))), folder))
    people = Contact.objects.bulk_create(Contact(kind="person", name=f"Person {n}") for n in range(CONTACTS))
    ContactAddress.objects.bulk_create(
        ContactAddress(contact=contact, kind="person", address=address_of(number))
        for number, contact in enumerate(people)
    )
    return works


def address_of(sender: int) -> str:
    return f"person{sender}@firma{sender // 10}.example"


def make_readings(numbers: Sequence[int]) -> list[Reading]:
    """Mails in the order of their coming a million in three years, the same for the same number."""
    from mailwall.mailstore.types import IncomingMessage
    from mailwall.mime.types import Address, ParsedMessage
    from mailwall.sync.reading import Reading

    chance = random.Random(numbers[0])
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    box = numbers[0] // BATCH % ACCOUNTS
    made = []
    for number in numbers:
        at = begin + timedelta(seconds=86 * number)
        text = " ".join(f"w{int(WORDS * chance.random() ** 4)}" for _ in range(150))
        sender = int(SENDERS * chance.random() ** 2)
        answered = f"mail-{number - ACCOUNTS * BATCH}@kwiat.example" if number % 3 == 0 else ""
        parsed = ParsedMessage(
            message_id=f"mail-{number}@kwiat.example", in_reply_to=answered, references=(answered,) if answered else (),
            subject=text[:50], date=at, from_=(Address(name=f"Person {sender}", address=address_of(sender)),),
            to=(Address(address=f"box{box}@ours.example"),), text=text,
            cc=(Address(address=address_of(chance.randrange(SENDERS))),) if number % 5 == 0 else (),
            html=f"<html><body><p>{text}</p></body></html>" if number % 2 else "",
        )  # fmt: skip
        incoming = IncomingMessage(parsed=parsed, direction="received", internaldate=at, size_bytes=2 * len(text))
        made.append(Reading(uid=number + 1, internaldate=at, size_bytes=incoming.size_bytes, incoming=incoming))
    return made


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"
    import django

    django.setup()
    inside(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
