"""The planner of sequences: picking due steps among a million enrolments, planning 10,000 that are due at once.

200 running sequences of 50 accounts; the due ones are all of one account with a cap of 50 mails a day, so that planning
has to find every other one a later day. Nothing is sent.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.installation import DATABASES, call, installation
from benchmarks.measure import report

ACCOUNTS, SEQUENCES_EACH, ROUNDS = 50, 4, 20


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench sequences")
    parser.add_argument("--enrolments", type=int, default=1_000_000)
    parser.add_argument("--due", type=int, default=10_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    options = parser.parse_args(arguments)
    for database in options.database or DATABASES:
        with installation(database) as env:
            call(env, "benchmarks.sequences", database, str(options.enrolments), str(options.due))


def measure(database: str, enrolments: int, due: int) -> None:
    """Seed, pick, plan, and print."""
    from django.db import connection, transaction
    from django.test.utils import CaptureQueriesContext

    from mailwall.sequences import planning, running
    from mailwall.sequences.models import Enrolment
    from mailwall.sequences.models import Sequence as SequenceRow
    from mailwall.sequences.timing import Backlog

    now = datetime.now(UTC)
    with transaction.atomic():
        account_id = seed(enrolments, due, now)
    name = f"sequences {database}"
    report(f"{name} pick accounts", [_ms(lambda: running.accounts_due(now)) for _ in range(ROUNDS)], "ms")
    own = list(SequenceRow.objects.filter(account=account_id).order_by("pk"))
    ids = [row.pk for row in own]
    picks = [_ms(lambda: list(planning.due_rows(ids, now))) for _ in range(ROUNDS)]
    report(f"{name} pick {planning.BATCH} due steps", picks, "ms")
    begin, cpu, batches = time.perf_counter(), time.process_time(), 0
    backlogs: dict[int, Backlog] = defaultdict(Backlog)
    with CaptureQueriesContext(connection) as queries:
        while True:
            found, is_more = planning.plan(account_id, own, now, backlogs)
            if not is_more:
                break
            batches += 1
            Enrolment.objects.filter(pk__one_of=[item.enrolment.pk for item in found]).update(next_run_at=None)
    report(f"{name} plan {due} due enrolments", [time.perf_counter() - begin], "s")
    report(f"{name} of that processor time of ours", [time.process_time() - cpu], "s")
    report(f"{name} queries for a batch of {planning.BATCH}", [len(queries) / batches], "queries")


def _ms(call: Callable[[], Any]) -> float:
    begin = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - begin)


def seed(enrolments: int, due: int, now: datetime) -> int:
    """Fill the installation; gives the account whose steps are due."""
    from mailwall.contacts.models import Contact, ContactAddress
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.mailstore import sql
    from mailwall.sequences.models import Enrolment, Step
    from mailwall.sequences.models import Sequence as SequenceRow
    from mailwall.team.models import User

    owner = User.objects.create(email="alice@ours.example", name="Alice")
    server = {"imap_host": "127.0.0.1", "imap_username": "x", "smtp_host": "127.0.0.1", "sending_active": True}
    addresses = [f"box{number}@ours.example" for number in range(ACCOUNTS)]
    accounts = EmailAccount.objects.bulk_create(
        [EmailAccount(owner=owner, address=address, import_since=now, **server) for address in addresses]
    )
    sequences = SequenceRow.objects.bulk_create(
        [
            SequenceRow(owner=owner, account=account, name=f"S{number}", state="running", daily_cap=50)
            for account in accounts
            for number in range(SEQUENCES_EACH)
        ]
    )
    Step.objects.bulk_create(
        [
            Step(sequence=row, version=1, position=place, key=place + 1, kind="email", subject="Hello", html="<p>x</p>")
            for row in sequences
            for place in range(3)
        ]
    )
    each = enrolments // len(sequences)
    columns = ["id", "kind", "name", "first_name", "last_name", "title", "phone", "sort_key", "search_key"]
    stamps = ["created_at", "updated_at"]
    rows = [[pk, "person", f"P{pk}", f"P{pk}", "", "", "", f"p{pk}", f"p{pk}", now, now] for pk in range(1, each + 1)]
    sql.insert_rows(Contact, columns + stamps, rows)
    mail = [[pk, "person", f"p{pk}@d{pk % 900}.example", 0, now] for pk in range(1, each + 1)]
    sql.insert_rows(ContactAddress, ["contact_id", "kind", "address", "position", "created_at"], mail)
    fields = [
        "sequence_id",
        "contact_id",
        "address",
        "version",
        "position",
        "state",
        "next_run_at",
        "reason",
        "enrolled_at",
    ]
    left = due
    for place, sequence in enumerate(sequences):
        of_this = min(left, each) if place < SEQUENCES_EACH else 0
        left -= of_this
        people = []
        for pk in range(1, each + 1):
            at = now - timedelta(seconds=pk) if pk <= of_this else now + timedelta(days=1 + pk % 30)
            people.append([sequence.pk, pk, f"p{pk}@d{pk % 900}.example", 1, pk % 3, "active", at, "", now])
        sql.insert_rows(Enrolment, fields, people)
    return accounts[0].pk


if __name__ == "__main__":
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
    django.setup()
    measure(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
