"""Whole installations, on both databases, driven by the command line as an administrator does."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rig import migrated, warm
from tests.rig.postgres import Postgres

SEED = """
from mailwall.demo import services, story
from mailwall.email_accounts.models import EmailAccount
from mailwall.sending.models import DraftFile, DraftMessage, Outgoing, OutgoingContent
from tests.cast import make_raw, store
services.load()
account = EmailAccount.objects.get(address="anna@brzoza.example")
for number in range(300):
    store(account, make_raw("emma.hughes@northgate.example", account.address, f"Żółw {number}", f"Text {number}"))
out = Outgoing.objects.create(sender=account.owner, account=account, state="queued", due_at="2026-01-01T00:00Z",
                              message_id_header="waits@brzoza.example", receivers=["x@y.example"])
OutgoingContent.objects.create(outgoing=out, raw=bytes(range(256)))
draft = DraftMessage.objects.create(writer=account.owner, subject="Later", updated_at=account.import_since)
DraftFile.objects.create(draft=draft, filename="plan.pdf", content_type="application/pdf", size_bytes=70_000,
                         raw_content=bytes(range(250)) * 280)
"""
LOOK = """
from django.apps import apps
from mailwall.operations import tables
for each in tables.all_tables(apps): print(each.label, each.checksum("default").as_text())
"""
SEARCH = """
from mailwall.team.models import User
from mailwall.wall import search, rules
viewer = User.objects.get(email="anna@brzoza.example")
print(len(search.find_messages(viewer, rules.parse_query({word!r}), limit=50)))
"""


_numbers = itertools.count(1)


@dataclass
class Installation:
    """A data folder with its database. run() gives a finished command."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))}
        env = {**kept, "MAILWALL_DATA_DIR": str(self.data), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1", **self.env}
        return warm.run(["-m", "mailwall.config", *args], env, stdin=stdin)

    def ok(self, *args: str, stdin: str = "") -> str:
        done = self.run(*args, stdin=stdin)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def refused(self, *args: str, stdin: str = "") -> str:
        done = self.run(*args, stdin=stdin)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stderr, done.stderr[-2000:]
        return done.stderr

    def python(self, code: str) -> str:
        return self.ok("shell", "-v", "0", "-c", code)

    def digest(self, *, after: str = "") -> dict[str, str]:
        """Checksum by table. after: what is run first."""
        return dict(line.split(" ", 1) for line in self.python(after + LOOK).splitlines())

    def look(self, *, word: str) -> tuple[dict[str, str], int]:
        """The digest, and how many messages Anna finds with that word: a process less."""
        *lines, found = self.python(LOOK + SEARCH.format(word=word)).splitlines()
        return dict(line.split(" ", 1) for line in lines), int(found)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def seeded(tmp_path_factory) -> Installation:
    """The seed is sown once, and copied."""
    made = Installation(data=tmp_path_factory.mktemp("seeded"))
    migrated.put_into(made.data)
    made.python(SEED)
    return made


@pytest.fixture
def on_sqlite(tmp_path) -> Installation:
    """Without a database."""
    return Installation(data=tmp_path / "sqlite")


@pytest.fixture
def seeded_sqlite(tmp_path, seeded) -> Installation:
    shutil.copytree(seeded.data, tmp_path / "seeded")
    return Installation(data=tmp_path / "seeded")


@pytest.fixture
def on_postgres(tmp_path, postgres) -> Installation:
    """Its database has no table."""
    return on(postgres, tmp_path / "postgres", template="template1")


def on(postgres: Postgres, data: Path, *, template: str) -> Installation:
    name = f"db{next(_numbers)}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE {template}", "postgres")
    url = postgres.url.rpartition("/")[0] + f"/{name}"
    return Installation(data=data, env={"MAILWALL_DATABASE_URL": url})


@pytest.fixture
def seeded_postgres(tmp_path, postgres) -> Installation:
    made = on(postgres, tmp_path / "seeded-postgres", template="mailwall")
    made.python(SEED)
    return made
