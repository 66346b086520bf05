"""Several workers as processes of their own on one PostgreSQL and one Redis, with leases of seconds."""

from __future__ import annotations

import collections
import email
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.rig import mails, warm
from tests.rig.dovecot import Dovecot
from tests.rig.fixtures import authority, dovecot, smtp_sink
from tests.rig.postgres import Postgres
from tests.rig.processes import wait_until
from tests.rig.product import ROOT
from tests.rig.redis import Redis
from tests.rig.smtp_sink import SmtpSink

__all__ = ["authority", "dovecot", "smtp_sink"]

LEASE_SECONDS, INTERVAL_SECONDS, TICK_SECONDS = 4, 2, 1
#: of a slow machine: a worker's start and the synchronisation itself
SLACK_SECONDS = 30
_numbers = itertools.count(1)

SETUP = """
import json, sys, django; django.setup()
from datetime import datetime, timedelta, UTC
from mailwall.mime.types import Address
from mailwall.sending import services
from mailwall.sending.types import Letter
from mailwall.web import secrets
from tests.cast import make_account, make_user
ids = []
for wanted in json.loads(sys.argv[1]):
    owner = make_user("owner-of-" + wanted["address"])
    smtp = wanted.get("smtp_port")
    fields = {"smtp_host": "127.0.0.1", "smtp_port": smtp, "smtp_security": "none", "sending_active": True} if smtp else {}
    account = make_account(owner, wanted["address"], imap_host=wanted["host"], imap_port=wanted["port"],
                           next_sync_at=datetime.now(UTC) + timedelta(seconds=wanted.get("due_in", 0)), **fields)
    account.sealed_imap_password = secrets.seal(wanted["password"], bound_to=f"{account.secret_id}:imap")
    account.save()
    ids.append(account.pk)
    for number in range(wanted.get("mails", 0)):
        letter = Letter(account=account, to=(Address(address="ewa@kwiat.example"),), subject=f"Offer {number}", text="Good morning.")
        services.queue_outgoing(owner, letter)
print(json.dumps(ids))
"""


CLICK = """
import sys, django; django.setup()
from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import services, tasks
services.request_download(EmailAccount.objects.get(pk=sys.argv[1]))
tasks.download(int(sys.argv[1]))
"""


class Worker:
    """One process; lines() is what it logged."""

    def __init__(self, env: dict[str, str], log: Path, *prefix: str, queue: str = "all", concurrency: int = 12) -> None:
        self.log = log
        command = [
            sys.executable,
            "-m",
            "mailwall.config",
            "worker",
            "--queue",
            queue,
            "--concurrency",
            str(concurrency),
        ]
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [*prefix, *command], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> bool:
        return any(line["event"] == event for line in self.lines())

    def wait_started(self) -> None:
        wait_until(lambda: self.logged("worker started"), seconds=SLACK_SECONDS, what=f"worker: {self.log.read_text()}")

    def kill(self) -> None:
        """As the kernel does when memory runs out: no goodbye."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)

    def freeze(self) -> None:
        os.killpg(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self) -> None:
        if self.process.poll() is None:
            self.thaw()
            self.kill()


class Cluster:
    """An installation whose workers are started by hand."""

    def __init__(self, postgres: Postgres, redis: Redis, dovecot: Dovecot, folder: Path) -> None:
        self.postgres, self.redis, self.dovecot, self.folder = postgres, redis, dovecot, folder
        self.database = f"cluster{next(_numbers)}"
        postgres.sql(f"CREATE DATABASE {self.database} TEMPLATE mailwall", "postgres")
        self.workers: list[Worker] = []
        (folder / "data").mkdir()
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("MAILWALL_", "DJANGO_"))}
        self.env = {
            **kept, "DJANGO_SETTINGS_MODULE": "mailwall.config.settings", "MAILWALL_DATA_DIR": str(folder / "data"),
            "MAILWALL_DATABASE_URL": self.url(postgres.port), "MAILWALL_REDIS_URL": redis.url,
            "MAILWALL_SECRET_KEY": "the same on all machines", "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1,10.0.0.0/8",
            "MAILWALL_LEASE_SECONDS": str(LEASE_SECONDS), "MAILWALL_SYNC_INTERVAL_SECONDS": str(INTERVAL_SECONDS),
        }  # fmt: skip

    def url(self, port: int, host: str = "127.0.0.1") -> str:
        return f"postgres://mailwall@{host}:{port}/{self.database}"

    def python(self, code: str, *arguments: str) -> str:
        done = warm.run(["-c", code, *arguments], self.env)
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def accounts(self, *wanted: dict[str, Any]) -> list[int]:
        """Connect accounts on the Dovecot; each: address, and if it differs port, host, smtp_port, mails, due_in."""
        base = {"host": "127.0.0.1", "port": self.dovecot.port, "password": self.dovecot.password}
        return json.loads(self.python(SETUP, json.dumps([base | each for each in wanted])))

    def worker(self, *prefix: str, queue: str = "all", concurrency: int = 12, **env: str) -> Worker:
        log = self.folder / f"worker{len(self.workers)}.log"
        started = Worker(self.env | env, log, *prefix, queue=queue, concurrency=concurrency)
        self.workers.append(started)
        return started

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(self.postgres.port).replace("postgres:", "postgresql:")) as connection:
            return connection.execute(statement).fetchall()

    def wait(
        self, check: Callable[[], bool], what: str, *, seconds: float = LEASE_SECONDS + TICK_SECONDS + SLACK_SECONDS
    ):
        try:
            wait_until(check, seconds=seconds, what=what)
        except TimeoutError as error:
            logs = "\n".join(f"{each.log.name}: {each.log.read_text()[-1500:]}" for each in self.workers)
            raise TimeoutError(f"{error}\n{self.standing()}\n{self.outgoing()}\n{logs}") from None

    def standing(self) -> list[tuple[Any, ...]]:
        """id, last success, next time, lease, failed attempts, error, messages."""
        return self.rows(
            "SELECT a.id, last_synchronized_at, next_sync_at, lease_until, failed_attempts, last_error_code, (SELECT"
            " count(*) FROM mailstore_message m WHERE m.account_id = a.id) FROM email_accounts_emailaccount a ORDER BY 1"
        )

    def stored(self) -> dict[int, int]:
        """Messages by account."""
        return {row[0]: row[-1] for row in self.standing()}

    def is_whole(self, account_id: int, number: int) -> bool:
        """Each of the server's messages once: message, text and placement, and the first import is done."""
        [counts] = self.rows(
            f"SELECT (SELECT count(*) FROM mailstore_message WHERE account_id = {account_id}),"
            f" (SELECT count(DISTINCT message_id) FROM mailstore_message WHERE account_id = {account_id}),"
            f" (SELECT count(*) FROM sync_placement p JOIN sync_folder f ON f.id = p.folder_id WHERE f.account_id = {account_id}),"
            f" (SELECT count(*) FROM sync_folder WHERE account_id = {account_id} AND selected AND NOT import_done)"
        )
        return counts == (number, number, number, 0)

    def outgoing(self) -> collections.Counter[str]:
        return collections.Counter(row[0] for row in self.rows("SELECT state FROM sending_outgoing"))

    def end(self) -> None:
        for worker in self.workers:
            worker.end()


def taken(sink: SmtpSink) -> collections.Counter[str]:
    """How often each mail was taken by the server, by Message-ID."""
    return collections.Counter(email.message_from_bytes(mail.raw)["Message-ID"].strip("<>") for mail in sink.taken)


def fill(dovecot: Dovecot, address: str, number: int, *, size: int = 400) -> None:
    """So many messages of the last days."""
    now = time.time()
    dovecot.fill(
        address,
        [(mails.plain_mail(each, size=size), datetime.fromtimestamp(now - 600 * each, UTC)) for each in range(number)],
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis() -> Iterator[Redis]:
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def cluster(postgres: Postgres, redis: Redis, dovecot: Dovecot, tmp_path: Path) -> Iterator[Cluster]:
    redis.stop()
    redis.start()
    made = Cluster(postgres, redis, dovecot, tmp_path)
    yield made
    made.end()
