"""Polish is whole: every string of every room, no fuzzy one, placeholders intact, one word for one thing."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import polib
import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = sorted(path.parent.name for path in (ROOT / "mailwall").glob("*/__init__.py"))
PLACEHOLDER = re.compile(r"%\(\w+\)[sdr]|%[sd](?!\w)|{\w*}")


def catalogue(room: str) -> polib.POFile:
    path = ROOT / f"mailwall/{room}/locale/pl/LC_MESSAGES/django.po"
    return polib.pofile(str(path)) if path.exists() else polib.POFile()


@pytest.fixture(scope="module")
def extract():
    if not shutil.which("xgettext"):
        pytest.fail("xgettext is missing: apt-get install gettext")
    return runpy.run_path(str(ROOT / "scripts/messages"))["extract"]


@pytest.mark.parametrize("room", ROOMS)
def test_every_string_is_translated(room, extract):
    source = ROOT / "mailwall" / room
    marked = any(
        re.search(r"gettext|{% (load i18n|translate|blocktranslate|trans)\b", file.read_text(encoding="utf-8"))
        for file in [*source.rglob("*.py"), *source.rglob("*.html")]
    )
    if not marked:
        return
    known = {(entry.msgctxt, entry.msgid) for entry in catalogue(room) if entry.translated() and not entry.fuzzy}
    missing = [entry.msgid for entry in extract(source) if (entry.msgctxt, entry.msgid) not in known]
    assert not missing, f"scripts/messages {room}, then translate"


@pytest.mark.parametrize("room", ROOMS)
def test_no_translation_is_fuzzy_or_breaks_a_placeholder(room):
    for entry in catalogue(room):
        assert not entry.fuzzy, entry.msgid
        wanted = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
        for text in entry.msgstr_plural.values() or [entry.msgstr]:
            assert set(PLACEHOLDER.findall(text)) == wanted, entry.msgid
        if entry.msgid_plural:
            assert len(entry.msgstr_plural) == 4, entry.msgid


def test_one_english_string_has_one_polish_one():
    """Django puts the rooms' catalogues into one: two translations would be decided by the order of the rooms."""
    seen: dict[tuple[str | None, str], tuple[str, str]] = {}
    for room in ROOMS:
        for entry in catalogue(room):
            text = entry.msgstr or str(entry.msgstr_plural)
            first, said = seen.setdefault((entry.msgctxt, entry.msgid), (room, text))
            assert said == text, f"{entry.msgid!r}: {first} says {said!r}, {room} says {text!r} (use a context)"
