"""Search documents: what one thing is found by, and the words of it as the index has them. Pure.

Words are cut and folded here, once, for documents and for queries, so both databases find alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from mailwall.mime.fold import words

#: field → weight on PostgreSQL, in the order of SQLite's columns
WEIGHTS = {"subject": "A", "sender": "B", "recipients": "C", "body": "D"}
MAX_WORD_LENGTH = 100
_SHORT = 200
MAX_FIELD_LENGTH = 1_000_000  # characters read of one field
MAX_WORDS_BYTES = 900_000  # of one document; a tsvector ends at 1 MB

#: the words of each field in the order of WEIGHTS, with a space between
IndexWords: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """What one thing is found by, not yet folded. sender, recipients: names and addresses."""

    id: int = 0
    subject: str = ""
    sender: str = ""
    recipients: str = ""
    body: str = ""


def index_words(text: str) -> list[str]:
    """The words of a text as the index has them, in order; use it for queries too. Each at most 100 characters."""
    found = words(text[:MAX_FIELD_LENGTH])
    if max(map(len, found), default=0) <= MAX_WORD_LENGTH:
        return found
    return [word[:MAX_WORD_LENGTH] for word in found]


def words_of(document: SearchDocument) -> IndexWords:
    """The words that are written to the index; what goes beyond the limit of a document is cut off."""
    texts = [getattr(document, name) for name in WEIGHTS]
    fields = [_joined_known(text) if len(text) <= _SHORT else _joined(text) for text in texts]
    if 4 * sum(map(len, fields)) > MAX_WORDS_BYTES:
        _cut(fields)
    return tuple(fields)


def _joined(text: str) -> str:
    return " ".join(index_words(text))


_joined_known = lru_cache(maxsize=4096)(_joined)  # the same people write again


def _cut(fields: list[str]) -> None:
    left = MAX_WORDS_BYTES
    for index, field in enumerate(fields):
        found = field.split()
        for place, word in enumerate(found):
            left -= len(word.encode()) + 4
            if left < 0:
                fields[index] = " ".join(found[:place])
                break
