"""Pytest fixtures of the rig: imported by tests/conftest.py."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from mailwall.net.types import NetworkPolicy, Security, ServerSettings
from tests.rig.certificates import Authority
from tests.rig.dovecot import Dovecot
from tests.rig.smtp_sink import SmtpSink

_numbers = itertools.count(1)
LOOPBACK = ("127.0.0.1",)


@dataclass(frozen=True, kw_only=True)
class Mailbox:
    """One user of the session's Dovecot, empty at the start of a test."""

    dovecot: Dovecot
    address: str
    ca_file: str

    def settings(self, *, port: int | None = None, security: Security = "none", password: str = "") -> ServerSettings:
        """How to connect; port: a proxy's, by default the server's own for that security."""
        own = self.dovecot.tls_port if security == "tls" else self.dovecot.port
        return ServerSettings(
            host="127.0.0.1",
            port=port or own,
            security=security,
            username=self.address,
            password=password or self.dovecot.password,
            policy=NetworkPolicy(hosts_allow=LOOPBACK, ca_file=self.ca_file),
            connect_timeout_seconds=5,
            read_timeout_seconds=10,
        )

    def deliver(self, raw: bytes, *, folder: str = "INBOX", internaldate: datetime | None = None) -> int:
        """As Dovecot.deliver."""
        return self.dovecot.deliver(self.address, raw, folder=folder, internaldate=internaldate)

    def fill(self, messages: list[tuple[bytes, datetime]], *, folder: str = "INBOX") -> None:
        """As Dovecot.fill."""
        self.dovecot.fill(self.address, messages, folder=folder)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority of this test session."""
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority(folder)


@pytest.fixture(scope="session")
def dovecot(authority: Authority) -> Iterator[Dovecot]:
    """A Dovecot for the whole session, with TLS for 127.0.0.1 and localhost. Use `mailbox` for a user of your own."""
    with Dovecot(certificate=authority.issue("127.0.0.1", "localhost")) as server:
        yield server


@pytest.fixture
def mailbox(dovecot: Dovecot, authority: Authority) -> Mailbox:
    """A fresh user per test."""
    address = f"alice{next(_numbers)}@example.org"
    return Mailbox(dovecot=dovecot, address=address, ca_file=str(authority.ca_file))


@pytest.fixture
def smtp_sink() -> Iterator[SmtpSink]:
    """An SMTP server that keeps what it takes, in mode 'ok' until told otherwise."""
    with SmtpSink() as sink:
        yield sink
