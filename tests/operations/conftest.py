"""Whole installations, on both databases, driven by the command line as an administrator does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.rig import migrated
from tests.rig.postgres import Postgres
from tests.rig.product import ROOT

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
DIGEST = """
from django.apps import apps
from mailwall.operations import tables
for each in tables.all_tables(apps): print(each.label, each.checksum("default").as_text())
"""


@dataclass
class Installation:
    """A data folder with its database. run() gives a finished command."""

    data: Path
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))}
        env = {**kept, "MAILWALL_DATA_DIR": str(self.data), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1", **self.env}
        return subprocess.run(
            [sys.executable, "-m", "mailwall.config", *args],
            cwd=ROOT,
            env=env,
            input=stdin,
            text=True,
            capture_output=True,
        )

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

    def seed(self) -> None:
        if self.env:
            self.ok("migrate")
        else:
            migrated.put_into(self.data)
        self.python(SEED)

    def digest(self) -> dict[str, str]:
        """Checksum by table."""
        return dict(line.split(" ", 1) for line in self.python(DIGEST).splitlines())

    def searched(self, word: str) -> int:
        code = f"""
from mailwall.team.models import User
from mailwall.wall import search, rules
viewer = User.objects.get(email="anna@brzoza.example")
print(len(search.find_messages(viewer, rules.parse_query("{word}"), limit=50)))
"""
        return int(self.python(code))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def on_sqlite(tmp_path) -> Installation:
    return Installation(data=tmp_path / "sqlite")


@pytest.fixture
def on_postgres(tmp_path, postgres, request) -> Installation:
    name = f"db{abs(hash(request.node.nodeid)) % 10**9}"
    postgres.sql(f"CREATE DATABASE {name}", "postgres")
    url = postgres.url.rpartition("/")[0] + f"/{name}"
    return Installation(data=tmp_path / "postgres", env={"MAILWALL_DATABASE_URL": url})
