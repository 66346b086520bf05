"""A real SMTP server that keeps what it takes, with the manners a test asks for."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.rig.certificates import Certificate
from tests.rig.processes import free_port

Mode = Literal["ok", "temp", "perm", "drop", "drop_before_data", "slow"]
PASSWORD = "s3cret-Pa55"


@dataclass(frozen=True, kw_only=True)
class Taken:
    """One mail as it crossed the wire, dots unstuffed."""

    sender: str
    receivers: tuple[str, ...]
    raw: bytes
    options: tuple[str, ...]


class SmtpSink:
    """mode: ok; temp: 451 after DATA; perm: 554 after DATA; drop: takes the mail, then hangs up without an answer;
    drop_before_data: hangs up at MAIL; slow: answers DATA after slow_seconds.

    Receivers that begin with 'refused' get 550, with 'later' 451 while they are greylisted. Any user, one password. Sign-ins are counted.
    pipelining: offered, as nearly every server does.
    """

    def __init__(
        self,
        *,
        certificate: Certificate | None = None,
        tls: bool = False,
        size_limit: int = 33_554_432,
        pipelining: bool = True,
    ) -> None:
        self.mode: Mode = "ok"
        self.pipelining = pipelining
        self.greylisted = True
        self.password = PASSWORD
        self.slow_seconds = 1.0
        self.taken: list[Taken] = []
        self.sign_ins: list[bool] = []
        self._servers: set[SMTP] = set()
        self.port = free_port()
        context = None
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate.certificate_file, certificate.key_file)
        self._controller = Controller(
            self,
            hostname="127.0.0.1",
            port=self.port,
            ssl_context=context if tls else None,
            server_kwargs={
                "authenticator": self._authenticate,
                "auth_require_tls": False,
                "enable_SMTPUTF8": True,
                "data_size_limit": size_limit,
                "tls_context": None if tls else context,
            },
        )
        self._controller.start()

    def __enter__(self) -> SmtpSink:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def hang_up(self) -> None:
        """Close every open connection, at once; new ones are welcome."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._controller.loop).result()

    async def _hang_up(self) -> None:
        for server in self._servers:
            _abort(server)
        self._servers.clear()
        await asyncio.sleep(0)  # that long they take to close

    def stop(self) -> None:
        """Stop listening; what was taken stays."""
        self._controller.stop(no_assert=True)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]] if self.pipelining else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self._servers.add(server)
        if self.mode == "drop_before_data":
            _abort(server)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("refused"):
            return "550 5.1.1 No such user here"
        if self.greylisted and address.startswith("later"):
            return "451 4.7.1 Greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.mode == "temp":
            return "451 4.3.0 Try again later, disk is being mended"
        if self.mode == "perm":
            return "554 5.7.1 This looks like advertising"
        if self.mode == "slow":
            await asyncio.sleep(self.slow_seconds)
        raw = envelope.original_content or b""
        self.taken.append(
            Taken(
                sender=envelope.mail_from or "",
                receivers=tuple(envelope.rcpt_tos),
                raw=raw,
                options=tuple(envelope.mail_options),
            )
        )
        if self.mode == "drop":
            _abort(server)
        return f"250 2.0.0 Taken as {len(self.taken)}"

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth_data: Any
    ) -> AuthResult:
        right = isinstance(auth_data, LoginPassword) and auth_data.password == self.password.encode()
        self.sign_ins.append(right)
        return AuthResult(success=right, handled=False)


def _abort(server: SMTP) -> None:
    if server.transport is not None:
        server.transport.abort()
