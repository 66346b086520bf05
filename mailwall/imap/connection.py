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

_GOODBYE_SECONDS = 2.0


class Connection:
    """One connection. batches_in_flight 1 turns pipelining off; it stays off after a server said BAD to it."""

    def __init__(self, wire: Wire, capabilities: frozenset[str]) -> None:
        self.wire = wire
        self.capabilities = capabilities
        self.batches_in_flight = 4
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
