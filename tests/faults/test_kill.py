"""Check 14 of reliability.md: a worker killed with SIGKILL at any moment: nothing lost, nothing doubled, the account free."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig import mails, migrated, warm
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import ago

pytestmark = [pytest.mark.live, pytest.mark.slow]

MAILS = 600  # a first batch and a whole one
SETUP = """
import sys, django; django.setup()
from datetime import datetime, UTC
from tests.cast import make_account, make_cast
from mailwall.web import secrets
address, password, port = sys.argv[1:]
account = make_account(make_cast().alice, address, imap_port=int(port), next_sync_at=datetime.now(UTC))
account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
account.save()
"""
# the end of the lease is not waited for; a finished import is forgotten, so that the next one has something to do
AFTER = """
import django, json, sys; django.setup()
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sync.models import Folder, LedgerEntry, Placement
EmailAccount.objects.update(lease_until=None)
ids = set(Message.objects.values_list("message_id", flat=True))
unfinished = Folder.objects.filter(import_done=False, selected=True).count() or not Folder.objects.exists()
rows = [table.objects.count() for table in (Message, MessageBody, Placement)]
print(json.dumps([*rows, len(ids), LedgerEntry.objects.count(), bool(unfinished)]))
if not unfinished and sys.argv[1:] == ["forget"]:
    Message.objects.all().delete()
    Folder.objects.all().delete()
"""


def test_a_worker_killed_at_any_moment_loses_and_doubles_nothing(mailbox: Mailbox, tmp_path: Path):
    kill_at_random(mailbox, tmp_path, kills=6)


@pytest.mark.exhaustive
def test_fifty_killed_workers_lose_and_double_nothing(mailbox: Mailbox, tmp_path: Path):
    kill_at_random(mailbox, tmp_path, kills=50)


def kill_at_random(mailbox: Mailbox, folder: Path, *, kills: int) -> None:
    """Each worker is killed after so many bytes from the server, and a moment in which it writes them."""
    mailbox.fill([(mails.plain_mail(number, size=400), ago(number / 300)) for number in range(MAILS)])
    environment = {**os.environ, "MAILWALL_DATA_DIR": str(folder), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1"}
    environment["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"

    def python(*arguments: str) -> str:
        done = warm.run(arguments, environment)
        done.check_returncode()
        return done.stdout

    rng = random.Random(14)
    migrated.put_into(folder)
    with Proxy(mailbox.dovecot.port, delay_seconds=0.005) as proxy:
        python("-c", SETUP, mailbox.address, mailbox.dovecot.password, str(proxy.port))
        told = []
        for _ in range(kills):
            end = proxy.to_client + rng.randrange(1, MAILS * 1500)
            worker = subprocess.Popen([sys.executable, "-m", "mailwall.config", "sync"], env=environment)
            while proxy.to_client < end and worker.poll() is None:
                time.sleep(0.002)
            writes_until = time.monotonic() + rng.random() * rng.choice((0, 0.1, 2))
            while time.monotonic() < writes_until and worker.poll() is None:
                time.sleep(0.002)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            told.append(json.loads(python("-c", AFTER, "forget")))
            messages, bodies, placements, different, failed, unfinished = told[-1]
            assert messages == bodies == placements == different and not failed, told
            assert unfinished or messages == MAILS, told
        assert any(unfinished for *_, unfinished in told), told
        python("-m", "mailwall.config", "sync", "--json")
    assert json.loads(python("-c", AFTER)) == [MAILS, MAILS, MAILS, MAILS, 0, False], told
    print(f"killed {kills} workers, after", [messages for messages, *_ in told], "messages")
