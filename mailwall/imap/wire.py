"""The bytes of one IMAP connection: buffered reads with deadlines, counted. Socket errors become ImapErrors here.

Both imaplib (for sign-in) and our own reader read through it, so no byte is lost between them.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import time

from mailwall.imap.errors import ImapProtocolError, ImapTimeout, ImapTlsFailed, ImapUnreachable
from mailwall.net import dial
from mailwall.net.types import ServerSettings

MAX_LINE_BYTES = 32 * 1024 * 1024
MAX_LITERAL_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 256 * 1024
_SLOWEST_BYTES_PER_SECOND = 2048  # slower than that for longer than the read timeout is a stalled server


class Wire:
    """One connection. received_bytes and sent_bytes count what crossed it (before TLS)."""

    def __init__(
        self, sock: socket.socket, settings: ServerSettings, *, job_deadline_seconds: float | None = None
    ) -> None:
        self.sock = sock
        self.settings = settings
        self.received_bytes = 0
        self.sent_bytes = 0
        self.closed = False
        self.read_timeout_seconds = settings.read_timeout_seconds
        self._buffer = bytearray()
        self._start = 0
        self._job_deadline = None if job_deadline_seconds is None else time.monotonic() + job_deadline_seconds
        self._sign_of_life_seconds: float | None = None

    def expect_sign_of_life(self, seconds: float) -> None:
        """The next bytes must come within so many seconds, whatever the read timeout."""
        self._sign_of_life_seconds = seconds

    def set_job_deadline(self, seconds: float | None) -> None:
        """From now on all of it may take so long; None: no limit."""
        self._job_deadline = None if seconds is None else time.monotonic() + seconds

    @property
    def pending_bytes(self) -> int:
        """How much was received and not yet read."""
        return len(self._buffer) - self._start

    def send(self, raw: bytes) -> None:
        """Send all of it. Raises ImapTimeout or ImapUnreachable."""
        try:
            self.sock.settimeout(self._patience(self.read_timeout_seconds))
            self.sock.sendall(raw)
        except OSError as error:
            raise self._broken(error) from error
        self.sent_bytes += len(raw)

    def readline(self) -> bytes:
        """One line with its line end. Raises ImapError; never gives half a line."""
        end = self._line_end()
        line = bytes(self._buffer[self._start : end])
        self._start = end
        return line

    def peek_line(self) -> bytes:
        """The next line, left where it is; less than a line when it begins as a TLS record does (0x15 0x03)."""
        begin = time.monotonic()
        while self.pending_bytes < 2:
            self._receive(begin, 0)
        if self._buffer[self._start + 1] == 3:
            return bytes(self._buffer[self._start :])
        return bytes(self._buffer[self._start : self._line_end()])

    def _line_end(self) -> int:
        """Wait for a line end; gives the position behind it."""
        begin, got, seen_bytes = time.monotonic(), 0, 0
        while (end := self._buffer.find(b"\n", self._start + seen_bytes)) < 0:
            seen_bytes = self.pending_bytes
            if seen_bytes > MAX_LINE_BYTES:
                raise self.nonsense("line too long")
            got += self._receive(begin, got)
        return end + 1

    def read(self, size: int) -> bytes:
        """Exactly size bytes. Raises ImapError; a cut literal is never given."""
        if size > MAX_LITERAL_BYTES:
            raise self.nonsense("literal too long")
        begin, got = time.monotonic(), 0
        while self.pending_bytes < size:
            got += self._receive(begin, got)
        raw = bytes(self._buffer[self._start : self._start + size])
        self._start += size
        if size > _CHUNK_BYTES:  # a long text is not kept twice until the next answer
            del self._buffer[: self._start]
            self._start = 0
        return raw

    def read_into(self, target: memoryview) -> None:
        """Fill it, without a copy on the way where nothing was received ahead. Raises as read()."""
        got = min(self.pending_bytes, len(target))
        target[:got] = memoryview(self._buffer)[self._start : self._start + got]
        self._start += got
        begin = time.monotonic()
        while got < len(target):
            try:
                self._allow(begin, got)
                got += self._counted(self.sock.recv_into(target[got:]))
            except OSError as error:
                raise self._broken(error) from error

    def receive_available(self) -> bool:
        """Take what has arrived, without waiting (IDLE). Gives whether a whole line is there. Raises when closed."""
        try:
            self.sock.settimeout(0)
            while self._take(_CHUNK_BYTES):
                if self.pending_bytes > MAX_LINE_BYTES:
                    raise self.nonsense("line too long")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        except OSError as error:
            raise self._broken(error) from error
        return self._buffer.find(b"\n", self._start) >= 0

    def start_tls(self) -> None:
        """Encrypt from here on. What was received before is not trusted: its presence is an attack (CVE-2011-0411)."""
        where = {"host": self.settings.host}
        if self.pending_bytes:
            self.close()
            raise ImapTlsFailed(ImapTlsFailed.MSGID_INJECTED, where)
        self.sock = dial.wrap_tls(
            self.sock, self.settings, timeout_seconds=self._patience(self.settings.connect_timeout_seconds)
        )

    def close(self) -> None:
        """Hang up without a word; again does nothing."""
        self.closed = True
        with contextlib.suppress(OSError):
            self.sock.close()

    def nonsense(self, details: str) -> ImapProtocolError:
        """The error for an answer that cannot be read; the connection is of no use any more."""
        self.close()
        return ImapProtocolError(ImapProtocolError.MSGID, {"host": self.settings.host}, details=details)

    def _receive(self, begin: float, got: int) -> int:
        """Wait for some bytes; a stream slower than the slowest bearable counts as silence."""
        if self._start:
            del self._buffer[: self._start]
            self._start = 0
        try:
            self._allow(begin, got)
            count = self._take(_CHUNK_BYTES)
        except OSError as error:
            raise self._broken(error) from error
        return count

    def _allow(self, begin: float, got: int) -> None:
        """Let the socket wait as long as what began then, and has brought so many bytes, may still take."""
        allowed = self.read_timeout_seconds + got / _SLOWEST_BYTES_PER_SECOND
        if self._sign_of_life_seconds is not None:
            allowed = min(allowed, self._sign_of_life_seconds)
        self.sock.settimeout(self._patience(begin + allowed - time.monotonic()))

    def _take(self, size: int) -> int:
        raw = self.sock.recv(size)
        self._buffer += raw
        return self._counted(len(raw))

    def _counted(self, received: int) -> int:
        """Raises ImapUnreachable when nothing came: the server hung up."""
        if not received:
            self.close()
            raise ImapUnreachable(ImapUnreachable.MSGID_LOST, {"host": self.settings.host})
        self.received_bytes += received
        self._sign_of_life_seconds = None
        return received

    def _patience(self, seconds: float) -> float:
        """Seconds to wait at most: what is asked, or what is left of the job. Raises ImapTimeout when nothing is."""
        if self._job_deadline is not None:
            left = self._job_deadline - time.monotonic()
            if left <= 0:
                self.close()
                raise ImapTimeout(ImapTimeout.MSGID_JOB, {"host": self.settings.host})
            seconds = min(seconds, left)
        if seconds <= 0:
            raise TimeoutError
        return seconds

    def _broken(self, error: OSError) -> ImapTimeout | ImapUnreachable:
        self.close()
        where = {"host": self.settings.host}
        if isinstance(error, TimeoutError):
            if self._job_deadline is not None and time.monotonic() >= self._job_deadline:
                return ImapTimeout(ImapTimeout.MSGID_JOB, where)
            seconds = round(self.read_timeout_seconds)
            return ImapTimeout(ImapTimeout.MSGID, {**where, "seconds": seconds})
        return ImapUnreachable(ImapUnreachable.MSGID_LOST, where, details=error.strerror or "")
