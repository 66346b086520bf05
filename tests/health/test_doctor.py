"""`mailwall doctor` and /readyz: one line per check, each with its remedy."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from mailwall.health import beats
from mailwall.health.models import Beat
from mailwall.web import secrets
from tests.cast import make_account
from tests.rig.processes import free_port

pytestmark = pytest.mark.django_db


def doctor(capsys, *options: str) -> tuple[int, list[str]]:
    try:
        call_command("doctor", *options)
        status = 0
    except SystemExit as ended:
        status = int(str(ended.code))
    return status, capsys.readouterr().out.splitlines()


def test_all_is_well(cast, capsys):
    beats.beat("worker", timezone.now())
    status, lines = doctor(capsys)
    assert status == 0
    assert [line[0] for line in lines] == ["✔"] * len(lines)
    assert {line.split(" (")[0][2:] for line in lines} >= {
        "database",
        "migrations",
        "queue",
        "workers",
        "tick",
        "key",
        "disk",
    }


def test_a_stopped_installation_is_no_fault_and_a_dead_worker_is(capsys):
    assert doctor(capsys)[0] == 0
    beats.beat("worker", timezone.now())
    Beat.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    status, lines = doctor(capsys)
    assert status == 1
    assert "✖ workers: none was heard of for a minute → start one: mailwall up, or mailwall worker" in lines


def test_each_mail_host_is_called_once_and_told_by_its_own_words(cast, capsys, mailbox):
    def account(number: int, port: int) -> None:
        made = make_account(cast.alice, f"box{number}@ours.example", imap_port=port)
        made.sealed_imap_password = secrets.seal("pw", bound_to=f"{made.secret_id}:imap")
        made.save()

    closed = free_port()
    for number, port in enumerate((mailbox.dovecot.port, mailbox.dovecot.port, closed)):
        account(number, port)
    status, lines = doctor(capsys)
    told = [line for line in lines if "mail host" in line]
    assert status == 1
    assert told[0 if mailbox.dovecot.port < closed else 1] == f"✔ mail host 127.0.0.1:{mailbox.dovecot.port}"
    assert any(line.startswith(f"✖ mail host 127.0.0.1:{closed}: 127.0.0.1 refuses connections") for line in told)
    assert len(told) == 2
    assert not any("mail host" in line for line in doctor(capsys, "--no-network")[1])


def test_a_password_that_does_not_open_is_told(cast, capsys):
    make_account(cast.alice, sealed_imap_password="nonsense")
    status, lines = doctor(capsys, "--no-network")
    assert status == 1
    assert any(line.startswith("✖ key: 1 stored password cannot be read → bring back the key file") for line in lines)


def test_readiness_tells_of_workers_without_waiting_for_one():
    assert Client().get("/readyz").json()["workers"] == "none was heard of for a minute"
    beats.beat("worker", timezone.now())
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200, {"status": "ready", "database": "ok", "queue": "ok", "workers": "ok"}
    )  # fmt: skip
