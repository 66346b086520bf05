"""The FETCH stream: headers, structures and text sections of many messages, a few batches in flight.

Dovecot answers pipelined FETCHes interleaved and in any order, so answers are dispatched by UID and item name, never by
order. No attachment byte is asked for. A message is given once it is complete, or with the reason why it is not.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from mailwall.imap import bodystructure, reader, records
from mailwall.imap.commands import Commands, Completion, uid_sets
from mailwall.imap.errors import is_throttled
from mailwall.imap.reader import Response
from mailwall.imap.records import Record
from mailwall.imap.types import FetchedMessage
from mailwall.mime.types import BodyPart

ChooseSections = Callable[[BodyPart], Sequence[BodyPart]]
WantsText = Callable[[bytes, BodyPart], bool]

WINDOW_MESSAGES = 250
WHOLE_LIMIT_BYTES = 262_144
SECTION_LIMIT_BYTES = 48 * 1024 * 1024  # as encoded: 32 MB of text make 44 MB of base64

_BASICS = b"UID INTERNALDATE RFC822.SIZE FLAGS"
_FULL = b"(" + _BASICS + b" BODYSTRUCTURE BODY.PEEK[HEADER])"
_CAREFUL = b"(" + _BASICS + b" BODY.PEEK[HEADER])"
_BATCH_BYTES = 8 * 1024 * 1024


@dataclass(slots=True, eq=False)
class _Batch:
    """Commands that are waited for together. then: what to do when all have ended, told whether one was refused."""

    waiting: deque[bytes]
    then: Callable[[bool], None]
    expected_bytes: int = 0
    open: int = 0
    failed: bool = False


class FetchStream:
    """One run over a list of UIDs on one connection; use it once.

    batches_in_flight 1: one command at a time, for servers that dislike several; a BAD leads there by itself.
    """

    def __init__(
        self,
        commands: Commands,
        choose_sections: ChooseSections,
        *,
        wants_text: WantsText | None = None,
        section_limit_bytes: int = SECTION_LIMIT_BYTES,
        whole_limit_bytes: int = WHOLE_LIMIT_BYTES,
        batches_in_flight: int = 4,
    ) -> None:
        self._commands = commands
        self._choose_sections = choose_sections
        self._wants_text = wants_text
        self._section_limit_bytes = section_limit_bytes
        self._whole_limit_bytes = whole_limit_bytes
        self.batches_in_flight = batches_in_flight
        self._records: dict[int, Record] = {}
        self._queue: deque[_Batch] = deque()
        self._active: list[_Batch] = []
        self._in_flight: dict[bytes, tuple[_Batch, bytes]] = {}
        self._done: deque[FetchedMessage] = deque()

    def messages(self, uids: Iterable[int]) -> Iterator[FetchedMessage]:
        """Give every UID exactly once, in any order. Raises ImapError; what was given before it is complete."""
        windows = deque(_windows(list(dict.fromkeys(uids)), WINDOW_MESSAGES))
        try:
            while windows or self._queue or self._active:
                while windows and len(self._queue) + len(self._active) < self.batches_in_flight:
                    self._begin(windows.popleft())
                self._send()
                self._take(self._commands.next())
                while self._done:
                    yield self._done.popleft()
        finally:
            self._commands.drain()

    def _send(self) -> None:
        while self._queue and len(self._active) < self.batches_in_flight and self._has_room_for(self._queue[0]):
            self._active.append(self._queue.popleft())
        for batch in self._active:
            if self.batches_in_flight > 1:
                self._start(batch, list(batch.waiting))
            elif batch.waiting and not self._in_flight:
                self._start(batch, [batch.waiting[0]])

    def _has_room_for(self, batch: _Batch) -> bool:
        """Whether its texts fit into memory beside those that are on their way."""
        expected_bytes = sum(active.expected_bytes for active in self._active)
        return not expected_bytes or expected_bytes + batch.expected_bytes <= 2 * _BATCH_BYTES

    def _start(self, batch: _Batch, commands: list[bytes]) -> None:
        if not commands:
            return
        for tag, command in zip(self._commands.start_all(commands), commands, strict=True):
            self._in_flight[tag] = (batch, command)
            batch.waiting.popleft()
            batch.open += 1

    def _take(self, answer: Response | Completion) -> None:
        if isinstance(answer, Response):
            self._take_items(answer)
            return
        batch, command = self._in_flight.pop(answer.tag)
        batch.open -= 1
        if answer.status != "OK" and is_throttled(answer.words):
            self._commands.wire.close()
            raise self._commands.refused(answer)
        if answer.status == "BAD" and self.batches_in_flight > 1:
            self.batches_in_flight = 1
            batch.waiting.append(command)
        elif answer.status != "OK":
            batch.failed = True
        if not batch.open and not batch.waiting:
            self._active.remove(batch)
            batch.then(batch.failed)

    def _take_items(self, answer: Response) -> None:
        try:
            items = reader.fetch_items(answer)
        except reader.Unreadable as error:
            raise self._commands.wire.nonsense(str(error)) from error
        uid = items.get(b"UID") if items else None
        if not items or not isinstance(uid, bytes) or not uid.isdigit():
            return  # a flag change told in passing
        record = self._records.get(int(uid))
        if record is None:
            return
        for name, value in items.items():
            if value or name not in record.items:  # an empty answer never replaces a full one
                record.items[name] = value

    def _begin(self, uids: list[int]) -> None:
        self._records.update((uid, Record(uid)) for uid in uids)
        commands = deque(b"UID FETCH %b %b" % (each, _FULL) for each in uid_sets(uids))
        self._queue.append(_Batch(commands, lambda failed: self._structures_here(uids, failed)))

    def _structures_here(self, uids: list[int], failed: bool) -> None:
        """After the first pass: ask again for what is missing, then for the text sections."""
        missing = [uid for uid in uids if not records.has_basics(self._records[uid])]
        if not missing:
            self._ask_sections(uids)
            return
        # one message that the server chokes on must not cost its neighbours: each alone, without structure
        sets = [b"%d" % uid for uid in missing] if failed else list(uid_sets(missing))
        commands = deque(b"UID FETCH %b %b" % (each, _CAREFUL) for each in sets)
        self._queue.appendleft(_Batch(commands, lambda again: self._ask_sections(uids)))

    def _ask_sections(self, uids: list[int]) -> None:
        """Ask for the text of a window, in batches of bounded size, so that long texts do not pile up in memory."""
        batches: list[tuple[list[int], int]] = []
        batch: list[int] = []
        expected_bytes = 0
        for uid in uids:
            batch.append(uid)
            expected_bytes += self._choose(self._records[uid])
            if expected_bytes > _BATCH_BYTES:
                batches.append((batch, expected_bytes))
                batch, expected_bytes = [], 0
        for some, expected in reversed([*batches, (batch, expected_bytes)]):  # each goes before those that wait
            self._ask_batch(some, expected)

    def _choose(self, record: Record) -> int:
        """Decide what to ask of one message; gives the bytes to expect."""
        if not records.has_basics(record):
            return 0
        record.structure = bodystructure.body_part(record.items.pop(b"BODYSTRUCTURE", None))
        if record.structure is None or not record.raw_header:
            record.whole = record.size_bytes <= self._whole_limit_bytes
            return record.size_bytes if record.whole else 0
        if self._wants_text is not None and not self._wants_text(record.raw_header, record.structure):
            return 0
        parts = self._choose_sections(record.structure)
        record.wanted = tuple(part.section for part in parts)
        return sum(min(part.size_bytes, self._section_limit_bytes) for part in parts)

    def _ask_batch(self, uids: list[int], expected_bytes: int) -> None:
        groups: dict[bytes, list[int]] = defaultdict(list)
        for uid in uids:
            record = self._records[uid]
            if record.whole:
                groups[b"BODY.PEEK[]"].append(uid)
            elif record.wanted:
                groups[self._items(record.wanted)].append(uid)
        commands = deque(
            b"UID FETCH %b (UID %b)" % (each, items) for items, grouped in groups.items() for each in uid_sets(grouped)
        )
        if commands:
            self._queue.appendleft(_Batch(commands, lambda failed: self._sections_here(uids), expected_bytes))
        else:
            self._finish(uids)

    def _items(self, sections: Iterable[str]) -> bytes:
        limit = self._section_limit_bytes
        return b" ".join(b"BODY.PEEK[%b]<0.%d>" % (section.encode(), limit) for section in sections)

    def _sections_here(self, uids: list[int]) -> None:
        """Texts that did not come (OK without a body, NIL, an empty literal) are asked for once more, whole."""
        again = []
        for uid in uids:
            record = self._records[uid]
            if not records.is_complete(record) and record.size_bytes <= self._whole_limit_bytes:
                record.whole = True
                again.append(uid)
        if again:
            commands = deque(b"UID FETCH %b (UID BODY.PEEK[])" % each for each in uid_sets(again))
            self._queue.appendleft(_Batch(commands, lambda failed: self._finish(uids)))
        else:
            self._finish(uids)

    def _finish(self, uids: list[int]) -> None:
        for uid in uids:
            self._done.append(records.message_of(self._records.pop(uid), self._section_limit_bytes))


def _windows(uids: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(uids), size):
        yield uids[start : start + size]
