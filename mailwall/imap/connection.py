"""A signed-in connection: what it can do, whether it lives, how it ends. What is asked on it: the classes above."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from mailwall.imap import reader
from mailwall.imap.commands import Commands
from mailwall.imap.errors import ImapError
from mailwall.imap.wire import Wire

SIGN_OF_LIFE_SECONDS = 5.0
_GOODBYE_SECONDS = 2.0


class Connection:
    """One connection. batches_in_flight 1 turns pipelining off; it stays off after a server said BAD to it."""

    def __init__(self, wire: Wire, capabilities: frozenset[str]) -> None:
        self.wire = wire
        self.capabilities = capabilities
        self.batches_in_flight = 4
        self.has_open_folder = False
        self._commands = Commands(wire)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self.wire.closed

    def close(self) -> None:
        """Log out politely, at most for a moment, and hang up. Again does nothing."""
        if self.wire.closed:
            return
        self.wire.read_timeout_seconds = _GOODBYE_SECONDS
        self._commands.leaving = True
        with contextlib.suppress(ImapError):
            self._commands.run(b"LOGOUT")
        self.wire.close()

    def hang_up(self) -> None:
        """Say goodbye, wait for no answer, and hang up. Again does nothing."""
        if not self.wire.closed:
            self.wire.set_job_deadline(_GOODBYE_SECONDS)
            with contextlib.suppress(ImapError):
                self._commands.start(b"LOGOUT")
            self.wire.close()

    def rest(self) -> bool:
        """Get ready to be kept: no folder open, no answer left to come. False: it cannot be. Raises ImapError."""
        if self.closed or not self._commands.is_idle:
            return False
        if self.has_open_folder:
            if "UNSELECT" not in self.capabilities:  # RFC 3691; CLOSE would expunge, were the folder not read-only
                return False
            self._commands.run_ok(b"UNSELECT")
            self.has_open_folder = False
        self.wire.set_job_deadline(None)
        return self.is_quiet

    @property
    def is_quiet(self) -> bool:
        """Whether a connection at rest still lives and nothing has come on it: most often that is a goodbye."""
        with contextlib.suppress(ImapError):
            self.wire.receive_available()
        return not self.closed and not self.wire.pending_bytes

    def wake(self, *, job_deadline_seconds: float) -> bool:
        """Use a connection at rest again; costs no round trip. False: it is gone.

        NOOP goes ahead of the first command, so that the server tells how things stand now. The first answer must come
        soon: a router may have forgotten the connection, and nobody tells.
        """
        if not self.is_quiet:
            return False
        self.wire.set_job_deadline(job_deadline_seconds)
        self.wire.expect_sign_of_life(SIGN_OF_LIFE_SECONDS)
        self._commands.put_ahead(b"NOOP")
        return True

    def noop(self) -> None:
        """Ask whether the connection still lives. Raises ImapError when not."""
        self._commands.run_ok(b"NOOP")

    @property
    def _has_condstore(self) -> bool:
        return bool(self.capabilities & {"CONDSTORE", "QRESYNC"})

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except reader.Unreadable as error:
            raise self.wire.nonsense(str(error)) from error
