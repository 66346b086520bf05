"""The demo's post office: IMAP, SMTP, and the people outside who write and answer. One process, one event loop."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from mailwall.demo import envelopes, imap_server, story
from mailwall.demo.story import Correspondent

logger = logging.getLogger(__name__)

REPLY_AFTER_SECONDS = 15.0
FIRST_NEWS_SECONDS, NEWS_GROW_SECONDS, NEWS_AT_MOST_SECONDS = 30.0, 30.0, 1200.0


class PostOffice:
    """Takes what is sent: to one of ours into their INBOX, to a customer for an answer, else it bounces."""

    def __init__(self, boxes: dict[str, imap_server.Mailboxes], password: str, *, reply_after_seconds: float) -> None:
        self._boxes = boxes
        self._password = password
        self._reply_after_seconds = reply_after_seconds
        self._outside = {person.address: person for person in [*story.customers(), *story.strangers()]}
        self._users = {person.address: person for person in story.users()}
        self._running: set[asyncio.Task[None]] = set()
        self._replies = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        raw = envelope.original_content or b""
        for receiver in envelope.rcpt_tos:
            self._later(self._hand_over(raw, (envelope.mail_from or "").lower(), receiver.lower()))
        return "250 2.0.0 Taken"

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, _how: str, given: Any) -> AuthResult:
        right = isinstance(given, LoginPassword) and given.password == self._password.encode()
        return AuthResult(success=right and given.login.decode() in self._boxes, handled=False)

    async def bring_news(self, told: Path, *, first_seconds: float = FIRST_NEWS_SECONDS) -> None:
        """Somebody writes now and then: soon at first, so that one sees it, then less and less often.

        told: the file that counts what has come, so that a new start goes on with the next one.
        """
        number, pause = int(told.read_text()) if told.exists() else 0, first_seconds
        while True:
            await asyncio.sleep(pause)
            letter = story.fresh(number, datetime.now(UTC))
            number, pause = number + 1, min(pause + NEWS_GROW_SECONDS, NEWS_AT_MOST_SECONDS)
            told.write_text(str(number))
            await self._boxes[letter.to.address].deliver(envelopes.raw_mail(letter), letter.at)

    async def _hand_over(self, raw: bytes, sender: str, receiver: str) -> None:
        if receiver in self._boxes:
            await self._boxes[receiver].deliver(raw, datetime.now(UTC))
            return
        if sender not in self._boxes:
            return
        mail = message_from_bytes(raw, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if receiver in self._outside:
            await asyncio.sleep(self._reply_after_seconds)
            await self._answer(mail, self._outside[receiver], self._users[sender])
        else:
            now, domain = datetime.now(UTC), sender.partition("@")[2]
            await self._boxes[sender].deliver(envelopes.raw_bounce(mail, sender, receiver, domain, now), now)

    async def _answer(self, mail: EmailMessage, person: Correspondent, to: Correspondent) -> None:
        now, text = datetime.now(UTC), story.reply_text(person, self._replies)
        self._replies += 1
        await self._boxes[to.address].deliver(envelopes.raw_answer(mail, person, to, text, now), now)

    def _later(self, deed: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(deed)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception():
            logger.error("the demo could not deliver a mail", exc_info=task.exception())


async def serve(
    root: Path, *, password: str, imap_port: int, smtp_port: int, reply_after_seconds: float = REPLY_AFTER_SECONDS
) -> None:
    """Serve both protocols on loopback until SIGTERM or SIGINT."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with AsyncExitStack() as stack:
        addresses = [person.address for person in story.users()]
        boxes = await imap_server.start(stack, root, addresses, password=password, port=imap_port)
        office = PostOffice(boxes, password, reply_after_seconds=reply_after_seconds)
        smtp = await loop.create_server(
            lambda: SMTP(office, authenticator=office.authenticate, auth_require_tls=False, enable_SMTPUTF8=True),
            "127.0.0.1",
            smtp_port,
        )
        stack.callback(smtp.close)
        news = asyncio.create_task(office.bring_news(root / "news-told"))
        stack.callback(news.cancel)
        await stopped.wait()
