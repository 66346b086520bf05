"""A signed-in IMAP connection: list folders, examine, search, fetch, stream, append, idle.

Reading changes nothing on the server: EXAMINE and BODY.PEEK only. The one write is append(). All errors are ImapErrors;
after ImapTimeout, ImapUnreachable and ImapProtocolError with `closed` set the session is of no use any more.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from types import TracebackType

from mailwall.imap import bodystructure, connect, fetch, folders, idle, reader
from mailwall.imap.commands import Commands, Completion, quoted, uid_sets
from mailwall.imap.dates import format_date, format_internaldate
from mailwall.imap.errors import ImapBusy, ImapError, ImapFolderGone, ImapProtocolError, not_connected
from mailwall.imap.fetch import SECTION_LIMIT_BYTES, WHOLE_LIMIT_BYTES, ChooseSections, WantsText
from mailwall.imap.reader import Response
from mailwall.imap.types import Changes, FetchedMessage, FolderInfo, FolderStatus, Overview
from mailwall.imap.wire import Wire
from mailwall.mime.types import BodyPart
from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings

MAX_UID = 2**32 - 1
NEWEST_LOOKED_AT = 2000
_GOODBYE_SECONDS = 2.0
_SEARCH_REFUSED = (ImapProtocolError, ImapBusy)  # Yahoo and Yandex say "try again later" to each SEARCH, for good
_EXISTS = re.compile(rb"\* (\d+) EXISTS", re.IGNORECASE)
_OK_NUMBER = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", re.IGNORECASE)
_SEARCH = re.compile(rb"\* SEARCH\b([\d ]*)", re.IGNORECASE)
_ESEARCH_ALL = re.compile(rb"\* ESEARCH\b.* ALL ([\d:,]+)", re.IGNORECASE)
_VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)", re.IGNORECASE)
_MAX_RANGES = 100
_MAX_ALTERNATIVES, _MAX_CRITERIA_BYTES = 20, 2000
_APPENDUID = re.compile(r"\[APPENDUID (\d+) (\d+)\]", re.IGNORECASE)


def open_session(settings: ServerSettings, *, job_deadline_seconds: float | None = None) -> ImapSession:
    """Dial, encrypt, sign in. Use as a context manager. job_deadline_seconds bounds all that is done with it.

    Nothing secret is sent before TLS is verified, unless security is 'none'. Raises ImapError.
    """
    try:
        sock = dial.dial(settings)
    except DialError as error:
        raise not_connected(error) from error
    wire = Wire(sock, settings, job_deadline_seconds=job_deadline_seconds)
    try:
        if settings.security == "tls":
            connect.encrypt_first(wire)
        client = connect.greet(wire, timeout_seconds=settings.connect_timeout_seconds)
        if settings.security == "starttls":
            connect.encrypt_now(client)
        capabilities = connect.sign_in(client)
    except BaseException:
        wire.close()
        raise
    return ImapSession(wire, capabilities)


class ImapSession:
    """One connection. batches_in_flight 1 turns pipelining off; it stays off after a server said BAD to it."""

    def __init__(self, wire: Wire, capabilities: frozenset[str]) -> None:
        self.wire = wire
        self.capabilities = capabilities
        self.batches_in_flight = 4
        self._commands = Commands(wire)
        self._resyncs = False

    def __enter__(self) -> ImapSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self.wire.closed

    def close(self) -> None:
        """Log out politely, at most for a moment, and hang up. Again does nothing."""
        if self.wire.closed:
            return
        self.wire.read_timeout_seconds = _GOODBYE_SECONDS
        self._commands.leaving = True
        with contextlib.suppress(ImapError):
            self._commands.run(b"LOGOUT")
        self.wire.close()

    def noop(self) -> None:
        """Ask whether the connection still lives. Raises ImapError when not."""
        self._commands.run_ok(b"NOOP")

    def list_folders(self) -> list[FolderInfo]:
        """All folders with their roles, by flag or by known name. Raises ImapError when LIST fails."""
        found: list[FolderInfo] = []

        def take(response: Response) -> None:
            folder = folders.folder_info(response)
            if folder is not None:
                found.append(folder)

        wish = b" RETURN (SPECIAL-USE)" if {"SPECIAL-USE", "LIST-EXTENDED"} <= self.capabilities else b""
        if wish and self._commands.run(b'LIST "" "*"' + wish, take).status == "OK":
            return folders.with_roles_by_name(found)
        found.clear()
        self._commands.run_ok(b'LIST "" "*"', take)
        return folders.with_roles_by_name(found)

    def status(self, raw_names: Iterable[bytes]) -> dict[bytes, FolderStatus]:
        """STATUS of several folders in one round trip (RFC 5819 or pipelined). A folder that is gone is left out."""
        wanted = list(dict.fromkeys(raw_names))
        found: dict[bytes, FolderStatus] = {}

        def take(response: Response) -> None:
            told = folders.status(response)
            if told is not None:
                found[_canonical(told[0])] = told[1]

        items = b"(MESSAGES UIDNEXT UIDVALIDITY"
        items += b" HIGHESTMODSEQ)" if self._has_condstore else b")"
        if "LIST-STATUS" in self.capabilities and len(wanted) > 1:
            patterns = b" ".join(quoted(name) for name in wanted if not re.search(rb"[%*\r\n\0]", name))
            self._commands.run(b'LIST "" (' + patterns + b") RETURN (STATUS " + items + b")", take)
        missing = [name for name in wanted if _canonical(name) not in found]
        # spoken one by one, those folders that LIST cannot name (wildcards) or does not know
        commands = [b"STATUS " + quoted(name) + b" " + items for name in missing if not re.search(rb"[\r\n\0]", name)]
        open_tags = set(self._commands.start_all(commands)) if commands else set()
        while open_tags:
            answer = self._commands.next()
            if isinstance(answer, Completion):
                open_tags.discard(answer.tag)
                if answer.status != "OK" and isinstance(refusal := self._commands.refused(answer), ImapBusy):
                    raise refusal
            else:
                take(answer)
        return {name: found[_canonical(name)] for name in wanted if _canonical(name) in found}

    def examine(self, raw_name: bytes) -> FolderStatus:
        """Open a folder for reading. Raises ImapFolderGone when the server refuses it."""
        numbers: dict[bytes, int] = {b"EXISTS": 0}

        def take(response: Response) -> None:
            if exists := _EXISTS.match(response.texts[0]):
                numbers[b"EXISTS"] = int(exists.group(1))
            elif told := _OK_NUMBER.match(response.texts[0]):
                numbers[told.group(1).upper()] = int(told.group(2))

        try:
            name = quoted(raw_name)
        except ValueError:
            raise ImapFolderGone(ImapFolderGone.MSGID) from None
        done = self._commands.run(b"EXAMINE " + name + (b" (CONDSTORE)" if self._has_condstore else b""), take)
        if done.status != "OK":
            refusal = self._commands.refused(done)
            if isinstance(refusal, ImapBusy):
                raise refusal
            raise ImapFolderGone(ImapFolderGone.MSGID, details=masked(done.words, self.wire.settings))
        if b"UIDVALIDITY" not in numbers:
            raise self._commands.refused(Completion(done.tag, "BAD", "no UIDVALIDITY"))
        if b"UIDNEXT" not in numbers:  # RFC 2060 servers
            numbers[b"UIDNEXT"] = max(self.uid_set(), default=0) + 1
        return FolderStatus(
            uidvalidity=numbers[b"UIDVALIDITY"],
            uidnext=numbers[b"UIDNEXT"],
            messages=numbers[b"EXISTS"],
            highestmodseq=numbers.get(b"HIGHESTMODSEQ") or None,
        )

    def search_since(self, day: date) -> list[int]:
        """UIDs of that day (of the server's zone) or later by INTERNALDATE, ascending; also where SEARCH is broken."""
        try:
            return self._search(b"SINCE " + format_date(day))
        except _SEARCH_REFUSED:
            if self.closed:
                raise
        found: list[int] = []

        def take(response: Response) -> None:
            with self._readable():
                told = fetch.overview(response)
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
        except _SEARCH_REFUSED:
            if self.closed:
                raise
            found = self._uids_by_fetch(asked)
        return [uid for uid in found if low <= uid <= top]

    def search_message_ids(self, message_ids: Iterable[str]) -> list[int]:
        """UIDs of messages whose Message-ID holds one of these (with or without brackets), ascending.

        Many at once, so that the server reads its headers once and not once for each. Where SEARCH is broken: among the
        newest NEWEST_LOOKED_AT, for what was moved or filed lately lies there.
        """
        wanted = [message_id.strip() for message_id in message_ids]
        try:
            return self._search_message_ids(wanted)
        except _SEARCH_REFUSED:
            if self.closed:
                raise
        named = {message_id.strip("<>") for message_id in wanted} - {""}
        newest = self.fetch_overviews(self._uids_by_fetch(b"1:*")[-NEWEST_LOOKED_AT:], with_message_ids=True)
        return [seen.uid for seen in newest if seen.message_id in named]

    def _search_message_ids(self, message_ids: Iterable[str]) -> list[int]:
        raw_ids = {message_id.encode("utf-8", "surrogateescape") for message_id in message_ids}
        asked = sorted(raw for raw in raw_ids if raw and not re.search(rb"[\r\n\0]", raw))
        found: set[int] = set()
        for criteria in _alternatives([b"HEADER Message-ID " + quoted(raw) for raw in asked if raw.isascii()]):
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
        except _SEARCH_REFUSED:
            if self.closed:
                raise
            return self._uids_by_fetch(b"1:*")

    def changes_since(self, modseq: int) -> Changes | None:
        """What changed in the open folder since then, by QRESYNC; None where the server cannot tell or errs."""
        if "QRESYNC" not in self.capabilities:
            return None
        if not self._resyncs and self._commands.run(b"ENABLE QRESYNC").status != "OK":
            return None
        self._resyncs = True
        changed: set[int] = set()
        vanished: list[tuple[int, int]] = []

        def take(response: Response) -> None:
            if gone := _VANISHED.match(response.texts[0]):
                vanished.extend(_bounds(gone.group(1)))
                return
            with self._readable():
                items = reader.fetch_items(response)
            if items and isinstance(uid := items.get(b"UID"), bytes) and uid.isdigit():
                changed.add(int(uid))

        asked = b"UID FETCH 1:* (UID) (CHANGEDSINCE %d VANISHED)" % modseq
        if self._commands.run(asked, take).status != "OK" or (vanished and not self._are_gone(vanished)):
            return None
        return Changes(changed=tuple(sorted(changed)), vanished=tuple(vanished))

    def _are_gone(self, ranges: Sequence[tuple[int, int]]) -> bool:
        """Whether SEARCH too finds none of them: iCloud tells of mail that is still there (Mailspring-Sync#91)."""
        if len(ranges) > _MAX_RANGES:
            return False
        try:
            return not self._search(b"UID " + b",".join(b"%d:%d" % bounds for bounds in ranges))
        except _SEARCH_REFUSED:
            if self.closed:
                raise
            return False

    def fetch_overviews(self, uids: Iterable[int], *, with_message_ids: bool = False) -> list[Overview]:
        """Date, size and flags of messages, ascending; UIDs that are gone are left out."""
        found: dict[int, Overview] = {}

        def take(response: Response) -> None:
            with self._readable():
                told = fetch.overview(response)
            if told is not None:
                found[told.uid] = told

        items = b" (UID INTERNALDATE RFC822.SIZE FLAGS"
        items += b" BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])" if with_message_ids else b")"
        for each in uid_sets(uids):
            self._commands.run_ok(b"UID FETCH " + each + items, take)
        return [found[uid] for uid in sorted(found)]

    def fetch_messages(
        self,
        uids: Iterable[int],
        *,
        choose_sections: ChooseSections,
        wants_text: WantsText | None = None,
        section_limit_bytes: int = SECTION_LIMIT_BYTES,
        whole_limit_bytes: int = WHOLE_LIMIT_BYTES,
    ) -> Iterator[FetchedMessage]:
        """Header, structure and the chosen text sections of every UID, each exactly once, in any order.

        choose_sections: part tree → the parts to fetch; no other part's bytes are asked for. wants_text: header and
        part tree → whether any are; None: always. A message without a readable structure comes whole up to
        whole_limit_bytes. `problem` says why one is not complete.
        Raises ImapError when the connection breaks; all given before it are complete.
        """
        stream = fetch.FetchStream(
            self._commands,
            choose_sections,
            wants_text=wants_text,
            section_limit_bytes=section_limit_bytes,
            whole_limit_bytes=whole_limit_bytes,
            batches_in_flight=self.batches_in_flight,
        )
        yield from stream.messages(uids)
        self.batches_in_flight = stream.batches_in_flight

    def fetch_whole(self, uid: int, *, limit_bytes: int = WHOLE_LIMIT_BYTES) -> FetchedMessage:
        """One message whole, to be parsed here; problem 'too large' above the limit, 'vanished' when it is gone."""
        overviews = self.fetch_overviews([uid])
        if not overviews:
            return FetchedMessage(uid=uid, internaldate=fetch.EPOCH, size_bytes=0, problem="vanished")
        seen = overviews[0]
        told = FetchedMessage(
            uid=uid, internaldate=seen.internaldate, size_bytes=seen.size_bytes, flags=seen.flags, problem="too large"
        )
        if seen.size_bytes > limit_bytes:
            return told
        raw = self._section(uid, b"BODY.PEEK[]", b"BODY[]")
        problem = "" if raw else "empty"
        if not seen.size_bytes:
            problem = "vanished" if raw is None else ""
        return FetchedMessage(
            uid=uid,
            internaldate=seen.internaldate,
            size_bytes=seen.size_bytes,
            flags=seen.flags,
            raw_header=_header_of(raw or b""),
            raw_whole=raw,
            problem=problem,
        )

    def fetch_structure(self, uid: int) -> tuple[BodyPart | None, int]:
        """The part tree (None: unreadable or gone) and the size in bytes (0: gone)."""
        found: dict[bytes, reader.Token] = {}

        def take(response: Response) -> None:
            with self._readable():
                items = reader.fetch_items(response)
            if items and items.get(b"UID") == b"%d" % uid:
                found.update(items)

        self._commands.run_ok(b"UID FETCH %d (UID RFC822.SIZE BODYSTRUCTURE)" % uid, take)
        size = found.get(b"RFC822.SIZE")
        structure = bodystructure.body_part(found.get(b"BODYSTRUCTURE"))
        return structure, int(size) if isinstance(size, bytes) and size.isdigit() else 0

    def stream_section(self, uid: int, section: str, *, chunk_bytes: int = 262_144) -> Iterator[bytes]:
        """The bytes of one section ('' = the whole message) as encoded on the wire, in chunks, two asked for ahead.

        Ends after the last byte; raises ImapError when the connection breaks or the message goes away in the middle.
        """
        name = section.encode("ascii")
        if not re.fullmatch(rb"[0-9.]*", name):
            raise ValueError("no section number")
        yield from fetch.stream(self._commands, uid, name, chunk_bytes)

    def append(
        self, raw_name: bytes, raw_message: bytes, *, flags: Sequence[str] = (), internaldate: datetime | None = None
    ) -> tuple[int, int] | None:
        """Put a message into a folder: (uidvalidity, uid) where the server tells (UIDPLUS), else None.

        Never creates a folder: ImapFolderGone when it is not there (TRYCREATE).
        """
        words = b" ".join(flag.encode("ascii") for flag in flags)
        when = b" " + format_internaldate(internaldate) if internaldate is not None else b""
        head = b"APPEND " + quoted(raw_name) + b" (" + words + b")" + when
        done = self._commands.run_with_literal(head, raw_message)
        if done.status != "OK":
            refusal = self._commands.refused(done)
            if "[TRYCREATE]" in done.words.upper() or "[NONEXISTENT]" in done.words.upper():
                raise ImapFolderGone(ImapFolderGone.MSGID, details=refusal.details)
            raise refusal
        told = _APPENDUID.search(done.words)
        return (int(told.group(1)), int(told.group(2))) if told else None

    def idle(self) -> idle.Idle:
        """Wait for news without asking (RFC 2177); see Idle. The session may do nothing else meanwhile."""
        return idle.Idle(self._commands)

    @property
    def _has_condstore(self) -> bool:
        return bool(self.capabilities & {"CONDSTORE", "QRESYNC"})

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

    def _section(self, uid: int, asked: bytes, answered: bytes) -> bytes | None:
        found: list[bytes] = []

        def take(response: Response) -> None:
            with self._readable():
                items = reader.fetch_items(response)
            if items and items.get(b"UID") == b"%d" % uid and isinstance(raw := items.get(answered), bytes):
                found.append(raw)

        self._commands.run_ok(b"UID FETCH %d (UID %b)" % (uid, asked), take)
        return max(found, key=len, default=None)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except reader.Unreadable as error:
            raise self.wire.nonsense(str(error)) from error


def _canonical(raw_name: bytes) -> bytes:
    return b"INBOX" if raw_name.upper() == b"INBOX" else raw_name


def _bounds(raw_set: bytes) -> Iterator[tuple[int, int]]:
    for part in filter(None, raw_set.split(b",")):
        low, _, high = part.partition(b":")
        first, last = sorted((int(low), int(high or low)))
        yield first, last


def _expanded(raw_set: bytes) -> Iterator[int]:
    for first, last in _bounds(raw_set):
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


def _header_of(raw: bytes) -> bytes:
    end = raw.find(b"\r\n\r\n")
    return raw if end < 0 else raw[: end + 4]
