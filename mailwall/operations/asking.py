"""How the commands are told the passphrase: from a file, from a key file, or typed."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from pathlib import Path

from mailwall.operations.envelope import Lock
from mailwall.operations.errors import OperationRefused

MIN_PASSPHRASE, MIN_KEY_BYTES = 10, 32


def add_arguments(parser: ArgumentParser) -> None:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--passphrase-file", help="file whose first line is the passphrase; - reads standard input")
    group.add_argument("--key-file", help="file of at least 32 random bytes, instead of a passphrase")


def lock_from(passphrase_file: str | None, key_file: str | None, *, twice: bool) -> Lock:
    """:raises OperationRefused: it cannot be read, is too short, or there is nobody to ask."""
    try:
        if key_file:
            key = Path(key_file).read_bytes()
            if len(key) < MIN_KEY_BYTES:
                raise OperationRefused(f"A key file has at least {MIN_KEY_BYTES} bytes: head -c 32 /dev/urandom > FILE")
            return Lock(key=key)
        typed = _first_line(passphrase_file) if passphrase_file else _typed(twice=twice)
    except OSError as error:
        raise OperationRefused(f"{error.filename} cannot be read ({error.strerror}).") from error
    if twice and len(typed) < MIN_PASSPHRASE:
        raise OperationRefused(f"A passphrase has at least {MIN_PASSPHRASE} characters; without it the backup is lost.")
    return Lock(passphrase=typed or "-")


def _first_line(file: str) -> str:
    text = sys.stdin.readline() if file == "-" else Path(file).read_text(encoding="utf-8")
    return text.splitlines()[0] if text else ""


def _typed(*, twice: bool) -> str:
    if not sys.stdin.isatty():
        raise OperationRefused("Say --passphrase-file FILE (or -), or --key-file FILE: there is nobody to ask.")
    typed = getpass.getpass("Passphrase of the backup: ")
    if twice and getpass.getpass("Once more: ") != typed:
        raise OperationRefused("The two are not the same.")
    return typed
