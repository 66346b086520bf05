"""Read by gunicorn (`--config python:…`): how long a request's first line may be, and how long it may take to arrive.

gunicorn takes 8,190 bytes at most, and its only other choice is no limit at all; a search of 10,000 letters is 60 kB
once it is encoded, and must get an answer in our own form. For a client that begins a request and then falls silent it
waits for ever, with a thread each: as many of them as there are threads, and nobody else is served.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time

from gunicorn.http import message, parser
from gunicorn.http.unreader import SocketUnreader

limit_request_line = message.MAX_REQUEST_LINE = 128 * 1024

PATIENCE_SECONDS = 10.0
SLOWEST_BYTES_PER_SECOND = 4096


class PatientUnreader(SocketUnreader):  # type: ignore[misc]
    """Waits for a client PATIENCE_SECONDS in all, and longer for one that sends something worth the wait."""

    waited_seconds = 0.0
    received_bytes = 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """:raises ConnectionResetError: the client took too long; never half a body that looks whole."""
        left = PATIENCE_SECONDS + self.received_bytes / SLOWEST_BYTES_PER_SECOND - self.waited_seconds
        theirs, begin = self.sock.gettimeout(), time.monotonic()
        is_ours = theirs is None or left < theirs
        try:
            self.sock.settimeout(max(0.001, left) if is_ours else theirs)
            raw: bytes = super().chunk(size_hint)
        except TimeoutError:
            if not is_ours:
                raise
            with contextlib.suppress(OSError):  # else gunicorn's one loop waits two seconds for this client to hang up
                self.sock.shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError(errno.ECONNRESET, "the client is too slow") from None
        finally:
            self.sock.settimeout(theirs)
            self.waited_seconds += time.monotonic() - begin
        self.received_bytes += len(raw)
        return raw


parser.SocketUnreader = PatientUnreader
