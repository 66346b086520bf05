"""Uids of the open folder, by SEARCH; by FETCH where the server's search is broken."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from mailwall.imap import reader, records
from mailwall.imap.commands import quoted
from mailwall.imap.dates import format_date
from mailwall.imap.errors import ImapBusy, ImapProtocolError
from mailwall.imap.messages import Messages
from mailwall.imap.reader import Response

MAX_UID = 2**32 - 1
NEWEST_LOOKED_AT = 2000
#: Yahoo and Yandex say "try again later" to each SEARCH, for good
SEARCH_REFUSED = (ImapProtocolError, ImapBusy)
_SEARCH = re.compile(rb"\* SEARCH\b([\d ]*)", re.IGNORECASE)
_ESEARCH_ALL = re.compile(rb"\* ESEARCH\b.* ALL ([\d:,]+)", re.IGNORECASE)
_MAX_ALTERNATIVES, _MAX_CRITERIA_BYTES = 20, 2000


class Searching(Messages):
    """Finds messages; every answer is ascending and holds no uid that was not asked for."""

    def search_since(self, day: date) -> list[int]:
        """UIDs of that day (of the server's zone) or later by INTERNALDATE, ascending; also where SEARCH is broken."""
        try:
            return self._search(b"SINCE " + format_date(day))
        except SEARCH_REFUSED:
            if self.closed:
                raise
        found: list[int] = []

        def take(response: Response) -> None:
            with self._readable():
                told = records.overview(response)
            if told is not None and told.internaldate.date() >= day:
                found.append(told.uid)

        self._commands.run_ok(b"UID FETCH 1:* (UID INTERNALDATE RFC822.SIZE)", take)
        return sorted(found)

    def search_uids(self, low: int, high: int | None = None) -> list[int]:
        """Existing UIDs from low to high (None: no end), ascending. Filters the answer: n:* always has the last one."""
        top = high or MAX_UID
        asked = b"%d:*" % low if high is None else b"%d:%d" % (low, high)
        try:
            found = self._search(b"UID " + asked)
        except SEARCH_REFUSED:
            if self.closed:
                raise
            found = self._uids_by_fetch(asked)
        return [uid for uid in found if low <= uid <= top]

    def search_message_ids(self, message_ids: Iterable[str], *, fields: Sequence[str] = ("Message-ID",)) -> list[int]:
        """UIDs of messages whose Message-ID holds one of these (with or without brackets), ascending.

        fields: the header fields in which they may stand. Many at once, so that the server reads its headers once and
        not once for each. Where SEARCH is broken: by Message-ID among the newest NEWEST_LOOKED_AT, for what was moved
        or filed lately lies there.
        """
        wanted = [message_id.strip() for message_id in message_ids]
        try:
            return self._search_message_ids(wanted, [field.encode() for field in fields])
        except SEARCH_REFUSED:
            if self.closed:
                raise
        named = {message_id.strip("<>") for message_id in wanted} - {""}
        newest = self.fetch_overviews(self._uids_by_fetch(b"1:*")[-NEWEST_LOOKED_AT:], with_message_ids=True)
        return [seen.uid for seen in newest if seen.message_id in named]

    def _search_message_ids(self, message_ids: Iterable[str], raw_fields: Sequence[bytes]) -> list[int]:
        raw_ids = {message_id.encode("utf-8", "surrogateescape") for message_id in message_ids}
        asked = sorted(raw for raw in raw_ids if raw and not re.search(rb"[\r\n\0]", raw))
        found: set[int] = set()
        plain = [b"HEADER %b %b" % (field, quoted(raw)) for raw in asked if raw.isascii() for field in raw_fields]
        for criteria in _alternatives(plain):
            found.update(self._search(criteria))
        for raw in asked:
            if not raw.isascii():
                found.update(self._search(b"HEADER Message-ID " + quoted(raw), charset=b"CHARSET UTF-8 "))
        return sorted(found)

    def search_text(self, text: str) -> list[int]:
        """UIDs of messages with this text in From, To, Cc or Subject, ascending."""
        return self._search_text(text, b"OR OR FROM %b TO %b OR CC %b SUBJECT %b")

    def uid_set(self) -> list[int]:
        """All UIDs of the folder, ascending; one compact answer where the server has ESEARCH (RFC 4731)."""
        try:
            return self._search(b"ALL")
        except SEARCH_REFUSED:
            if self.closed:
                raise
            return self._uids_by_fetch(b"1:*")

    def _search_text(self, text: str, criteria: bytes) -> list[int]:
        raw = text.strip().encode("utf-8", "surrogateescape")
        if not raw or re.search(rb"[\r\n\0]", raw):
            return []
        asked = criteria.replace(b"%b", quoted(raw))
        return self._search(asked, charset=b"" if raw.isascii() else b"CHARSET UTF-8 ")

    def _search(self, criteria: bytes, *, charset: bytes = b"") -> list[int]:
        found: set[int] = set()

        def take(response: Response) -> None:
            if plain := _SEARCH.match(response.texts[0]):
                found.update(map(int, plain.group(1).split()))
            elif compact := _ESEARCH_ALL.match(response.texts[0]):
                found.update(_expanded(compact.group(1)))

        extended = b"RETURN (ALL) " if "ESEARCH" in self.capabilities else b""
        self._commands.run_ok(b"UID SEARCH " + extended + charset + criteria, take)
        return sorted(uid for uid in found if 0 < uid <= MAX_UID)

    def _uids_by_fetch(self, asked: bytes) -> list[int]:
        """For servers whose SEARCH fails (Yahoo's SERVERBUG): the UIDs of a plain FETCH."""
        found: set[int] = set()

        def take(response: Response) -> None:
            with self._readable():
                items = reader.fetch_items(response)
            if items and isinstance(uid := items.get(b"UID"), bytes) and uid.isdigit():
                found.add(int(uid))

        self._commands.run_ok(b"UID FETCH " + asked + b" (UID)", take)
        return sorted(found)


def bounds(raw_set: bytes) -> Iterator[tuple[int, int]]:
    for part in filter(None, raw_set.split(b",")):
        low, _, high = part.partition(b":")
        first, last = sorted((int(low), int(high or low)))
        yield first, last


def _expanded(raw_set: bytes) -> Iterator[int]:
    for first, last in bounds(raw_set):
        if last - first > 50_000_000:
            return
        yield from range(first, last + 1)


def _alternatives(criteria: Sequence[bytes]) -> Iterator[bytes]:
    """Criteria joined by OR, in groups short enough for one command: OR a OR b c (RFC 3501 §6.4.4)."""
    group: list[bytes] = []
    for each in criteria:
        if group and (len(group) == _MAX_ALTERNATIVES or sum(map(len, group)) + len(each) > _MAX_CRITERIA_BYTES):
            yield b" ".join([*(b"OR " + item for item in group[:-1]), group[-1]])
            group = []
        group.append(each)
    if group:
        yield b" ".join([*(b"OR " + item for item in group[:-1]), group[-1]])
