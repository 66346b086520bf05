"""From settings to a signed-in SMTP connection, phase by phase: dial, encrypt, greet, sign in (RFC 5321, 6409, 4954).

smtplib speaks over our own socket and line reader: it never dials, and every answer has a deadline.
"""

from __future__ import annotations

import base64
import contextlib
import math
import select
import smtplib
import socket
import ssl
import time
from collections.abc import Iterator

from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings
from mailwall.smtp.errors import (
    SmtpBusy,
    SmtpError,
    SmtpLoginRefused,
    SmtpProtocolError,
    SmtpTimeout,
    SmtpTlsFailed,
    SmtpUnreachable,
    not_connected,
    sign_in_refused,
)

SLOWEST_BYTES_PER_SECOND = 16 * 1024
_MAX_LINE_BYTES = 64 * 1024


class _Lines:
    """Answer lines with one deadline each, however slowly they drip; smtplib reads from it as from a file."""

    def __init__(self, sock: socket.socket, patience_seconds: float, job_ends_at: float) -> None:
        self.sock = sock
        self.patience_seconds = patience_seconds
        self.job_ends_at = job_ends_at
        self._buffer = bytearray()

    @property
    def pending_bytes(self) -> int:
        return len(self._buffer)

    def readline(self, limit: int = -1) -> bytes:
        began_at = time.monotonic()
        deadline = min(began_at + self.patience_seconds, self.job_ends_at)
        if began_at >= deadline:
            raise TimeoutError
        while (end := self._buffer.find(b"\n")) < 0 and len(self._buffer) < _MAX_LINE_BYTES:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.sock.settimeout(left)
            raw = self.sock.recv(8192)
            if not raw:
                return b""
            self._buffer += raw
            if self._buffer[1:2] == b"\x03":  # a TLS alert has no line end
                break
        size = end + 1 if end >= 0 else len(self._buffer)
        line = bytes(self._buffer[:size])
        del self._buffer[:size]
        return line

    def close(self) -> None:
        """The socket is closed by its owner."""


class Client(smtplib.SMTP):
    """smtplib over a socket of ours."""

    def __init__(self, sock: socket.socket, settings: ServerSettings) -> None:
        super().__init__(local_hostname=_own_name(sock), timeout=settings.read_timeout_seconds)
        self.settings = settings
        self.closed = False
        self.unsent_bytes = 0
        self._attach(sock)

    def _attach(self, sock: socket.socket, job_ends_at: float = math.inf) -> None:
        self.sock = sock
        self.lines = _Lines(sock, self.settings.read_timeout_seconds, job_ends_at)
        self.file = self.lines
        self.helo_resp = self.ehlo_resp = None
        self.esmtp_features = {}
        self.does_esmtp = False

    def set_patience(self, seconds: float) -> None:
        """How long each answer may take from here on."""
        self.lines.patience_seconds = seconds

    def set_job_deadline(self, seconds: float | None) -> None:
        """From now on all answers together may take so long, however many lines they have; None: no limit."""
        self.lines.job_ends_at = math.inf if seconds is None else time.monotonic() + seconds

    def send(self, s: bytes | str) -> None:  # type: ignore[override]
        """Send all of it; a long message may take its time, a stalled one may not.

        What raises has not sent the last byte, and unsent_bytes tells how many: smtplib's way (`sendall`) would not.
        """
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("closed")
        left = memoryview(s.encode("utf-8") if isinstance(s, str) else s)
        self.unsent_bytes = len(left)
        deadline = time.monotonic() + self.lines.patience_seconds + len(left) / SLOWEST_BYTES_PER_SECOND
        while left:
            self.sock.settimeout(max(0.001, deadline - time.monotonic()))
            left = left[self.sock.send(left) :]
            self.unsent_bytes = len(left)

    @property
    def spoke_out_of_turn(self) -> bool:
        """Whether something came that nobody waits for: a 421, or the end of the connection."""
        if self.sock is None or self.lines.pending_bytes:
            return True
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        poll = select.poll()
        poll.register(self.sock, select.POLLIN)
        return bool(poll.poll(0))

    def getreply(self) -> tuple[int, bytes]:
        """As smtplib's; a connection that ends is ConnectionResetError."""
        try:
            return super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise error.__context__ from None
            raise ConnectionResetError(str(error)) from None

    def close(self) -> None:
        self.closed = True
        super().close()

    def encrypt(self) -> None:
        """STARTTLS, then EHLO anew: what was said in the clear counts for nothing (RFC 3207 §4.2)."""
        where = {"host": self.settings.host, "port": self.settings.port}
        if not self.has_extn("starttls"):
            raise SmtpTlsFailed(SmtpTlsFailed.MSGID_NO_STARTTLS, where)
        status, words = self.docmd("STARTTLS")
        if status != 220:
            details = masked(_as_text(words), self.settings)
            raise SmtpTlsFailed(SmtpTlsFailed.MSGID_STARTTLS_REFUSED, where, details=details)
        if self.lines.pending_bytes:
            self.close()
            raise SmtpTlsFailed(SmtpTlsFailed.MSGID_INJECTED, where)
        self._attach(dial.wrap_tls(self.lines.sock, self.settings), self.lines.job_ends_at)
        self.ehlo_or_helo_if_needed()


def greet(sock: socket.socket, settings: ServerSettings, *, timeout_seconds: float, job_seconds: float) -> Client:
    """Read the greeting and say EHLO; neither encrypted by STARTTLS nor signed in. Raises SmtpError.

    job_seconds: for this and all that follows, until set_job_deadline().
    """
    client = Client(sock, settings)
    client.set_job_deadline(job_seconds)
    where = {"host": settings.host, "port": settings.port}
    client.set_patience(timeout_seconds)
    with translated(settings, client):
        try:
            status, words = client.getreply()
        except TimeoutError as silence:
            client.close()
            if settings.security != "tls" and dial.speaks_tls(settings):
                raise SmtpTlsFailed(SmtpTlsFailed.MSGID_SILENT_TLS_PORT, where) from silence
            seconds = round(timeout_seconds)
            raise SmtpTimeout(SmtpTimeout.MSGID, {**where, "seconds": seconds}) from None
        if status in (421, 450, 451, 452, 454):
            raise SmtpBusy(SmtpBusy.MSGID, details=masked(f"{status} {_as_text(words)}", settings))
        if status != 220:
            raise SmtpProtocolError(SmtpProtocolError.MSGID_NOT_SMTP, where)
        client.ehlo_or_helo_if_needed()
    client.set_patience(settings.read_timeout_seconds)
    return client


def encrypt_now(client: Client) -> None:
    """TLS after the greeting, for security 'starttls'. Raises SmtpError."""
    with translated(client.settings, client):
        client.encrypt()


def encrypt_first(sock: socket.socket, settings: ServerSettings) -> socket.socket:
    """TLS from the first byte, for security 'tls'. Raises SmtpError."""
    try:
        return dial.wrap_tls(sock, settings)
    except DialError as error:
        raise not_connected(error) from error


def sign_in(client: Client) -> None:
    """AUTH PLAIN, else LOGIN (UTF-8), else what smtplib knows. No user name: no sign-in. Raises SmtpError."""
    settings = client.settings
    if not settings.username:
        return
    offered = client.esmtp_features.get("auth", "").upper().split()
    plain = f"\0{settings.username}\0{settings.password}".encode()
    with translated(settings, client):
        if "PLAIN" in offered:
            status, words = client.docmd("AUTH", "PLAIN " + base64.b64encode(plain).decode("ascii"))
        elif "LOGIN" in offered:
            status, words = client.docmd("AUTH", "LOGIN")
            for answer in (settings.username, settings.password):
                if status == 334:
                    status, words = client.docmd(base64.b64encode(answer.encode()).decode("ascii"))
        elif "CRAM-MD5" in offered:
            status, words = _cram_md5(client)
        else:
            raise SmtpLoginRefused(SmtpLoginRefused.MSGID_NOT_OFFERED, {"host": settings.host})
    if status not in (235, 503):  # 503: already signed in
        raise sign_in_refused(status, _as_text(words), settings)


def _cram_md5(client: Client) -> tuple[int, bytes]:
    client.user, client.password = client.settings.username, client.settings.password
    try:
        return client.auth("CRAM-MD5", client.auth_cram_md5, initial_response_ok=False)
    except smtplib.SMTPAuthenticationError as error:
        return error.smtp_code, error.smtp_error if isinstance(error.smtp_error, bytes) else b""


@contextlib.contextmanager
def translated(settings: ServerSettings, client: Client | None = None) -> Iterator[None]:
    """Turn what smtplib, sockets and the dialler raise into SmtpErrors; the connection is closed then."""
    where = {"host": settings.host}
    try:
        yield
    except SmtpError:
        raise
    except DialError as error:
        _close(client)
        raise not_connected(error) from error
    except TimeoutError as error:
        _close(client)
        seconds = round(settings.read_timeout_seconds)
        raise SmtpTimeout(SmtpTimeout.MSGID, {**where, "seconds": seconds}) from error
    except smtplib.SMTPException as error:  # first: it is an OSError too
        _close(client)
        raise SmtpProtocolError(SmtpProtocolError.MSGID, where, details=type(error).__name__) from None
    except OSError as error:
        _close(client)
        raise SmtpUnreachable(SmtpUnreachable.MSGID_LOST, where, details=error.strerror or "") from error
    except ValueError as error:
        _close(client)
        raise SmtpProtocolError(SmtpProtocolError.MSGID, where) from error


def _close(client: Client | None) -> None:
    if client is not None:
        client.close()


def _own_name(sock: socket.socket) -> str:
    """An address literal for EHLO (RFC 5321 §4.1.3): our own host name would need a name service."""
    ip = str(sock.getsockname()[0])
    return f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"


def _as_text(words: bytes) -> str:
    return words.decode("utf-8", "replace").strip()
