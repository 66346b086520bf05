"""A scripted IMAP server for faults that no real server can be made to show.

It answers LOGIN, CAPABILITY, NOOP and LOGOUT by itself; all else, and any of these, as the script says.
"""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Mapping

from tests.fakes.listener import Listener

Answer = bytes | Callable[[bytes], bytes]

_OWN: Mapping[str, bytes] = {
    "CAPABILITY": b"* CAPABILITY {capabilities}\r\n{tag} OK done\r\n",
    "LOGIN": b"{tag} OK [CAPABILITY {capabilities}] signed in\r\n",
    "NOOP": b"{tag} OK done\r\n",
    "EXAMINE": b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n{tag} OK [READ-ONLY] done\r\n",
    "LOGOUT": b"* BYE bye\r\n{tag} OK done\r\n",
}


class ScriptedImap(Listener):
    """answers: regular expression over the command without its tag → raw bytes, {tag} and {capabilities} filled in.

    The first that matches counts; an answer that ends in b'HANGUP' closes the connection after what stands before.
    greeting: sent at once, b'' for silence. commands: what clients said, without tags.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        greeting: bytes = b"* OK ready\r\n",
        capabilities: bytes = b"IMAP4rev1",
    ) -> None:
        self.answers = dict(answers or {})
        self.greeting = greeting
        self.capabilities = capabilities
        self.commands: list[bytes] = []
        super().__init__()

    def serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, client.makefile("rb") as lines:
            client.sendall(self.greeting)
            for line in lines:
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                self.commands.append(command)
                raw = self._answer(command)
                raw = raw.replace(b"{tag}", tag).replace(b"{capabilities}", self.capabilities)
                client.sendall(raw.replace(b"HANGUP", b""))
                if raw.endswith(b"HANGUP"):
                    client.shutdown(socket.SHUT_RDWR)
                    return

    def _answer(self, command: bytes) -> bytes:
        text = command.decode("utf-8", "replace")
        for pattern, answer in self.answers.items():
            if re.match(pattern, text, re.IGNORECASE):
                return answer(command) if callable(answer) else answer
        return _OWN.get(text.split(" ")[0].upper(), b"{tag} BAD not in the script\r\n")
