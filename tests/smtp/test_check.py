"""Test connection for sending, stage by stage, against a real SMTP server and with everything that may be wrong."""

from __future__ import annotations

import socket
import time

import pytest

from mailwall.net.types import NetworkPolicy, Security, ServerSettings, Stage
from mailwall.smtp import check
from tests.fakes.imap_script import ScriptedImap
from tests.rig.certificates import Authority
from tests.rig.processes import free_port
from tests.rig.smtp_sink import PASSWORD, SmtpSink

STAGES = ["name", "connect", "encryption", "greeting", "sign_in"]


def settings_for(
    port: int, security: Security = "none", *, host: str = "127.0.0.1", ca_file: str = "", password: str = PASSWORD
) -> ServerSettings:
    return ServerSettings(
        host=host,
        port=port,
        security=security,
        username="alice@example.org",
        password=password,
        policy=NetworkPolicy(hosts_allow=("127.0.0.1",), ca_file=ca_file),
        connect_timeout_seconds=1,
        read_timeout_seconds=2,
    )


def told(settings: ServerSettings) -> list[Stage]:
    stages = list(check.check_connection(settings))
    assert sorted(stage.stage for stage in stages) == sorted(STAGES)
    return stages


def failure(settings: ServerSettings) -> tuple[str, str]:
    [failed] = [stage for stage in told(settings) if stage.ok is False]
    assert failed.message
    assert settings.password not in failed.message + failed.details
    return failed.stage, failed.code


@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_right_settings_pass_every_stage(authority: Authority, security: Security) -> None:
    certificate = None if security == "none" else authority.issue("127.0.0.1")
    with SmtpSink(certificate=certificate, tls=security == "tls") as sink:
        stages = told(settings_for(sink.port, security, ca_file=str(authority.ca_file)))
    assert [stage.ok for stage in stages] == [True] * 5
    assert sink.taken == []


def test_wrong_password_fails_at_sign_in(smtp_sink: SmtpSink) -> None:
    assert failure(settings_for(smtp_sink.port, password="wr0ng")) == ("sign_in", "smtp_login_refused")


def test_tls_on_a_plain_port_is_said(smtp_sink: SmtpSink) -> None:
    assert failure(settings_for(smtp_sink.port, "tls")) == ("encryption", "smtp_tls_failed")


def test_starttls_that_is_not_offered_is_said(smtp_sink: SmtpSink) -> None:
    assert failure(settings_for(smtp_sink.port, "starttls")) == ("encryption", "smtp_tls_failed")


@pytest.mark.parametrize("security", ["none", "starttls"])
def test_plain_on_a_tls_port_is_said(authority: Authority, security: Security) -> None:
    with SmtpSink(certificate=authority.issue("127.0.0.1"), tls=True) as sink:
        assert failure(settings_for(sink.port, security)) == ("greeting", "smtp_tls_failed")


@pytest.mark.parametrize("tls", [True, False])
def test_stranger_certificate_fails_at_encryption(authority: Authority, tls: bool) -> None:
    with SmtpSink(certificate=authority.issue("127.0.0.1"), tls=tls) as sink:
        assert failure(settings_for(sink.port, "tls" if tls else "starttls")) == ("encryption", "smtp_tls_failed")


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("no-such-host.invalid", "smtp_unknown_host"),
        ("127.0.0.2", "host_not_allowed"),
        ("user@127.0.0.1", "host_invalid"),
    ],
)
def test_host_that_may_not_be_dialled_fails_at_name(host: str, code: str) -> None:
    assert failure(settings_for(25, host=host)) == ("name", code)


def test_closed_port_fails_at_connect() -> None:
    assert failure(settings_for(free_port())) == ("connect", "smtp_unreachable")


def test_silent_server_fails_at_greeting_in_time() -> None:
    begin = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert failure(settings_for(listener.getsockname()[1])) == ("greeting", "smtp_timeout")
    assert time.monotonic() - begin < 6


@pytest.mark.parametrize(
    ("greeting", "code"),
    [(b"* OK IMAP ready\r\n", "smtp_protocol_error"), (b"421 too busy\r\n", "smtp_busy")],
)
def test_odd_greeting_fails_at_greeting(greeting: bytes, code: str) -> None:
    with ScriptedImap(greeting=greeting) as server:
        assert failure(settings_for(server.port)) == ("greeting", code)
