"""Where and how often somebody may have us connect, and what a server gets before it has shown what it is."""

from __future__ import annotations

import contextlib
import socket
import threading
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailwall.email_accounts import trials
from mailwall.team.models import AuditEntry
from tests.cast import Api, make_account
from tests.fakes.imap_script import ScriptedImap
from tests.rig.processes import free_port


def body(port: int, host: str = "127.0.0.1") -> dict:
    server = {"host": host, "port": port, "security": "none", "username": "x", "password": "x"}
    return {"address": "new@ours.example", "imap": server}


@pytest.fixture
def few(monkeypatch) -> int:
    monkeypatch.setattr(trials, "MAX_FAILED", 3)
    return 3


def test_ports_cannot_be_scanned_by_connection_tests(cast, few):
    api, page, closed = Api(cast.alice), Client(), free_port()
    page.force_login(cast.alice)
    account = make_account(cast.alice, imap_port=closed)
    for _ in range(few):
        assert api.post("/email-accounts/test", body(closed)).json()["stages"][1]["code"] == "imap_unreachable"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answers = [
            api.post("/email-accounts/test", body(listener.getsockname()[1])),
            api.post("/email-accounts", body(listener.getsockname()[1])),
            api.call("PATCH", f"/email-accounts/{account.pk}", body(listener.getsockname()[1])),
        ]
        listener.settimeout(0.1)
        with pytest.raises(TimeoutError):
            listener.accept()
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(429, "too_many_tests")] * 3
    form = {
        "address": "new@ours.example", "imap_host": "127.0.0.1", "imap_port": closed, "imap_security": "none",
        "imap_password": "x", "store": "both", "visibility": "owner", "smtp_same": "on",
        "smtp_port": "465", "smtp_security": "tls", "window": "days", "owner": cast.alice.pk,
    }  # fmt: skip
    for do in ("test", ""):
        assert "Wait ten minutes" in page.post("/settings/email-accounts/new/", {**form, "do": do}).content.decode()


def test_others_and_hosts_that_are_refused_at_once_are_not_counted(cast, few):
    api = Api(cast.alice)
    for _ in range(few + 1):
        assert api.post("/email-accounts/test", body(143, "10.0.0.1")).status_code == 200
    for _ in range(few):
        api.post("/email-accounts/test", body(free_port()))
    assert api.post("/email-accounts/test", body(free_port())).status_code == 429
    assert Api(cast.charlie).post("/email-accounts/test", body(free_port())).status_code == 200


def test_after_a_while_one_may_try_again(cast, few):
    api = Api(cast.alice)
    for _ in range(few):
        api.post("/email-accounts/test", body(free_port()))
    AuditEntry.objects.update(at=timezone.now() - timedelta(minutes=11))
    assert api.post("/email-accounts/test", body(free_port())).status_code == 200


@pytest.mark.parametrize("kind", ["imap", "smtp"])
def test_nothing_is_said_to_what_does_not_greet_as_a_mail_server(cast, kind):
    heard = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        client.settimeout(5)
        heard.append(client.recv(4096))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        account = make_account(cast.alice)
        other = {"host": "127.0.0.1", "port": listener.getsockname()[1], "security": "none", "password": "secret"}
        answer = Api(cast.alice).call("PATCH", f"/email-accounts/{account.pk}", {kind: other})
        thread.join(10)
    assert answer.json()["code"] == f"{kind}_protocol_error"
    assert "HTTP" not in answer.content.decode()
    assert heard == [b""]


def test_who_leads_an_account_to_another_server_is_written_down_for_its_owner(cast):
    account = make_account(cast.alice)
    change = {"imap": body(free_port())["imap"], "verify": False}
    assert Api(cast.bob).call("PATCH", f"/email-accounts/{account.pk}", change).status_code == 200
    page = Client()
    page.force_login(cast.alice)
    log = page.get(f"/settings/email-accounts/{account.pk}/activity/").content.decode()
    assert "Changed the servers or a password" in log and "Bob" in log


def starttls(port: int, kind: str) -> dict:
    server = {"host": "127.0.0.1", "port": port, "security": "starttls", "username": "x", "password": "s3cret"}
    return {kind: server}


@pytest.mark.parametrize(
    "greeting", [b"* PREAUTH welcome back\r\n", b"* OK [CAPABILITY IMAP4rev1 STARTTLS] hi\r\n* PREAUTH in\r\n"]
)
def test_a_server_that_signs_in_before_the_encryption_is_left(cast, greeting):
    account = make_account(cast.alice)
    with ScriptedImap({"STARTTLS": b"{tag} OK go\r\n* PREAUTH in\r\n"}, greeting=greeting) as server:
        answer = Api(cast.alice).call("PATCH", f"/email-accounts/{account.pk}", starttls(server.port, "imap"))
        assert answer.json()["code"] == "imap_tls_failed"
        assert not [command for command in server.commands if b"LOGIN" in command or b"AUTH" in command]


@pytest.mark.parametrize(
    ("offered", "answer"),
    [
        (b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n250-x\r\n250 AUTH PLAIN\r\n235 forged\r\n"),
        (b"250-x\r\n250 AUTH PLAIN\r\n", b"220 go\r\n"),
        (b"250-x\r\n250 STARTTLS\r\n", b"454 not now\r\n"),
        (b"250-x\r\n250 STARTTLS\r\n", b"220 go\r\n"),
    ],
    ids=["injected", "stripped", "refused", "plain afterwards"],
)
def test_a_sending_server_without_trustworthy_encryption_gets_no_password(cast, offered, answer):
    heard = []

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        client.settimeout(5)
        with client, contextlib.suppress(OSError):
            client.sendall(b"220 mail\r\n")
            while line := client.recv(4096):
                heard.append(line)
                client.sendall(answer if b"STARTTLS" in line else offered)

    account = make_account(cast.alice)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        told = Api(cast.alice).call("PATCH", f"/email-accounts/{account.pk}", starttls(port, "smtp"))
        thread.join(10)
    assert told.json()["code"] in ("smtp_tls_failed", "smtp_unreachable")
    assert not [line for line in heard if b"AUTH" in line or b"s3cret" in line]
