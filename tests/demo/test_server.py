"""What the people outside write by themselves."""

from __future__ import annotations

import asyncio
from datetime import datetime
from email import message_from_bytes
from pathlib import Path

from mailwall.demo import story
from mailwall.demo.server import PostOffice


class Inbox:
    """Where a letter is laid down."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    async def deliver(self, raw: bytes, now: datetime) -> None:
        self.came.put_nowait(raw)


async def first_news(told: Path) -> str:
    """The subject of what comes first after a start."""
    inbox = Inbox()
    boxes = {person.address: inbox for person in story.users()}
    office = PostOffice(boxes, "x", reply_after_seconds=0)  # type: ignore[arg-type]  # laid down is all it asks for
    running = asyncio.create_task(office.bring_news(told, first_seconds=0))
    try:
        return message_from_bytes(await asyncio.wait_for(inbox.came.get(), 10))["Subject"]
    finally:
        running.cancel()


def test_a_new_start_goes_on_with_the_next_letter(tmp_path):
    told = tmp_path / "news-told"
    assert len({asyncio.run(first_news(told)) for _ in range(3)}) == 3
