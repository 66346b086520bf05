"""Search documents: what is found by which words. Written here, asked by wall/search.py.

One table per kind of thing (`mailstore_search` of messages), the document's id is the thing's id, so that "newest
first" is the order of ids. The database gets ready words (documents.py), so both engines find alike. Fields are kept
apart: subject, sender, recipients, body.

SQLite: FTS5 with these columns and rowid = id. The tokenizer `ascii` only splits at our spaces. The table has its own
copy of the words: a contentless one cannot delete before SQLite 3.43. PostgreSQL: `id`, `document tsvector` with GIN;
the weights A, B, C, D are the four fields. There a word keeps its first 255 places, and places end at 16,383: phrases
far down in very long mails are found on SQLite only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from mailwall.mailstore import sql
from mailwall.mailstore.documents import WEIGHTS, IndexWords, SearchDocument, index_words, words_of

__all__ = ["SearchDocument", "index_documents", "index_words", "index_words_of"]

MESSAGES = "mailstore_search"
#: SQLite: every occurrence of every word of MESSAGES, by words; a way to look at the index, no data
OCCURRENCES = "mailstore_search_occurrences"
_PLACES_PER_WORD, _LAST_PLACE = 255, 16_383


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


def index_documents(documents: Iterable[SearchDocument], table: str = MESSAGES) -> None:
    """Write documents, in place of those with the same id; in the caller's transaction."""
    index_words_of([(document.id, words_of(document)) for document in documents], table)


def index_words_of(rows: Sequence[tuple[int, IndexWords]], table: str = MESSAGES) -> None:
    """Write documents by (id, words), in place of those with the same id; in the caller's transaction."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        _write_tsvectors(rows, table)
    else:
        _write_fts(rows, table)


def delete_documents(ids: Iterable[int], table: str = MESSAGES) -> None:
    key = "id" if connection.vendor == "postgresql" else "rowid"
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table} WHERE {sql.one_of(key)}", [sql.values_of(ids)])  # noqa: S608


def _write_fts(rows: Sequence[tuple[int, IndexWords]], table: str) -> None:
    # ascending: FTS5 writes out all it holds in memory whenever an id is lower than the one before
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT OR REPLACE INTO {table} (rowid, subject, sender, recipients, body) VALUES (%s, %s, %s, %s, %s)",  # noqa: S608
            [(id_, *words) for id_, words in sorted(rows)],
        )


def _write_tsvectors(rows: Sequence[tuple[int, IndexWords]], table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, document) "  # noqa: S608
            "SELECT id, words::tsvector FROM unnest(%s::bigint[], %s::text[]) AS d (id, words) "
            "ON CONFLICT (id) DO UPDATE SET document = excluded.document",
            [[id_ for id_, _words in rows], [_tsvector(words) for _id, words in rows]],
        )


def _tsvector(words: IndexWords) -> str:
    """The document as text of a tsvector: 'word':1A,7D. A place is left out between fields: no phrase spans them."""
    places: dict[str, list[str]] = {}
    place = 0
    for found, weight in zip(words, WEIGHTS.values(), strict=True):
        place += 1
        for word in found.split():
            place += 1
            of_word = places.setdefault(word, [])
            if len(of_word) < _PLACES_PER_WORD:
                of_word.append(f"{min(place, _LAST_PLACE)}{weight}")
    return " ".join(f"'{word}':{','.join(of_word)}" for word, of_word in places.items())
