"""One section of one message as a stream of chunks: an attachment on its way to who asked for it."""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterator

from mailwall.imap import reader
from mailwall.imap.commands import Commands, Completion
from mailwall.imap.reader import Response

_CHUNK_NAME = re.compile(rb"BODY\[([0-9.]*)\](?:<(\d+)>)?")


def stream(commands: Commands, uid: int, section: bytes, chunk_bytes: int) -> Iterator[bytes]:
    """Chunks of one section, two asked for ahead, in order. Raises ImapError; a short end is an error, not an end."""
    offsets = itertools.count(0, chunk_bytes)
    waiting: deque[tuple[bytes, int]] = deque()
    arrived: dict[int, bytes] = {}
    ended: dict[bytes, str] = {}
    asked_again: set[int] = set()

    def ask(offset: int) -> tuple[bytes, int]:
        item = b"BODY.PEEK[%b]<%d.%d>" % (section, offset, chunk_bytes)
        return commands.start(b"UID FETCH %d (UID %b)" % (uid, item)), offset

    try:
        while True:
            while len(waiting) < 2:
                waiting.append(ask(next(offsets)))
            tag, offset = waiting.popleft()
            while tag not in ended:
                _take_chunk(commands, uid, section, commands.next(), arrived, ended)
            done = Completion(tag, ended.pop(tag), "FETCH of a section")
            if done.status != "OK":
                raise commands.refused(done)
            chunk = arrived.pop(offset, None)
            if chunk is None and offset not in asked_again:  # iCloud says OK and gives it the second time
                asked_again.add(offset)
                waiting.appendleft(ask(offset))
                continue
            if chunk is None:
                raise commands.wire.nonsense("OK without the section")
            if chunk:
                yield chunk
            if len(chunk) < chunk_bytes:
                return
    finally:
        commands.drain()


def _take_chunk(
    commands: Commands,
    uid: int,
    section: bytes,
    answer: Response | Completion,
    arrived: dict[int, bytes],
    ended: dict[bytes, str],
) -> None:
    if isinstance(answer, Completion):
        ended[answer.tag] = answer.status
        return
    try:
        items = reader.fetch_items(answer)
    except reader.Unreadable as error:
        raise commands.wire.nonsense(str(error)) from error
    if not items or items.get(b"UID") != b"%d" % uid:
        return
    for name, value in items.items():
        found = _CHUNK_NAME.fullmatch(name)
        if found and found.group(1) == section:
            arrived[int(found.group(2) or 0)] = value if isinstance(value, bytes) else b""
