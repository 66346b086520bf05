"""Translations: the rooms' .po files are in the repository, the .mo files that Django reads are made from them here."""

from __future__ import annotations

import os
from pathlib import Path

import polib

ROOMS = Path(__file__).resolve().parent.parent


def compile_catalogues(root: Path = ROOMS) -> int:
    """Write the .mo of every room whose .po is newer; gives how many were written. Running it twice is harmless."""
    written = 0
    for source in sorted(root.glob("*/locale/*/LC_MESSAGES/django.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        fresh = target.with_suffix(f".mo.{os.getpid()}")  # others may read the old one, or write it too
        polib.pofile(str(source)).save_as_mofile(str(fresh))
        fresh.chmod(0o644)  # part of the program, not of somebody's data
        fresh.replace(target)
        written += 1
    return written
