"""Folders: which there are, how they stand, and opening one, for reading only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from mailwall.imap import folders
from mailwall.imap.commands import Completion, quoted
from mailwall.imap.errors import ImapBusy, ImapFolderGone
from mailwall.imap.reader import Response
from mailwall.imap.searching import Searching
from mailwall.imap.types import FolderInfo, FolderStatus
from mailwall.net.masking import masked

_EXISTS = re.compile(rb"\* (\d+) EXISTS", re.IGNORECASE)
_OK_NUMBER = re.compile(rb"\* OK \[(UIDVALIDITY|UIDNEXT|HIGHESTMODSEQ) (\d+)\]", re.IGNORECASE)


class Selecting(Searching):
    """Lists folders, asks for their status, and opens one by EXAMINE."""

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
        self.has_open_folder = False  # a refused EXAMINE closes what was open (RFC 3501 §6.3.1)
        done = self._commands.run(b"EXAMINE " + name + (b" (CONDSTORE)" if self._has_condstore else b""), take)
        if done.status != "OK":
            refusal = self._commands.refused(done)
            if isinstance(refusal, ImapBusy):
                raise refusal
            raise ImapFolderGone(ImapFolderGone.MSGID, details=masked(done.words, self.wire.settings))
        self.has_open_folder = True
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


def _canonical(raw_name: bytes) -> bytes:
    return b"INBOX" if raw_name.upper() == b"INBOX" else raw_name
