"""A signed-in IMAP connection: list folders, examine, search, fetch, stream, append, idle.

Reading changes nothing on the server: EXAMINE and BODY.PEEK only. The one write is append(). All errors are ImapErrors;
after ImapTimeout, ImapUnreachable and ImapProtocolError with `closed` set the session is of no use any more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from mailwall.imap import connect, idle
from mailwall.imap.changes import Following
from mailwall.imap.commands import quoted
from mailwall.imap.dates import format_internaldate
from mailwall.imap.errors import ImapFolderGone, not_connected
from mailwall.imap.selecting import Selecting
from mailwall.imap.wire import Wire
from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.types import ServerSettings

_APPENDUID = re.compile(r"\[APPENDUID (\d+) (\d+)\]", re.IGNORECASE)


def open_session(settings: ServerSettings, *, job_deadline_seconds: float | None = None) -> ImapSession:
    """Dial, encrypt, sign in. Use as a context manager. job_deadline_seconds bounds all that is done with it.

    Nothing secret is sent before TLS is verified, unless security is 'none'. Raises ImapError.
    """
    try:
        sock = dial.dial(settings)
    except DialError as error:
        raise not_connected(error) from error
    wire = Wire(sock, settings, job_deadline_seconds=job_deadline_seconds)
    try:
        if settings.security == "tls":
            connect.encrypt_first(wire)
        client = connect.greet(wire, timeout_seconds=settings.connect_timeout_seconds)
        if settings.security == "starttls":
            connect.encrypt_now(client)
        capabilities = connect.sign_in(client)
    except BaseException:
        wire.close()
        raise
    return ImapSession(wire, capabilities)


class ImapSession(Selecting, Following):
    """One connection with all that can be asked: of connection, messages, searching, changes, selecting, and here."""

    def append(
        self, raw_name: bytes, raw_message: bytes, *, flags: Sequence[str] = (), internaldate: datetime | None = None
    ) -> tuple[int, int] | None:
        """Put a message into a folder: (uidvalidity, uid) where the server tells (UIDPLUS), else None.

        Never creates a folder: ImapFolderGone when it is not there (TRYCREATE).
        """
        words = b" ".join(flag.encode("ascii") for flag in flags)
        when = b" " + format_internaldate(internaldate) if internaldate is not None else b""
        head = b"APPEND " + quoted(raw_name) + b" (" + words + b")" + when
        done = self._commands.run_with_literal(head, raw_message)
        if done.status != "OK":
            refusal = self._commands.refused(done)
            if "[TRYCREATE]" in done.words.upper() or "[NONEXISTENT]" in done.words.upper():
                raise ImapFolderGone(ImapFolderGone.MSGID, details=refusal.details)
            raise refusal
        told = _APPENDUID.search(done.words)
        return (int(told.group(1)), int(told.group(2))) if told else None

    def idle(self) -> idle.Idle:
        """Wait for news without asking (RFC 2177); see Idle. The session may do nothing else meanwhile."""
        return idle.Idle(self._commands)
