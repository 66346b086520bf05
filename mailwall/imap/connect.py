"""From settings to a signed-in connection, phase by phase: dial, encrypt, greet, sign in (RFC 3501, 8314).

imaplib and imapclient speak here, over our own Wire: they never dial, never log, and never see a byte before we do.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
from collections.abc import Iterator

from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientError

from mailwall.imap.errors import (
    ImapBusy,
    ImapError,
    ImapLoginRefused,
    ImapProtocolError,
    ImapTimeout,
    ImapTlsFailed,
    ImapUnreachable,
    is_busy,
    not_connected,
    sign_in_refused,
)
from mailwall.imap.wire import Wire
from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings

_TLS_RECORD = (b"\x15\x03", b"\x16\x03")
_CAPABILITY_CODE = re.compile(rb"\[CAPABILITY ([^\]]+)\]", re.IGNORECASE)


class _WiredImap4(imaplib.IMAP4):
    """imaplib over our Wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        super().__init__("", 0)

    def open(self, host: str = "", port: int = 0, timeout: float | None = None) -> None:
        self.host, self.port, self.sock = host, port, self.wire.sock

    def read(self, size: int) -> bytes:
        return self.wire.read(size)

    def readline(self) -> bytes:
        return self.wire.readline()

    def send(self, data: bytes) -> None:  # type: ignore[override]
        self.wire.send(data)

    def shutdown(self) -> None:
        self.wire.close()

    def _get_capabilities(self) -> None:
        """Take what the greeting offers; ask only when it does not say (saves a round trip)."""
        told = told_capabilities(self.welcome)
        self.untagged_responses.pop("CAPABILITY", None)
        if told:
            self.capabilities = tuple(sorted(told))
        else:
            super()._get_capabilities()  # type: ignore[misc]


class Client(IMAPClient):
    """imapclient over our Wire; logs nothing, for its log would hold mail."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        super().__init__(wire.settings.host, wire.settings.port, ssl=False)
        self._imap.debug = 0

    def _create_IMAP4(self) -> _WiredImap4:
        return _WiredImap4(self.wire)

    def _set_read_timeout(self) -> None:
        """The Wire sets a time-out for every read."""

    @property
    def signed_in_by_greeting(self) -> bool:
        return bool(self._imap.state == "AUTH")

    def encrypt(self) -> None:
        """STARTTLS (RFC 3501 §6.2.1), then capabilities anew: what was said in the clear counts for nothing."""
        settings = self.wire.settings
        where = {"host": settings.host, "port": settings.port}
        if b"STARTTLS" not in self.capabilities():
            raise ImapTlsFailed(ImapTlsFailed.MSGID_NO_STARTTLS, where)
        status, words = self._imap._simple_command("STARTTLS")
        if status != "OK":
            details = masked(_as_text(words[-1] if words else b""), settings)
            raise ImapTlsFailed(ImapTlsFailed.MSGID_STARTTLS_REFUSED, where, details=details)
        self.wire.start_tls()
        self._imap.sock = self.wire.sock
        self._imap.untagged_responses = {}
        self._starttls_done = True
        self._cached_capabilities = None


def encrypt_first(wire: Wire) -> None:
    """TLS from the first byte, for security 'tls'. Raises ImapError."""
    with translated(wire.settings):
        wire.start_tls()


def greet(wire: Wire, *, timeout_seconds: float | None = None) -> Client:
    """Read the greeting; gives a client that has neither encrypted nor signed in. Raises ImapError."""
    settings = wire.settings
    patience, wire.read_timeout_seconds = wire.read_timeout_seconds, timeout_seconds or wire.read_timeout_seconds
    try:
        greeting = wire.peek_line()
    except ImapTimeout as silence:
        if settings.security != "tls" and dial.speaks_tls(settings):
            where = {"host": settings.host, "port": settings.port}
            raise ImapTlsFailed(ImapTlsFailed.MSGID_SILENT_TLS_PORT, where) from silence
        raise
    finally:
        wire.read_timeout_seconds = patience
    _check_greeting(greeting, wire)
    with translated(settings):
        return Client(wire)


def encrypt_now(client: Client) -> None:
    """TLS after the greeting, for security 'starttls'. Raises ImapError."""
    with translated(client.wire.settings):
        client.encrypt()


def sign_in(client: Client) -> frozenset[str]:
    """Sign in by LOGIN, or AUTHENTICATE PLAIN for what LOGIN cannot carry; gives the capabilities after it.

    Raises ImapLoginRefused, ImapTlsFailed (login disabled), ImapBusy or another ImapError.
    """
    settings = client.wire.settings
    if any(char in settings.username + settings.password for char in "\r\n\0"):
        raise ImapLoginRefused(ImapLoginRefused.MSGID_CHARACTERS)
    if not client.signed_in_by_greeting:
        with translated(settings):
            offered = {name.decode("ascii", "replace") for name in client.capabilities()}
            try:
                told = told_capabilities(_authenticate(client, offered, settings))
                if told:
                    return told
            except imaplib.IMAP4.abort:
                raise
            except (imaplib.IMAP4.error, IMAPClientError) as error:
                raise sign_in_refused(_words_of(error), settings) from None  # its text may hold the command
    with translated(settings):
        client._cached_capabilities = None
        return frozenset(name.decode("ascii", "replace").upper() for name in client.capabilities())


def told_capabilities(words: object) -> frozenset[str]:
    """Capabilities that an OK or a greeting carries along (RFC 3501 §7.1), empty when it does not."""
    found = _CAPABILITY_CODE.search(words) if isinstance(words, bytes) else None
    return frozenset(found.group(1).decode("ascii", "replace").upper().split()) if found else frozenset()


def _authenticate(client: Client, offered: set[str], settings: ServerSettings) -> object:
    """Sign in; gives the words of the server's OK."""
    simple = settings.username.isascii() and settings.password.isascii()
    plain_offered = "AUTH=PLAIN" in offered
    if "LOGINDISABLED" in offered and not plain_offered:
        raise ImapTlsFailed(ImapTlsFailed.MSGID_LOGIN_DISABLED)
    if plain_offered and (not simple or "LOGINDISABLED" in offered):
        return client.plain_login(settings.username, settings.password)
    if simple:
        return client.login(settings.username, settings.password)
    raise ImapLoginRefused(ImapLoginRefused.MSGID)


def _check_greeting(greeting: bytes, wire: Wire) -> None:
    settings = wire.settings
    where = {"host": settings.host, "port": settings.port}
    upper = greeting[:12].upper()
    if greeting.startswith(_TLS_RECORD):
        raise ImapTlsFailed(ImapTlsFailed.MSGID_SILENT_TLS_PORT, where)
    if upper.startswith(b"* BYE"):
        words = _as_text(greeting[5:])
        if is_busy(words):
            raise ImapBusy(ImapBusy.MSGID, details=masked(words, settings))
        raise ImapUnreachable(ImapUnreachable.MSGID_LOST, where, details=masked(words, settings))
    if upper.startswith(b"* PREAUTH") and settings.security == "starttls":
        raise ImapTlsFailed(ImapTlsFailed.MSGID_PREAUTH, where)
    if not upper.startswith((b"* OK", b"* PREAUTH")):
        raise ImapProtocolError(ImapProtocolError.MSGID_NOT_IMAP, where)


@contextlib.contextmanager
def translated(settings: ServerSettings) -> Iterator[None]:
    """Turn what imaplib, imapclient and the dialler raise into ImapErrors."""
    where = {"host": settings.host}
    try:
        yield
    except DialError as error:
        raise not_connected(error) from error
    except imaplib.IMAP4.abort as error:
        words = _words_of(error)
        if is_busy(words):
            raise ImapBusy(ImapBusy.MSGID, details=masked(words, settings)) from None
        raise ImapUnreachable(ImapUnreachable.MSGID_LOST, where, details=masked(words, settings)) from None
    except (imaplib.IMAP4.error, IMAPClientError, ValueError) as error:
        details = masked(_words_of(error), settings)
        raise ImapProtocolError(ImapProtocolError.MSGID, where, details=details) from None


def _words_of(error: Exception) -> str:
    """The server's words out of an imaplib error, whose text may be the repr of bytes."""
    for cause in (error.__context__, error):
        if cause is not None and not isinstance(cause, ImapError) and cause.args:
            return _as_text(cause.args[0])
    return ""


def _as_text(words: object) -> str:
    return words.decode("utf-8", "replace").strip() if isinstance(words, bytes) else str(words).strip()
