"""Search documents: what is found by which words. Written here, asked by wall/search.py.

One table per kind of thing (`mailstore_search` of messages), the document's id is the thing's id, so that "newest
first" is the order of ids. Words are cut and folded here, once, for documents and for queries (`index_words`): the
database gets ready words, so both engines find alike. Fields are kept apart: subject, sender, recipients, body.

SQLite: FTS5 with these columns and rowid = id. The tokenizer `ascii` only splits at our spaces. The table has its own
copy of the words: a contentless one cannot delete before SQLite 3.43. PostgreSQL: `id`, `document tsvector` with GIN;
the weights A, B, C, D are the four fields. There a word keeps its first 255 places, and places end at 16,383: phrases
far down in very long mails are found on SQLite only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from mailwall.mailstore import sql
from mailwall.mime.fold import words

MESSAGES = "mailstore_search"
#: SQLite: every occurrence of every word of MESSAGES, by words; a way to look at the index, no data
OCCURRENCES = "mailstore_search_occurrences"
#: field → weight on PostgreSQL, in the order of SQLite's columns
WEIGHTS = {"subject": "A", "sender": "B", "recipients": "C", "body": "D"}
MAX_WORD_LENGTH = 100
MAX_FIELD_LENGTH = 1_000_000  # characters read of one field
MAX_WORDS_BYTES = 900_000  # of one document; a tsvector ends at 1 MB
_PLACES_PER_WORD, _LAST_PLACE = 255, 16_383


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """What one thing is found by, not yet folded. sender, recipients: names and addresses."""

    id: int
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


def create_table(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    """Make the table of a kind of thing; for a migration. Never changed: a new layout gets a new function."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE TABLE {table} (id bigint PRIMARY KEY, document tsvector NOT NULL)")
        schema_editor.execute(f"CREATE INDEX {table}_words ON {table} USING gin (document)")
    else:
        schema_editor.execute(
            f"CREATE VIRTUAL TABLE {table} USING fts5(subject, sender, recipients, body, tokenize = 'ascii')"
        )


def create_occurrences(schema_editor: BaseDatabaseSchemaEditor) -> None:
    """For a migration. Never changed."""
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"CREATE VIRTUAL TABLE {OCCURRENCES} USING fts5vocab({MESSAGES}, instance)")


def drop_occurrences(schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "sqlite":
        schema_editor.execute(f"DROP TABLE {OCCURRENCES}")


def drop_table(schema_editor: BaseDatabaseSchemaEditor, table: str) -> None:
    schema_editor.execute(f"DROP TABLE {table}")


def index_documents(documents: Sequence[SearchDocument], table: str = MESSAGES) -> None:
    """Write documents, in place of those with the same id; in the caller's transaction."""
    if not documents:
        return
    if connection.vendor == "postgresql":
        _write_tsvectors(documents, table)
    else:
        _write_fts(documents, table)


def delete_documents(ids: Iterable[int], table: str = MESSAGES) -> None:
    key = "id" if connection.vendor == "postgresql" else "rowid"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {sql.one_of(key)}", [sql.values_of(ids)])  # noqa: S608


def _write_fts(documents: Sequence[SearchDocument], table: str) -> None:
    # ascending: FTS5 writes out all it holds in memory whenever an id is lower than the one before
    documents = sorted(documents, key=lambda document: document.id)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT OR REPLACE INTO {table} (rowid, subject, sender, recipients, body) VALUES (%s, %s, %s, %s, %s)",  # noqa: S608
            [(document.id, *_fields(document)) for document in documents],
        )


def _write_tsvectors(documents: Sequence[SearchDocument], table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, document) "  # noqa: S608
            "SELECT id, words::tsvector FROM unnest(%s::bigint[], %s::text[]) AS d (id, words) "
            "ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            [[document.id for document in documents], [_tsvector(document) for document in documents]],
        )


def _fields(document: SearchDocument) -> list[str]:
    """The words of each field in the order of WEIGHTS, with a space between; what goes beyond the limit is cut off."""
    fields = [" ".join(index_words(getattr(document, name))) for name in WEIGHTS]
    if 4 * sum(map(len, fields)) <= MAX_WORDS_BYTES:
        return fields
    left = MAX_WORDS_BYTES
    for index, field in enumerate(fields):
        found = field.split(" ")
        for place, word in enumerate(found):
            left -= len(word.encode()) + 4
            if left < 0:
                fields[index] = " ".join(found[:place])
                break
    return fields


def _tsvector(document: SearchDocument) -> str:
    """The document as text of a tsvector: 'word':1A,7D. A place is left out between fields: no phrase spans them."""
    places: dict[str, list[str]] = {}
    place = 0
    for found, weight in zip(_fields(document), WEIGHTS.values(), strict=True):
        place += 1
        for word in found.split():
            place += 1
            of_word = places.setdefault(word, [])
            if len(of_word) < _PLACES_PER_WORD:
                of_word.append(f"{min(place, _LAST_PLACE)}{weight}")
    return " ".join(f"'{word}':{','.join(of_word)}" for word, of_word in places.items())
