"""Messages of the open folder by uid: what they are, their texts, their files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from mailwall.imap import bodystructure, fetch, reader, records, sections
from mailwall.imap.commands import uid_sets
from mailwall.imap.connection import Connection
from mailwall.imap.fetch import SECTION_LIMIT_BYTES, WHOLE_LIMIT_BYTES, ChooseSections, WantsText
from mailwall.imap.reader import Response
from mailwall.imap.types import FetchedMessage, Overview
from mailwall.mime.types import BodyPart


class Messages(Connection):
    """Reads messages and changes nothing of them: BODY.PEEK."""

    def fetch_overviews(self, uids: Iterable[int], *, with_message_ids: bool = False) -> list[Overview]:
        """Date, size and flags of messages, ascending; UIDs that are gone are left out."""
        found: dict[int, Overview] = {}

        def take(response: Response) -> None:
            with self._readable():
                told = records.overview(response)
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
            return FetchedMessage(uid=uid, internaldate=records.EPOCH, size_bytes=0, problem="vanished")
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

    def stream_section(self, uid: int, section: str, *, chunk_bytes: int = sections.PIECE_BYTES) -> Iterator[bytes]:
        """The bytes of one section ('' = the whole message) as encoded on the wire, in chunks of that size at most.

        Ends after the last byte; raises ImapError when the connection breaks or the message goes away in the middle.
        """
        name = section.encode("ascii")
        if not re.fullmatch(rb"[0-9.]*", name):
            raise ValueError("no section number")
        yield from sections.stream(self._commands, uid, name, piece_bytes=chunk_bytes)

    def _section(self, uid: int, asked: bytes, answered: bytes) -> bytes | None:
        found: list[bytes] = []

        def take(response: Response) -> None:
            with self._readable():
                items = reader.fetch_items(response)
            if items and items.get(b"UID") == b"%d" % uid and isinstance(raw := items.get(answered), bytes):
                found.append(raw)

        self._commands.run_ok(b"UID FETCH %d (UID %b)" % (uid, asked), take)
        return max(found, key=len, default=None)


def _header_of(raw: bytes) -> bytes:
    end = raw.find(b"\r\n\r\n")
    return raw if end < 0 else raw[: end + 4]
