"""What an IMAP server tells us, as types. uid, uidvalidity, uidnext: unsigned 32 bit; modseq: 63 bit (RFC 9051 §9)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailwall.mime.types import BodyPart, Sendable


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderInfo:
    """One line of LIST. raw_name: for commands, as the server spells it. name: decoded for display.

    role: 'inbox', 'sent', 'drafts', 'trash', 'junk', 'archive', 'all', 'flagged' or '' (RFC 6154, else by known names).
    role_by: 'special_use' or 'name' — how the role was found.
    """

    raw_name: bytes
    name: str
    delimiter: str = ""
    flags: tuple[str, ...] = ()
    role: str = ""
    role_by: str = ""
    selectable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStatus:
    """STATUS or EXAMINE of one folder (RFC 9051 §6.3.11). highestmodseq: None without CONDSTORE."""

    uidvalidity: int
    uidnext: int
    messages: int
    highestmodseq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """The cheap first look at a message. internaldate is aware, UTC. message_id: '' unless asked for."""

    uid: int
    internaldate: datetime
    size_bytes: int
    flags: tuple[str, ...] = ()
    message_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of a folder since a modseq (RFC 7162): uids that came or changed; ranges, ends included, gone."""

    changed: tuple[int, ...]
    vanished: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedMessage(Sendable):
    """A message without its attachments.

    structure None with raw_whole set: the whole message was fetched and is to be parsed here.
    raw_sections: section number → bytes as encoded on the wire, text only; truncated_sections: those cut at the limit.
    problem: '' or why it could not be fetched completely ('empty', 'vanished', 'unparsable structure', …).
    """

    uid: int
    internaldate: datetime
    size_bytes: int
    flags: tuple[str, ...] = ()
    raw_header: bytes = b""
    structure: BodyPart | None = None
    raw_sections: Mapping[str, bytes] = field(default_factory=dict)
    truncated_sections: frozenset[str] = frozenset()
    raw_whole: bytes | None = None
    problem: str = ""
