"""A worker killed with SIGKILL at any moment: nothing lost, nothing doubled, the account free after its lease."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import ago

pytestmark = [pytest.mark.live, pytest.mark.slow]

SETUP = """
import sys, django; django.setup()
from datetime import datetime, timedelta, UTC
from tests.cast import make_account, make_cast
from mailwall.web import secrets
address, password, port = sys.argv[1:]
account = make_account(make_cast().alice, address, imap_port=int(port), next_sync_at=datetime.now(UTC))
account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
account.save()
"""
END_OF_LEASE = """
import django; django.setup()
from mailwall.email_accounts.models import EmailAccount
EmailAccount.objects.update(lease_until=None)
"""
COUNT = """
import django, json; django.setup()
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sync.models import Folder, Placement
ids = set(Message.objects.values_list("message_id", flat=True))
unfinished = Folder.objects.filter(import_done=False, selected=True).count()
rows = [table.objects.count() for table in (Message, MessageBody, Placement)]
print(json.dumps([*rows, len(ids), unfinished]))
"""


def test_kill_at_any_moment_loses_and_doubles_nothing(mailbox: Mailbox, tmp_path: Path):
    mailbox.fill([(mails.plain_mail(number, size=400), ago(number / 300)) for number in range(1500)])
    environment = {**os.environ, "MAILWALL_DATA_DIR": str(tmp_path), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1"}
    environment["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"

    def python(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    python("-m", "mailwall.config", "migrate")
    with Proxy(mailbox.dovecot.port, delay_seconds=0.01) as proxy:
        python("-c", SETUP, mailbox.address, mailbox.dovecot.password, str(proxy.port))
        stored = []
        for number in range(5):
            seen = proxy.to_client
            worker = subprocess.Popen([sys.executable, "-m", "mailwall.config", "sync"], env=environment)
            while proxy.to_client < seen + 700_000 + 150_000 * number and worker.poll() is None:
                time.sleep(0.005)
            time.sleep(0.1 * number)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
            python("-c", END_OF_LEASE)
            stored.append(json.loads(python("-c", COUNT))[0])
        assert any(0 < count < 1500 for count in stored), stored
        python("-m", "mailwall.config", "sync", "--json")
    assert json.loads(python("-c", COUNT)) == [1500, 1500, 1500, 1500, 0], stored
