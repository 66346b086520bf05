"""Names of files that senders gave: safe to show, to save and to put into an archive, on every system. Pure."""

from __future__ import annotations

import itertools
import mimetypes
import re
import unicodedata
from collections.abc import Collection

MAX_FILENAME_BYTES = 255
_EXTENSIONS = {"message/rfc822": ".eml", "text/plain": ".txt", "text/html": ".html", "text/calendar": ".ics"}
_FORBIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f/\\\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
_NOT_ON_WINDOWS = re.compile(r'[:*?"<>|]')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|\Z)", re.IGNORECASE)


def safe_filename(name: str, content_type: str) -> str:
    """A name to show and to offer: no path, control, bidi or unseen characters, no dots at the ends, at most 255 bytes.

    Windows writes what is called CON.txt or aux to a device: such names get a low line in front. What it forbids in
    names besides stays, as the sender wrote it: browsers put something else there when they save.
    """
    name = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    name = _FORBIDDEN.sub("", name.encode("utf-8", "ignore").decode())
    name = " ".join(name.split()).strip(". ")
    if not name:
        extension = _EXTENSIONS.get(content_type) or mimetypes.guess_extension(content_type, strict=False) or ""
        return f"attachment{extension}"
    return _cut_name(f"_{name}" if _DEVICE.match(name) else name, MAX_FILENAME_BYTES)


def portable_filename(name: str, content_type: str) -> str:
    """The same without what Windows forbids, for what is written by other programs than browsers."""
    return safe_filename(_NOT_ON_WINDOWS.sub("", name), content_type)


def unused_name(name: str, used: Collection[str]) -> str:
    """The name, with a number before its ending when it is taken, also in other letters: A.txt is a.txt elsewhere."""
    taken = {each.casefold() for each in used}
    if name.casefold() not in taken:
        return name
    stem, dot, ending = name.rpartition(".")
    stem, ending = (stem, dot + ending) if dot and len(ending) < 10 else (name, "")
    numbered = (_cut_name(stem, MAX_FILENAME_BYTES, f" ({number}){ending}") for number in itertools.count(2))
    return next(each for each in numbered if each.casefold() not in taken)


def _cut_name(name: str, limit_bytes: int, ending: str = "") -> str:
    """With the ending not longer than that in UTF-8; a short ending that it has itself stays."""
    if len((name + ending).encode()) <= limit_bytes:
        return name + ending
    stem, dot, own = name.rpartition(".")
    if dot and not ending and len(own) < 10:
        name, ending = stem, f".{own}"
    return name.encode()[: limit_bytes - len(ending.encode())].decode("utf-8", "ignore").rstrip(". ") + ending
