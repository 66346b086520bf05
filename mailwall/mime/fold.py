"""Text folded for search: case, accents and ligatures fall away, so that both databases find alike.

`Łódź`, `lodz` and `ŁÓDŹ` are one word. Sources: UAX 15 (NFKD), Unicode case folding; letters with a stroke do not
decompose in Unicode and stand in a table here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

_LETTERS = {
    "ł": "l", "ø": "o", "ß": "ss", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŧ": "t",
    "ŋ": "ng", "ĸ": "k", "ſ": "s", "ƀ": "b", "ɨ": "i", "ʉ": "u", "ə": "e", "ŀ": "l", "ĳ": "ij", "ŉ": "n", "ς": "σ",
    "‘": "'", "’": "'", "‐": "-", "‑": "-", "\u00ad": "", "\u200b": "", "\u200c": "", "\u200d": "", "\ufeff": "",
}  # fmt: skip
_WORD = re.compile(r"[^\W_]+")
_FEW_CHARACTERS = 40
_ASCII = bytes(range(128))
#: ASCII → small letters and digits, all else a space
_ASCII_WORDS = bytes(ord(chr(code).lower()) if code < 128 and chr(code).isalnum() else 32 for code in range(256))


class _Table(dict[int, str]):
    """Character → folded characters, worked out once for each character met."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        self[code] = folded
        return folded


def _fold_character(char: str) -> str:
    decomposed = unicodedata.normalize("NFKD", char.casefold()).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", decomposed) if not unicodedata.combining(c))
    return "".join(_LETTERS.get(c, c) for c in plain)


_TABLE = _Table()


def fold_text(text: str) -> str:
    """The text in folded form (NFKD, no combining marks, case folded, ł→l, ø→o, ß→ss …). Idempotent."""
    if text.isascii():
        return text.lower()
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) < 1.2 * len(text):  # mostly ASCII: its few letters one by one
        text = _without(set(raw.translate(None, _ASCII).decode("utf-8", "surrogatepass")), text)
        if text.isascii():
            return text.lower()
    return text.translate(_TABLE)


def _without(chars: set[str], text: str) -> str:
    if len(chars) <= _FEW_CHARACTERS:
        for char in chars:
            text = text.replace(char, _TABLE[ord(char)])
    return text


def folded_ends(text: str) -> Sequence[int]:
    """For each character of the text where its folded form ends in the folded text."""
    if text.isascii():
        return range(1, len(text) + 1)
    widths = {char: len(fold_text(char)) for char in set(text)}
    return list(accumulate(map(widths.__getitem__, text)))


def words(text: str) -> list[str]:
    """The folded words of a text, in order: runs of letters and digits."""
    folded = fold_text(text)
    if folded.isascii():
        return folded.encode("ascii").translate(_ASCII_WORDS).decode("ascii").split()
    return _WORD.findall(folded)
