"""A mail server that costs next to nothing: any user, any password, an empty INBOX, a round trip of its own length."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

_CAPABILITIES = b"IMAP4rev1 LIST-STATUS SASL-IR"
_LIST = b'* LIST (\\HasNoChildren) "/" INBOX\r\n'
_STATUS = b"* STATUS INBOX (MESSAGES 0 UIDNEXT 1 UIDVALIDITY 7)\r\n"
_ANSWERS = {
    b"CAPABILITY": b"* CAPABILITY " + _CAPABILITIES + b"\r\n",
    b"LIST": _LIST,
    b"STATUS": _STATUS,
    b"EXAMINE": b"* 0 EXISTS\r\n* OK [UIDVALIDITY 7] valid\r\n* OK [UIDNEXT 1] next\r\n",
    b"UID SEARCH": b"* SEARCH\r\n",
    b"LOGOUT": b"* BYE\r\n",
}


class StubImap:
    """Listens on one port of loopback addresses, in a thread. sessions: how often somebody signed in."""

    def __init__(self, hosts: Sequence[str], round_trip_seconds: float) -> None:
        self.sessions = 0
        self.port = 0
        self._hosts, self._round_trip_seconds = hosts, round_trip_seconds
        self._ready = threading.Event()
        threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True).start()
        if not self._ready.wait(10):
            raise RuntimeError("the stub did not start")

    async def _serve(self) -> None:
        first = await asyncio.start_server(self._talk, self._hosts[0], 0, backlog=500)
        self.port = first.sockets[0].getsockname()[1]
        if len(self._hosts) > 1:
            await asyncio.start_server(self._talk, list(self._hosts[1:]), self.port, backlog=500)
        self._ready.set()
        await asyncio.Event().wait()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK [CAPABILITY " + _CAPABILITIES + b"] ready\r\n")
        try:
            while line := await reader.readline():
                tag, _, command = line.strip().partition(b" ")
                name = b" ".join(command.upper().split()[: 2 if command[:3].upper() == b"UID" else 1])
                await asyncio.sleep(self._round_trip_seconds)
                self.sessions += name in (b"LOGIN", b"AUTHENTICATE")
                told = _ANSWERS.get(name, b"")
                if name == b"LIST" and b"STATUS" in command.upper():
                    told += _STATUS
                writer.write(told + tag + b" OK [CAPABILITY " + _CAPABILITIES + b"] done\r\n")
                if name == b"LOGOUT":
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
