"""The demo's mailboxes on disk: one file a mail, named by its uid, its time the INTERNALDATE. Only ever added to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

INBOX, SENT = "INBOX", "Sent"
FOLDERS = (INBOX, SENT, "Drafts", "Trash")


@dataclass(frozen=True, slots=True)
class Stored:
    """A mail of a folder."""

    uid: int
    raw: bytes
    internaldate: datetime


def add(root: Path, address: str, folder: str, raw: bytes, internaldate: datetime, *, uid: int = 0) -> int:
    """Keep a mail; uid 0: the next one. Gives the uid."""
    path = root / address / folder
    path.mkdir(parents=True, exist_ok=True)
    uid = uid or max(_uids(path), default=0) + 1
    file, new = path / f"{uid:08d}.eml", path / f"{uid:08d}.new"
    new.write_bytes(raw)
    os.utime(new, (internaldate.timestamp(), internaldate.timestamp()))
    new.replace(file)
    return uid


def read(root: Path, address: str, folder: str) -> Iterator[Stored]:
    """The mails of a folder in the order of their uids."""
    path = root / address / folder
    for uid in sorted(_uids(path)):
        file = path / f"{uid:08d}.eml"
        yield Stored(uid, file.read_bytes(), datetime.fromtimestamp(file.stat().st_mtime, UTC))


def _uids(path: Path) -> list[int]:
    return [int(file.stem) for file in path.glob("*.eml")]
