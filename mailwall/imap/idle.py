"""IDLE: a server tells news by itself (RFC 2177). Made for a selector: nothing here waits longer than asked."""

from __future__ import annotations

import re
import select
import socket

from mailwall.imap.commands import Commands, Completion

RENEW_SECONDS = 28 * 60  # servers hang up after 30 minutes of it
REST_SECONDS = 1.0  # for an answer of which a line is here: a literal may be promised and never come
_NEWS = re.compile(rb"\* \d+ (EXISTS|EXPUNGE|FETCH)|\* VANISHED", re.IGNORECASE)


class Idle:
    """Between start() and stop() the server may speak at any time.

    Register `socket` with a selector; when it is readable call poll(). Every RENEW_SECONDS: stop(), start().
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    @property
    def socket(self) -> socket.socket:
        """For selectors only; never read from it."""
        return self._commands.wire.sock

    def start(self) -> bool:
        """Begin to idle; gives whether there were news already. Raises ImapError when the server refuses."""
        self._commands.start(b"IDLE")
        news = False
        while True:
            answer = self._commands.next()
            if isinstance(answer, Completion):
                raise self._commands.refused(answer)
            if answer.texts[0].startswith(b"+"):
                return news
            news |= bool(_NEWS.match(answer.texts[0]))

    def poll(self) -> bool:
        """Read what has arrived, without waiting; whether mail came, went or changed. Raises ImapError when cut off."""
        news = False
        wire = self._commands.wire
        while wire.receive_available():
            wire.set_job_deadline(REST_SECONDS)
            answer = self._commands.next()
            wire.set_job_deadline(None)
            if isinstance(answer, Completion):
                raise self._commands.refused(answer)
            news |= bool(_NEWS.match(answer.texts[0]))
        return news

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for news on this connection alone, at most so long."""
        if self.poll():
            return True
        readable, _, _ = select.select([self.socket], [], [], timeout_seconds)
        return self.poll() if readable else False

    def stop(self) -> bool:
        """End it, so that the session takes commands again; gives whether there were last news. Raises ImapError."""
        self._commands.wire.send(b"DONE\r\n")
        news = False
        while True:
            answer = self._commands.next()
            if isinstance(answer, Completion):
                return news
            news |= bool(_NEWS.match(answer.texts[0]))
