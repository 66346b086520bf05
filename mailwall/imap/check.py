"""Test connection: name, connect, encryption, greeting, sign-in, folders, each told as it ends, within 15 s."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mailwall.imap import connect
from mailwall.imap.connect import Client
from mailwall.imap.errors import not_connected
from mailwall.imap.session import ImapSession
from mailwall.imap.wire import Wire
from mailwall.net import dial, guard, stages
from mailwall.net.errors import DialError, gettext_noop
from mailwall.net.guard import CheckedAddress
from mailwall.net.types import ServerSettings, Stage

MSGID_NO_SENT = gettext_noop("We did not find a Sent folder; pick one so that sent mail is stored.")
_GREETING_SECONDS = 7.0  # leaves time to ask a silent port whether it wants TLS


def check_connection(settings: ServerSettings) -> Iterator[Stage]:
    """Try to sign in and list folders, changing nothing. Codes of the contract; with STARTTLS the greeting is first."""
    check = _Check(settings)
    greeting, encryption = ("greeting", check.greeting), ("encryption", check.encryption)
    middle = [greeting, encryption] if settings.security == "starttls" else [encryption, greeting]
    steps = [
        ("name", check.name),
        ("connect", check.connect),
        *middle,
        ("sign_in", check.sign_in),
        ("folders", check.folders),
    ]
    with contextlib.closing(check):
        yield from stages.run(steps)


class _Check:
    """What one stage leaves for the next."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._addresses: list[CheckedAddress] = []
        self._wire: Wire | None = None
        self._client: Client | None = None
        self._session: ImapSession | None = None

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
        elif self._wire is not None:
            self._wire.close()

    def name(self, seconds: float) -> str:
        settings = self._settings
        with _dialling():
            self._addresses = guard.resolve_allowed(settings.host, settings.port, settings.policy)
        return ""

    def connect(self, seconds: float) -> str:
        patience = min(self._settings.connect_timeout_seconds, seconds)
        with _dialling():
            sock = dial.connect(self._addresses, self._settings, timeout_seconds=patience)
        self._wire = Wire(sock, self._settings, job_deadline_seconds=seconds)
        return ""

    def encryption(self, seconds: float) -> str:
        if self._settings.security == "tls":
            connect.encrypt_first(self._opened(seconds))
        elif self._settings.security == "starttls":
            connect.encrypt_now(self._greeted(seconds))
        else:
            return stages.MSGID_NOT_ENCRYPTED
        return ""

    def greeting(self, seconds: float) -> str:
        patience = min(_GREETING_SECONDS, self._settings.connect_timeout_seconds, seconds)
        self._client = connect.greet(self._opened(seconds), timeout_seconds=patience)
        return ""

    def sign_in(self, seconds: float) -> str:
        client = self._greeted(seconds)
        self._session = ImapSession(client.wire, connect.sign_in(client))
        return ""

    def folders(self, seconds: float) -> str:
        self._opened(seconds)
        found = self._session.list_folders() if self._session is not None else []
        return "" if any(folder.role == "sent" for folder in found) else MSGID_NO_SENT

    def _opened(self, seconds: float) -> Wire:
        if self._wire is None:
            raise AssertionError("stages run in order")
        self._wire.read_timeout_seconds = min(self._settings.read_timeout_seconds, seconds)
        return self._wire

    def _greeted(self, seconds: float) -> Client:
        if self._client is None:
            raise AssertionError("stages run in order")
        self._opened(seconds)
        return self._client


@contextlib.contextmanager
def _dialling() -> Iterator[None]:
    try:
        yield
    except DialError as error:
        raise not_connected(error) from error
