"""A worker killed with SIGKILL at any moment of sending: each mail at most once, none lost, all told."""

from __future__ import annotations

import collections
import email
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig import migrated, warm
from tests.rig.proxy import Proxy
from tests.rig.smtp_sink import SmtpSink

pytestmark = pytest.mark.slow

MAILS, KILLS = 40, 6
SETUP = """
import sys, django; django.setup()
from mailwall.mime.types import Address
from mailwall.sending import services
from mailwall.sending.types import Letter
from tests.cast import make_account, make_cast
from tests.sending.conftest import seal_passwords, sending_fields
alice = make_cast().alice
seal_passwords(make_account(alice, "alice@ours.example", **{**sending_fields(None), "smtp_port": int(sys.argv[1])}))
for number in range(int(sys.argv[2])):
    ewa = Address(address="ewa@kwiat.example")
    services.queue_outgoing(alice, Letter(to=(ewa,), subject=f"Offer {number}", text="x" * 20_000))
"""
WORK = """
import django; django.setup()
from mailwall.sending import delivery
from mailwall.sending.models import Outgoing
Outgoing.objects.update(lease_until=None)  # of those who were killed
print("ready", flush=True)
delivery.deliver_account(1)
"""
STATES = """
import django, json; django.setup()
from mailwall.sending.models import Outgoing
print(json.dumps(dict(Outgoing.objects.values_list("message_id_header", "state"))))
"""


def test_kill_at_any_moment_sends_nothing_twice_and_loses_nothing(smtp_sink: SmtpSink, tmp_path: Path):
    environment = {**os.environ, "MAILWALL_DATA_DIR": str(tmp_path), "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1"}
    environment["DJANGO_SETTINGS_MODULE"] = "mailwall.config.settings"

    def python(*arguments: str) -> str:
        done = warm.run(arguments, environment)
        done.check_returncode()
        return done.stdout

    migrated.put_into(tmp_path)
    with Proxy(smtp_sink.port, delay_seconds=0.015) as line:
        python("-c", SETUP, str(line.port), str(MAILS))
        moments = random.Random(5)
        for _ in range(KILLS):
            worker = subprocess.Popen([sys.executable, "-c", WORK], env=environment, stdout=subprocess.PIPE)
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(moments.uniform(0.1, 0.45))
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        assert len(smtp_sink.taken) < MAILS, "the kills came too late"
        python("-c", WORK)
    ended = json.loads(python("-c", STATES))
    taken = collections.Counter(
        email.message_from_bytes(mail.raw)["Message-ID"].strip("<>") for mail in smtp_sink.taken
    )
    assert len(ended) == MAILS
    assert set(ended.values()) <= {"sent", "sending"}
    assert max(taken.values()) == 1
    assert {key for key, state in ended.items() if state == "sent"} <= taken.keys()
    assert sum(state == "sending" for state in ended.values()) <= KILLS
