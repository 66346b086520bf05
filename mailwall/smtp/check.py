"""Test connection for sending: name, connect, encryption, greeting, sign-in, each told as it ends, within 15 s."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from mailwall.net import dial, guard, stages
from mailwall.net.errors import DialError
from mailwall.net.guard import CheckedAddress
from mailwall.net.types import ServerSettings, Stage
from mailwall.smtp import connect
from mailwall.smtp.connect import Client
from mailwall.smtp.errors import not_connected

_GREETING_SECONDS = 7.0  # leaves time to ask a silent port whether it wants TLS


def check_connection(settings: ServerSettings) -> Iterator[Stage]:
    """Try to sign in, sending nothing. Codes as in the contract; with STARTTLS the greeting comes first."""
    check = _Check(settings)
    greeting, encryption = ("greeting", check.greeting), ("encryption", check.encryption)
    middle = [greeting, encryption] if settings.security == "starttls" else [encryption, greeting]
    steps = [("name", check.name), ("connect", check.connect), *middle, ("sign_in", check.sign_in)]
    with contextlib.closing(check):
        yield from stages.run(steps)


class _Check:
    """What one stage leaves for the next."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._addresses: list[CheckedAddress] = []
        self._sock: socket.socket | None = None
        self._client: Client | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._sock is not None:
            self._sock.close()

    def name(self, seconds: float) -> str:
        settings = self._settings
        with _dialling():
            self._addresses = guard.resolve_allowed(settings.host, settings.port, settings.policy)
        return ""

    def connect(self, seconds: float) -> str:
        patience = min(self._settings.connect_timeout_seconds, seconds)
        with _dialling():
            self._sock = dial.connect(self._addresses, self._settings, timeout_seconds=patience)
        return ""

    def encryption(self, seconds: float) -> str:
        if self._settings.security == "tls":
            self._sock = connect.encrypt_first(self._opened(), self._settings)
        elif self._settings.security == "starttls":
            connect.encrypt_now(self._greeted(seconds))
        else:
            return stages.MSGID_NOT_ENCRYPTED
        return ""

    def greeting(self, seconds: float) -> str:
        patience = min(_GREETING_SECONDS, self._settings.connect_timeout_seconds, seconds)
        self._client = connect.greet(self._opened(), self._settings, timeout_seconds=patience, job_seconds=seconds)
        return ""

    def sign_in(self, seconds: float) -> str:
        connect.sign_in(self._greeted(seconds))
        return ""

    def _opened(self) -> socket.socket:
        if self._sock is None:
            raise AssertionError("stages run in order")
        return self._sock

    def _greeted(self, seconds: float) -> Client:
        if self._client is None:
            raise AssertionError("stages run in order")
        self._client.set_patience(min(self._settings.read_timeout_seconds, seconds))
        return self._client


@contextlib.contextmanager
def _dialling() -> Iterator[None]:
    try:
        yield
    except DialError as error:
        raise not_connected(error) from error
