"""What changed in the open folder since it was last read, told by the server itself (RFC 7162)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailwall.imap import reader
from mailwall.imap.reader import Response
from mailwall.imap.searching import SEARCH_REFUSED, Searching, bounds
from mailwall.imap.types import Changes

_VANISHED = re.compile(rb"\* VANISHED (?:\(EARLIER\) )?([\d:,]+)", re.IGNORECASE)
_MAX_RANGES = 100


class Following(Searching):
    """Asks for changes where the server can tell them."""

    _resyncs = False

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
                vanished.extend(bounds(gone.group(1)))
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
        except SEARCH_REFUSED:
            if self.closed:
                raise
            return False
