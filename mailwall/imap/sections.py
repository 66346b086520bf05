"""One section of one message, however big, passed on while it comes: asked for once, never whole in memory.

One FETCH instead of many partial ones: no round trip and no parsing between the pieces, and the server reads on from
where it is. Who reads slowly slows the server down through TCP, nothing piles up here.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

from mailwall.imap import reader
from mailwall.imap.commands import Commands, Completion
from mailwall.imap.reader import Response
from mailwall.imap.wire import Wire

PIECE_BYTES = 256 * 1024  # fits into the processor's cache, so that what was received is decoded and sent from there
_LONG_LINE = 1000  # RFC 5321 §4.5.3.1.6
_LITERAL_OF_SECTION = re.compile(
    rb"(?P<head>\* \d+ FETCH \(.*)(?<=[ (])(?P<name>BODY\[(?P<section>[0-9.]*)\]) ~?\{(?P<size>\d{1,12})\+?\}\r?\n",
    re.IGNORECASE | re.DOTALL,
)


def stream(commands: Commands, uid: int, section: bytes, *, piece_bytes: int = PIECE_BYTES) -> Iterator[bytes]:
    """The section's bytes as encoded on the wire, in pieces that end with a line where they can. b"": whole message.

    Ends after the last byte; raises ImapError where less comes than was promised. Given up in the middle, it hangs up.
    """
    try:
        for _ in range(2):  # iCloud says OK without the section, and gives it the second time
            if (yield from _answer(commands, uid, section, piece_bytes)):
                return
        raise commands.wire.nonsense("OK without the section")
    finally:
        commands.drain()


def _answer(commands: Commands, uid: int, section: bytes, piece_bytes: int) -> Generator[bytes, None, bool]:
    """Ask once; gives whether the section came."""
    tag, came = commands.start(b"UID FETCH %d (UID BODY.PEEK[%b])" % (uid, section)), False
    while True:
        found = _LITERAL_OF_SECTION.fullmatch(commands.wire.peek_line())
        if found is not None and found["section"] == section:
            commands.wire.readline()
            yield from _pieces(commands.wire, int(found["size"]), piece_bytes)
            rest = reader.read_response(commands.wire)
            _value(commands, Response((found["head"] + found["name"] + b" ", *rest.texts), (b"", *rest.literals)), uid)
            came = True
            continue
        answer = commands.next()
        if isinstance(answer, Response):
            short = _value(commands, answer, uid, b"BODY[%b]" % section)
            if short is not None:
                yield short
                came = True
        elif answer.tag == tag:
            _require_ok(commands, answer)
            return came


def _require_ok(commands: Commands, done: Completion) -> None:
    if done.status != "OK":
        raise commands.refused(done)


def _value(commands: Commands, answer: Response, uid: int, name: bytes = b"") -> bytes | None:
    """That item of an answer about this message. Without a name, an answer about another one is an error."""
    try:
        items = reader.fetch_items(answer)
    except reader.Unreadable as error:
        raise commands.wire.nonsense(str(error)) from error
    if items is None or items.get(b"UID") != b"%d" % uid:
        if not name:
            raise commands.wire.nonsense("the section of another message")
        return None
    value = items.get(name)
    return value if isinstance(value, bytes) else None


def _pieces(wire: Wire, size: int, piece_bytes: int) -> Iterator[bytes]:
    """The next `size` bytes of the connection, by way of one buffer that is used again and again."""
    buffer = bytearray(min(size, piece_bytes))
    view = memoryview(buffer)
    kept = 0
    try:
        while size:
            end = min(len(buffer), kept + size)
            wire.read_into(view[kept:end])
            size -= end - kept
            cut = (buffer.rfind(b"\n", max(0, end - _LONG_LINE), end) + 1 if size else end) or end
            yield bytes(view[:cut])
            kept = end - cut
            buffer[:kept] = buffer[cut:end]
    finally:
        if size:  # given up in the middle: to read what still comes would take as long as to hang up is short
            wire.close()
