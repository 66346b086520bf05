"""`mailwall backup`: all tables in one encrypted file, as they were at one moment; and what reads such a file.

Inside: gzip of lines. The first tells version, time and migrations; then of each table a line with its columns, its
rows, and a line with count and checksum; the last line says that this was all.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.apps import apps

from mailwall.operations import databases, tables, versions
from mailwall.operations.envelope import Lock, Opener, Sealer
from mailwall.operations.errors import BackupUnreadable
from mailwall.operations.tables import Checksum

FORMAT = 1
MAX_LINE = 512 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says about itself."""

    made_at: datetime
    version: str
    migrations: list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was written, read or loaded."""

    made_at: datetime
    tables: int
    rows: int


def write_backup(path: Path, lock: Lock) -> Copied:
    """Write the database in use to a file, which appears under its name when it is whole and was read once again.

    Mailwall may go on working meanwhile. Passwords of accounts are in it as they are stored: sealed.
    :raises OperationRefused: the database is not up to date.
    """
    new = path.with_name(f"{path.name}.partial")
    try:
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            sealer = Sealer(file, lock)
            with gzip.GzipFile(fileobj=sealer, mode="wb", compresslevel=5, mtime=0) as packed:
                _write(packed)
            sealer.finish()
            file.flush()
            os.fsync(file.fileno())
        copied = verify(new, lock)
        new.replace(path)
        return copied
    finally:
        new.unlink(missing_ok=True)


def verify(path: Path, lock: Lock) -> Copied:
    """Read a backup from end to end.

    :raises BackupUnreadable: anything is wrong with it.
    """
    with reading(path, lock) as reader:
        count = rows = 0
        for name, lines in reader.tables():
            found = Checksum()
            for line in lines:
                found.add(line)
            reader.compare(name, found)
            count, rows = count + 1, rows + found.rows
        return Copied(made_at=reader.manifest.made_at, tables=count, rows=rows)


@contextlib.contextmanager
def reading(path: Path, lock: Lock) -> Iterator[Reader]:
    """Open a backup. :raises BackupUnreadable: also later, from whatever it gives."""
    try:
        with path.open("rb") as file, gzip.GzipFile(fileobj=io.BufferedReader(Opener(file, lock))) as packed:
            yield Reader(packed)
    except FileNotFoundError as error:
        raise BackupUnreadable(f"There is no file {path}.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BackupUnreadable("The backup is damaged.") from error


class Reader:
    """Gives the tables of a backup, one after the other."""

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        known = self._object()
        if known.get("format") != FORMAT:
            raise BackupUnreadable("The backup is of a newer Mailwall.")
        self.manifest = Manifest(
            made_at=datetime.fromisoformat(known["made_at"]),
            version=known["version"],
            migrations=[(app, name) for app, name in known["migrations"]],
        )
        self._columns: list[str] = []
        self._told = ""

    def tables(self) -> Iterator[tuple[str, Iterator[str]]]:
        """(label, encoded rows) of each; take all rows before the next one. compare() tells whether all was there."""
        while "table" in (begin := self._object()):
            self._columns = begin["columns"]
            yield begin["table"], self._rows()
        if begin.get("complete") is not True:
            raise BackupUnreadable("The backup is cut off.")

    @property
    def columns(self) -> list[str]:
        """Of the table that was given last."""
        return self._columns

    def compare(self, label: str, found: Checksum) -> None:
        """Refuse rows that are not those that were written."""
        if found.as_text() != self._told:
            raise BackupUnreadable(f"Rows of {label} are missing or changed ({found.rows} found).")

    def _rows(self) -> Iterator[str]:
        while (line := self._line()).startswith("["):
            yield line
        self._told = json.loads(line)["checksum"]

    def _object(self) -> dict[str, Any]:
        found = json.loads(self._line())
        if not isinstance(found, dict):
            raise BackupUnreadable("The backup is damaged.")
        return found

    def _line(self) -> str:
        return self._file.readline(MAX_LINE).decode("ascii").rstrip("\n")


def _write(file: gzip.GzipFile) -> None:
    with databases.snapshot() as alias:
        told = {
            "made_at": datetime.now(UTC).isoformat(),
            "version": version("mailwall"),
            "migrations": versions.newest(alias),
        }
        _put(file, json.dumps({"format": FORMAT, **told}))
        for table in tables.all_tables(apps):
            _put(file, json.dumps({"table": table.label, "columns": table.names}))
            found = Checksum()
            for line in table.lines(alias):
                found.add(line)
                _put(file, line)
            _put(file, json.dumps({"checksum": found.as_text()}))
        _put(file, json.dumps({"complete": True}))


def _put(file: gzip.GzipFile, line: str) -> None:
    file.write(line.encode("ascii") + b"\n")
