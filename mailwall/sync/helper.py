"""A process that interprets fetched mail, so that a long import uses two processors: ours reads the wire and writes.

It knows no database, no setting and no password, and its memory is limited. Only speed depends on it: while it starts,
when it dies or does not answer, messages are interpreted here. It has one chunk at a time and has given all of it back
before it gets the next, so that never both sides wait for the other to read.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from mailwall.imap.errors import ImapError
from mailwall.imap.types import FetchedMessage
from mailwall.sync import interpreting
from mailwall.sync.interpreting import InterpretAll, Reading, Scope

logger = logging.getLogger(__name__)

MIN_MESSAGES = 1_000  # its start costs as much as interpreting so many
CHUNK_MESSAGES = 100
CHUNK_BYTES = 1_000_000
HEAVY_BYTES = 4_000_000  # not worth a second copy in memory
MEMORY_BYTES = 1024 * 1024 * 1024
PATIENCE_SECONDS = 60
_END_SECONDS = 5.0

_PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
#: each takes a processor; this process needs one as well
_places = threading.BoundedSemaphore(max(1, _PROCESSORS - 1))


@contextlib.contextmanager
def for_import(messages: int) -> Iterator[InterpretAll]:
    """What interprets an import of so many messages: a helper where it pays and a processor is free, else we do."""
    if messages < MIN_MESSAGES or _PROCESSORS < 2 or not _places.acquire(blocking=False):
        yield interpreting.interpret_all
        return
    try:
        with Helper() as helper:
            yield helper.interpret_all
    finally:
        _places.release()


class Helper:
    """The process, from here. Use as a context manager, by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._channel, theirs = Pipe()
        self._is_ready = False
        self._asked: Sequence[FetchedMessage] = ()
        _limit_waiting(self._channel)
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- ourselves
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
            )
        except OSError:
            self._give_up("helper cannot be started")
        finally:
            theirs.close()

    def __enter__(self) -> Helper:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()
        if self._process is not None:
            self._end(_END_SECONDS)

    def interpret_all(self, fetched: Iterable[FetchedMessage], scope: Scope) -> Iterator[Reading]:
        """Readings in the order of the messages; a chunk is interpreted while the next one is fetched."""
        try:
            for chunk in _chunks(fetched):
                done = self._answers(scope)
                now = () if self._ask(chunk, scope) else interpreting.interpret_all(chunk, scope)
                yield from done
                yield from now
        except ImapError:
            yield from self._answers(scope)  # what was read before is complete
            raise
        else:
            yield from self._answers(scope)
        finally:
            if self._asked:  # who asked does not want it any more
                self._answers(scope)

    def _ask(self, chunk: Sequence[FetchedMessage], scope: Scope) -> bool:
        """Hand a chunk over; False: we have to do it."""
        if self._process is None or sum(map(_weight_bytes, chunk)) > HEAVY_BYTES:
            return False
        try:
            self._is_ready = self._is_ready or (self._channel.poll() and self._channel.recv() == "ready")
            if self._is_ready:
                self._channel.send((chunk, scope))
                self._asked = chunk
        except (OSError, EOFError, pickle.PickleError):
            self._give_up("helper is gone")
        return bool(self._asked)

    def _answers(self, scope: Scope) -> Iterable[Reading]:
        """Of the chunk that was asked for last."""
        asked, self._asked = self._asked, ()
        if not asked:
            return ()
        try:
            readings: list[Reading] = self._channel.recv()
        except (OSError, EOFError, pickle.PickleError):
            self._give_up("helper does not answer")
            return interpreting.interpret_all(asked, scope)
        return [
            # once more here, where it is logged why
            interpreting.interpret(message, scope) if reading.rule == interpreting.NOT_PARSABLE else reading
            for message, reading in zip(asked, readings, strict=True)
        ]

    def _give_up(self, event: str) -> None:
        logger.warning(event, extra={"exit_code": self._process.poll() if self._process else None})
        if self._process is not None:
            self._end(0)

    def _end(self, seconds: float) -> None:
        """It ends when the channel is closed; who does not within that time is killed."""
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _limit_waiting(channel: Connection) -> None:
    """A side that neither reads nor writes for so long becomes an OSError."""
    limit = struct.pack("ll", PATIENCE_SECONDS, 0)  # a timeval
    with socket.socket(fileno=os.dup(channel.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)


def _chunks(fetched: Iterable[FetchedMessage]) -> Iterator[list[FetchedMessage]]:
    """Raises what fetching raises, once all that came before it has been given."""
    chunk: list[FetchedMessage] = []
    weight = 0
    try:
        for message in fetched:
            chunk.append(message)
            weight += _weight_bytes(message)
            if len(chunk) >= CHUNK_MESSAGES or weight >= CHUNK_BYTES:
                yield chunk
                chunk, weight = [], 0
    except ImapError:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _weight_bytes(message: FetchedMessage) -> int:
    return len(message.raw_header) + len(message.raw_whole or b"") + sum(map(len, message.raw_sections.values()))


def main(channel: Connection) -> None:
    """The process itself: answers until the channel is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is our parent's to handle
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable()  # what cannot be parsed is parsed once more where logs are kept
    channel.send("ready")
    with contextlib.suppress(EOFError, OSError):
        while True:
            chunk, scope = channel.recv()
            channel.send([interpreting.interpret(message, scope) for message in chunk])


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
