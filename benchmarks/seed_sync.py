"""The installation under test: `seed` a user, an account, 500 contacts; `seed-idle` many accounts; `synchronise`;
`poll` so many times; `poll-kept` on a connection that is kept; `count`."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
django.setup()

from django.db import connection  # noqa: E402 -- needs the line above

from mailwall.contacts.models import Contact, ContactAddress  # noqa: E402
from mailwall.email_accounts import kept  # noqa: E402
from mailwall.email_accounts.models import EmailAccount  # noqa: E402
from mailwall.mailstore import search_index  # noqa: E402
from mailwall.mailstore.models import Message  # noqa: E402
from mailwall.sync import services  # noqa: E402
from mailwall.sync.models import Folder  # noqa: E402
from mailwall.team.models import User  # noqa: E402
from mailwall.web import secrets  # noqa: E402


def seed(port: int, user: str, password: str) -> None:
    owner = User.objects.create(email="owner@bench.example", name="Owner")
    account = EmailAccount(
        owner=owner, address=user, imap_host="127.0.0.1", imap_port=port, imap_security="none", imap_username=user,
        visibility="everyone", import_since=datetime.now(UTC) - timedelta(days=14), next_sync_at=datetime.now(UTC),
    )  # fmt: skip
    account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
    account.save()
    contacts = Contact.objects.bulk_create([Contact(kind="person", name=f"Kunde {i}") for i in range(500)])
    ContactAddress.objects.bulk_create(
        [ContactAddress(contact=c, kind="person", address=f"kunde{i}@kwiat.example") for i, c in enumerate(contacts)]
    )


def synchronise() -> None:
    """As a worker does, in this process: from the first look at the account to the last message."""
    account = EmailAccount.objects.get()
    begun, begun_cpu = time.perf_counter(), _cpu_seconds()
    while services.sync_account(account.pk).more:
        pass
    wall_seconds, cpu_seconds = time.perf_counter() - begun, _cpu_seconds() - begun_cpu
    print(json.dumps({"wall_seconds": wall_seconds, "cpu_seconds": cpu_seconds}))


def _cpu_seconds() -> float:
    """Of this process and of those that it started and that have ended: helpers of an import."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def poll(times: int) -> None:
    """An account in which nothing happens; milliseconds of CPU for each time."""
    account = EmailAccount.objects.get()
    begun = time.process_time()
    for _ in range(times):
        services.sync_account(account.pk)
    print(1000 * (time.process_time() - begun) / times)


def poll_kept(times: int) -> None:
    """The same in a process that keeps its connections, as workers do."""
    kept.start(10)
    poll(times)
    kept.stop()


def seed_idle(port: int, number: int, password: str) -> None:
    """Accounts whose INBOX is read, so that it is watched."""
    owner = User.objects.create(email="owner@bench.example", name="Owner")
    for at in range(number):
        account = EmailAccount(
            owner=owner, address=f"user{at}@bench.example", imap_host="127.0.0.1", imap_port=port,
            imap_security="none", imap_username=f"user{at}@bench.example", visibility="everyone",
            import_since=datetime.now(UTC), next_sync_at=datetime.now(UTC) + timedelta(days=1),
        )  # fmt: skip
        account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
        account.save()
        Folder.objects.create(
            account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True, uidvalidity=1, uidnext=1
        )


def count() -> None:
    """Messages, and how many of them the search index has."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT COUNT(*) FROM {search_index.MESSAGES}")
        print(Message.objects.count(), cursor.fetchone()[0])


if sys.argv[1] == "seed":
    seed(int(sys.argv[2]), sys.argv[3], sys.argv[4])
elif sys.argv[1] == "seed-idle":
    seed_idle(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
elif sys.argv[1].startswith("poll"):
    {"poll": poll, "poll-kept": poll_kept}[sys.argv[1]](int(sys.argv[2]))
else:
    {"synchronise": synchronise, "count": count}[sys.argv[1]]()
