"""Test connection, stage by stage: the first stage that fails has the code and the sentence, the rest is not reached."""

from __future__ import annotations

import dataclasses
import socket
import time

import pytest

from mailwall.imap import check
from mailwall.net.types import NetworkPolicy, Security, ServerSettings, Stage
from tests.fakes.imap_script import ScriptedImap
from tests.rig.certificates import Authority
from tests.rig.dovecot import Dovecot
from tests.rig.fixtures import Mailbox
from tests.rig.processes import free_port
from tests.rig.proxy import Proxy

STAGES = ["name", "connect", "encryption", "greeting", "sign_in", "folders"]


def told(settings: ServerSettings) -> list[Stage]:
    stages = list(check.check_connection(settings))
    assert sorted(stage.stage for stage in stages) == sorted(STAGES)
    for stage in stages:
        assert stage.message == (stage.msgid % stage.params if stage.params else stage.msgid)
        assert settings.password not in stage.message + stage.details
    return stages


def failure(settings: ServerSettings) -> tuple[str, str]:
    stages = told(settings)
    failed = [stage for stage in stages if stage.ok is False]
    assert len(failed) == 1
    position = stages.index(failed[0])
    assert all(stage.ok is True for stage in stages[:position])
    assert all(stage.ok is None for stage in stages[position + 1 :])
    assert failed[0].message
    return failed[0].stage, failed[0].code


@pytest.mark.live
@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_right_settings_pass_every_stage(mailbox: Mailbox, security: Security) -> None:
    stages = told(mailbox.settings(security=security))
    assert [stage.ok for stage in stages] == [True] * 6
    unencrypted = next(stage for stage in stages if stage.stage == "encryption")
    assert ("not encrypted" in unencrypted.message) is (security == "none")


@pytest.mark.live
def test_wrong_password_fails_at_sign_in(mailbox: Mailbox) -> None:
    assert failure(mailbox.settings(password="wr0ng")) == ("sign_in", "imap_login_refused")


@pytest.mark.live
def test_tls_on_a_plain_port_is_said(mailbox: Mailbox) -> None:
    assert failure(mailbox.settings(port=mailbox.dovecot.port, security="tls")) == ("encryption", "imap_tls_failed")


@pytest.mark.live
@pytest.mark.parametrize("security", ["none", "starttls"])
def test_plain_on_a_tls_port_is_said(mailbox: Mailbox, security: Security) -> None:
    settings = dataclasses.replace(
        mailbox.settings(port=mailbox.dovecot.tls_port, security=security), connect_timeout_seconds=1
    )
    assert failure(settings) == ("greeting", "imap_tls_failed")


@pytest.mark.live
def test_starttls_that_is_not_offered_is_said(mailbox: Mailbox) -> None:
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.hide("STARTTLS")
        assert failure(mailbox.settings(port=proxy.port, security="starttls")) == ("encryption", "imap_tls_failed")


@pytest.mark.live
def test_stranger_certificate_fails_at_encryption(mailbox: Mailbox) -> None:
    settings = dataclasses.replace(mailbox.settings(security="tls"), policy=NetworkPolicy(hosts_allow=("127.0.0.1",)))
    assert failure(settings) == ("encryption", "imap_tls_failed")


@pytest.mark.live
def test_wrong_name_in_the_certificate_fails_at_encryption(authority: Authority) -> None:
    with Dovecot(certificate=authority.issue("mail.host.example")) as server:
        box = Mailbox(dovecot=server, address="alice@example.org", ca_file=str(authority.ca_file))
        for security in ("tls", "starttls"):
            assert failure(box.settings(security=security)) == ("encryption", "imap_tls_failed")


@pytest.mark.live
def test_server_without_a_sent_folder_asks_for_one() -> None:
    with Dovecot(special_use=False) as server:
        box = Mailbox(dovecot=server, address="alice@example.org", ca_file="")
        folders = told(box.settings())[-1]
    assert folders.ok is True
    assert folders.message == check.MSGID_NO_SENT


def local(port: int, host: str = "127.0.0.1") -> ServerSettings:
    return ServerSettings(
        host=host,
        port=port,
        security="none",
        username="alice@example.org",
        password="canary",
        policy=NetworkPolicy(hosts_allow=("127.0.0.1",)),
        connect_timeout_seconds=1,
        read_timeout_seconds=1,
    )


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("no-such-host.invalid", "imap_unknown_host"),
        ("127.0.0.2", "host_not_allowed"),
        ("10.0.0.1", "host_not_allowed"),
        ("http://127.0.0.1/", "host_invalid"),
    ],
)
def test_host_that_may_not_be_dialled_fails_at_name(host: str, code: str) -> None:
    assert failure(local(143, host)) == ("name", code)


def test_closed_port_fails_at_connect() -> None:
    assert failure(local(free_port())) == ("connect", "imap_unreachable")


def test_silent_server_fails_at_greeting_in_time() -> None:
    begin = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert failure(local(listener.getsockname()[1])) == ("greeting", "imap_timeout")
    assert time.monotonic() - begin < 6


@pytest.mark.parametrize(
    ("greeting", "code"),
    [
        (b"220 mail.example.org ESMTP\r\n", "imap_protocol_error"),
        (b"* BYE Too many connections\r\n", "imap_busy"),
    ],
)
def test_odd_greeting_fails_at_greeting(greeting: bytes, code: str) -> None:
    with ScriptedImap(greeting=greeting) as server:
        assert failure(local(server.port)) == ("greeting", code)


def test_dripping_server_ends_within_the_time_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedImap({"LIST": b"* LIST () NIL a\r\n" * 3, "LOGIN": b"{tag} OK in\r\n"}) as server:
        assert failure(local(server.port)) == ("folders", "imap_timeout")


def test_test_given_up_hangs_up() -> None:
    with ScriptedImap() as server:
        stages = check.check_connection(local(server.port))
        assert [next(stages).stage for _ in range(5)][-1] == "sign_in"
        stages.close()  # type: ignore[attr-defined]
        assert server.commands[-1] == b"LOGOUT"
