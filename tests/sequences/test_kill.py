"""Real workers, several at once, killed with SIGKILL at any moment: each step of each contact at most once."""

from __future__ import annotations

import collections
import contextlib
import email
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.rig import migrated, warm
from tests.rig.fixtures import authority, dovecot, mailbox, smtp_sink
from tests.rig.postgres import Postgres
from tests.rig.processes import end, wait_until

__all__ = ["authority", "dovecot", "mailbox", "smtp_sink"]
pytestmark = [pytest.mark.live, pytest.mark.slow]

PEOPLE, KILLS, WORKERS = 25, 3, 2
SETUP = """
import sys, django; django.setup()
from mailwall.contacts import services as contacts
from mailwall.contacts.rules import ContactInput
from mailwall.sequences import enrolling, services
from mailwall.sequences.services import SequenceInput
from tests.cast import make_account, make_cast
from tests.sending.conftest import PASSWORD, sending_fields, seal_passwords
from tests.sequences.conftest import AGAIN, MAIL, TASK, WAIT
address, imap_port, imap_password, smtp_port, people = sys.argv[1:]
alice = make_cast().alice
fields = {**sending_fields(None), "smtp_port": int(smtp_port), "imap_port": int(imap_port)}
account = seal_passwords(make_account(alice, address, **fields), imap_password)
steps = (TASK, MAIL, WAIT, AGAIN)
given = SequenceInput(name="Fair", account_id=account.pk, state="running", steps=steps)
sequence = services.create_sequence(alice, given)
ids = [contacts.create_contact(alice, ContactInput(name=f"P{n}", emails=[f"p{n}@kunde.example"])).pk
       for n in range(int(people))]
enrolling.enrol(alice, sequence.pk, ids)
"""


class Installation:
    """A data folder with Alice's sequence in it, and workers as a machine has them."""

    def __init__(self, folder: Path, mailbox, sink, **env: str) -> None:
        self.environment = {
            **os.environ, "MAILWALL_DATA_DIR": str(folder), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1",
            "MAILWALL_LEASE_SECONDS": "3", "DJANGO_SETTINGS_MODULE": "mailwall.config.settings", **env,
        }  # fmt: skip
        self.database = folder / "mailwall.sqlite3"
        self.log = (folder / "workers.log").open("ab")
        self.workers: list[subprocess.Popen[bytes]] = []
        self._connection = (mailbox.address, str(mailbox.dovecot.port), mailbox.dovecot.password, str(sink.port))
        if "MAILWALL_DATABASE_URL" not in env:
            migrated.put_into(folder)

    def enrol(self, people: int) -> None:
        self.python("-c", SETUP, *self._connection, str(people))

    def python(self, *arguments: str) -> str:
        done = warm.run(arguments, self.environment)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def start(self) -> None:
        command = [sys.executable, "-m", "mailwall.config", "worker"]
        self.workers.append(
            subprocess.Popen(command, env=self.environment, stdout=self.log, stderr=self.log, start_new_session=True)
        )

    def kill(self) -> None:
        for worker in self.workers:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
        self.workers.clear()

    def rows(self, query: str) -> list[tuple]:
        """Asked without us: workers and their leases are not touched."""
        url = self.environment.get("MAILWALL_DATABASE_URL")
        with contextlib.closing(psycopg.connect(url) if url else sqlite3.connect(self.database)) as connection:
            return list(connection.execute(query).fetchall())

    def settled(self) -> bool:
        """Nobody waits for a first mail, and no mail whose DATA has not begun; those that died in it are judged later."""
        [(waiting,)] = self.rows("SELECT count(*) FROM sequences_enrolment WHERE position < 3")
        return not waiting and {state for _name, state in self.outgoing()} <= {"sent", "sending"}

    def outgoing(self) -> list[tuple]:
        return self.rows("SELECT message_id_header, state FROM sending_outgoing")

    def runs(self) -> list[tuple]:
        return self.rows("SELECT enrolment_id, step_key FROM sequences_steprun")

    def close(self) -> None:
        for worker in self.workers:
            end(worker)
        self.log.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.stop()


@pytest.fixture
def install(tmp_path, mailbox, smtp_sink) -> Iterator[Callable[..., Installation]]:
    made: list[Installation] = []

    def _install(**env: str) -> Installation:
        made.append(Installation(tmp_path, mailbox, smtp_sink, **env))
        return made[-1]

    yield _install
    for each in made:
        each.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def killed(request, install) -> Installation:
    if request.param == "sqlite":
        return install()
    server = request.getfixturevalue("postgres")
    server.sql("CREATE DATABASE killed TEMPLATE mailwall", "postgres")
    return install(MAILWALL_DATABASE_URL=server.url.rpartition("/")[0] + "/killed")


def test_workers_killed_at_any_moment_run_each_step_at_most_once(killed, smtp_sink):
    killed.enrol(PEOPLE)
    moments = random.Random(7)
    for _ in range(KILLS):
        before = len(smtp_sink.taken)
        for _ in range(WORKERS):
            killed.start()
        wait_until(lambda before=before: len(smtp_sink.taken) > before, seconds=40, what="a mail leaves")
        time.sleep(moments.uniform(0, 0.15))  # the moment of the kill is what the test varies
        killed.kill()
    assert len(smtp_sink.taken) < PEOPLE, "the kills came too late"
    for _ in range(WORKERS):
        killed.start()
    wait_until(killed.settled, seconds=90, what="all steps ran and the outbox is empty")
    steps = collections.Counter(killed.runs())
    assert len(steps) == 2 * PEOPLE and max(steps.values()) == 1
    assert killed.rows("SELECT count(*) FROM sequences_task") == [(PEOPLE,)]
    taken = collections.Counter(
        email.message_from_bytes(each.raw)["Message-ID"].strip("<>") for each in smtp_sink.taken
    )
    receivers = collections.Counter(each.receivers for each in smtp_sink.taken)
    assert max(taken.values()) == 1 and max(receivers.values()) == 1
    assert {name for name, state in killed.outgoing() if state == "sent"} <= taken.keys()


def test_a_worker_killed_between_claim_and_outbox_has_done_nothing(install, postgres, smtp_sink):
    """The worker's INSERT into the outbox waits for a lock of ours, its claim is not committed: then it dies."""
    postgres.sql("CREATE DATABASE between TEMPLATE mailwall", "postgres")
    url = postgres.url.rpartition("/")[0] + "/between"
    here = install(MAILWALL_DATABASE_URL=url)
    here.enrol(1)
    with psycopg.connect(url) as ours, psycopg.connect(url, autocommit=True) as watcher:
        ours.execute("LOCK TABLE sending_outgoing IN SHARE MODE")
        here.start()
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ILIKE 'INSERT%outgoing%'"
        )
        wait_until(lambda: watcher.execute(waiting).fetchone()[0] > 0, seconds=40, what="the worker writes")
        here.kill()
        ours.rollback()
    assert here.rows("SELECT position FROM sequences_enrolment") == [(1,)]
    assert here.outgoing() == [] and len(here.runs()) == 1  # the task ran before
    here.start()
    wait_until(lambda: len(smtp_sink.taken) == 1 and here.settled(), seconds=60, what="the mail leaves")
    assert len(here.runs()) == 2 and len(smtp_sink.taken) == 1
