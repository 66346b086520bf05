"""Commands on a signed-in connection, several in flight, answers sorted by tag. Never SELECT, STORE or EXPUNGE."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mailwall.imap import reader
from mailwall.imap.errors import ImapBusy, ImapProtocolError, ImapUnreachable, is_busy
from mailwall.imap.reader import Response
from mailwall.imap.wire import Wire
from mailwall.net.masking import masked

_MAX_SET_CHARACTERS = 2000  # Exchange answers BAD to commands of more than about 8 kB
_TAGGED = re.compile(rb"(\S+) (OK|NO|BAD)\b ?(.*)\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Completion:
    """The tagged end of a command: status 'OK', 'NO' or 'BAD' and the server's words with their code."""

    tag: bytes
    status: str
    words: str


class Commands:
    """Sends commands and reads their answers. Open tags are known, so a batch may be given up and drained."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._count = 0
        self._open: set[bytes] = set()
        self._ahead: list[bytes] = []
        self.leaving = False

    @property
    def is_idle(self) -> bool:
        """Whether every command has been answered."""
        return not self._open

    def start(self, command: bytes) -> bytes:
        """Send one command without waiting; gives its tag."""
        return self.start_all([command])[0]

    def start_all(self, commands: Iterable[bytes]) -> list[bytes]:
        """Send several commands in one go; gives their tags."""
        tags, lines = [], []
        ahead, self._ahead = self._ahead, []
        for command in (*ahead, *commands):
            self._count += 1
            tag = b"w%d" % self._count
            tags.append(tag)
            lines.append(b"%b %b\r\n" % (tag, command))
        self.wire.send(b"".join(lines))
        self._open.update(tags)
        return tags[len(ahead) :]

    def put_ahead(self, command: bytes) -> None:
        """Send it with the next command, in one go; nobody waits for its answer."""
        self._ahead = [command]

    def next(self) -> Response | Completion:
        """The next answer: untagged as it is, tagged as Completion. Raises ImapError when the server hangs up."""
        response = reader.read_response(self.wire)
        first = response.texts[0]
        if first.startswith(b"* "):
            if first[2:5].upper() == b"BYE" and not self.leaving:
                raise self._goodbye(first[5:].decode("utf-8", "replace"))
            return response
        if first.startswith(b"+"):
            return response
        found = _TAGGED.match(first)
        if found is None or found.group(1) not in self._open:
            raise self.wire.nonsense("answer to no question of ours")
        self._open.discard(found.group(1))
        return Completion(found.group(1), found.group(2).decode().upper(), found.group(3).decode("utf-8", "replace"))

    def run(self, command: bytes, take: Callable[[Response], None] | None = None) -> Completion:
        """Send one command and wait for its end; untagged answers go to take."""
        tag = self.start(command)
        while True:
            answer = self.next()
            if isinstance(answer, Completion):
                if answer.tag == tag:
                    return answer
            elif take is not None:
                take(answer)

    def run_ok(self, command: bytes, take: Callable[[Response], None] | None = None) -> Completion:
        """As run(), raising ImapProtocolError or ImapBusy unless the server says OK."""
        done = self.run(command, take)
        if done.status != "OK":
            raise self.refused(done)
        return done

    def run_with_literal(self, command: bytes, literal: bytes) -> Completion:
        """A command whose last argument is a literal, sent when the server asks for it (RFC 3501 §4.3)."""
        tag = self.start(command + b" {%d}" % len(literal))
        while True:
            answer = self.next()
            if isinstance(answer, Completion):
                if answer.tag == tag:
                    return answer
            elif answer.texts[0].startswith(b"+"):
                self.wire.send(literal + b"\r\n")

    def refused(self, done: Completion) -> ImapProtocolError | ImapBusy:
        """The error for a NO or BAD."""
        words = masked(done.words, self.wire.settings)
        if is_busy(done.words):
            return ImapBusy(ImapBusy.MSGID, details=words)
        host = self.wire.settings.host
        return ImapProtocolError(ImapProtocolError.MSGID_REFUSED, {"host": host, "words": words}, details=words)

    def drain(self) -> None:
        """Read and drop what open commands still answer, so that the connection can be used again."""
        while self._open and not self.wire.closed:
            self.next()

    def _goodbye(self, words: str) -> ImapBusy | ImapUnreachable:
        self.wire.close()
        details = masked(words, self.wire.settings)
        if is_busy(words):
            return ImapBusy(ImapBusy.MSGID, details=details)
        return ImapUnreachable(ImapUnreachable.MSGID_LOST, {"host": self.wire.settings.host}, details=details)


def uid_sets(uids: Iterable[int]) -> Iterator[bytes]:
    """UIDs as compressed sets, ascending, each short enough for one command (RFC 3501 §9 sequence-set)."""
    parts: list[str] = []
    length = 0
    for low, high in _ranges(sorted(set(uids))):
        part = str(low) if low == high else f"{low}:{high}"
        if parts and length + len(part) >= _MAX_SET_CHARACTERS:
            yield ",".join(parts).encode()
            parts, length = [], 0
        parts.append(part)
        length += len(part) + 1
    if parts:
        yield ",".join(parts).encode()


def _ranges(uids: list[int]) -> Iterator[tuple[int, int]]:
    low = high = None
    for uid in uids:
        if high is not None and uid == high + 1:
            high = uid
            continue
        if low is not None and high is not None:
            yield low, high
        low = high = uid
    if low is not None and high is not None:
        yield low, high


def quoted(raw: bytes) -> bytes:
    """A string of the grammar. Line breaks and NUL have no place in it (no injection): ValueError."""
    if any(byte in raw for byte in (b"\r", b"\n", b"\0")):
        raise ValueError("line break or NUL in a string")
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
