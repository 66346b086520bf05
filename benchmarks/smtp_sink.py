"""An SMTP server for measuring, as a process of its own: `python -m benchmarks.smtp_sink [FOLDER]`. Prints its port.

With a folder it stores each mail there as a file and fsyncs it before it answers 250, as a server that takes over the
responsibility for a mail must (RFC 5321 §6.1); without one it forgets what it read. Anybody may sign in, `NOOP` answers
with the number of mails taken.
Like the servers that people have it offers PIPELINING (RFC 2920).
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session


class Handler:
    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.taken = 0

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken += 1
        if self.folder is not None:
            raw = envelope.original_content or b""
            await asyncio.to_thread(_store, self.folder / f"{self.taken}.eml", raw)
        return "250 2.0.0 Taken"

    async def handle_NOOP(self, server: SMTP, session: Session, envelope: Envelope, argument: str) -> str:
        return f"250 {self.taken}"


def _store(path: Path, raw: bytes) -> None:
    with path.open("wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())


async def serve(folder: Path | None) -> None:
    handler = Handler(folder)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(
            handler,
            hostname="127.0.0.1",
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=lambda *_: AuthResult(success=True),
            loop=loop,
        ),
        "127.0.0.1",
        0,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
