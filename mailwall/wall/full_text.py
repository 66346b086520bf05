"""How the full-text indexes of SQLite and PostgreSQL are asked: a query in their language, and the rows it finds.

The last word of a query is a prefix. FTS5 reads every document of every word that begins so before it gives the first
(33 ms for a common word of 1,000,000 documents, and as much for each look-up of one row). Where not too many words
begin so, they are asked for by name: FTS5 then walks newest first and stops when the page is full (0.1 ms).

PostgreSQL's planner does not know how far it must walk for a page of hits, and took a second for a word that nobody
wrote. Its estimate of how many there are is good, so `newest` asks for that first and says which way to go.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import connection
from django.db.models import BooleanField, Expression, F, QuerySet
from django.db.models.expressions import RawSQL

from mailwall.mailstore import search_index, sql
from mailwall.mailstore.models import MessageQuerySet
from mailwall.wall.rules import SearchQuery, Term

MAX_COMPLETIONS = 300  # words that begin alike; found in 40 µs each
FEW_HITS = 5_000  # hits of a whole query; listed in 3 ms
FEW_ESTIMATED = 20_000  # documents that PostgreSQL fetches by their words in less time than it walks to a page of them
_LAST_CHARACTER = "\U0010ffff"

Rows = TypeVar("Rows", bound=QuerySet[Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The words of a query in the database's language. is_cheap: FTS5 looks up one row without reading much more."""

    text: str
    is_cheap: bool = True


def match_of(query: SearchQuery, fields: Sequence[str] = (), *, table: str = search_index.MESSAGES) -> Match | None:
    """What to ask of the index; with `fields`, the words only there. None when the query asks for no words."""
    parts = [(fields, term) for term in query.terms]
    parts += [(("sender",), term) for term in query.senders] + [(("recipients",), term) for term in query.receivers]
    if not parts:
        return None
    if connection.vendor == "postgresql":
        return Match(text=" & ".join(_tsquery(names, term) for names, term in parts))
    asked = [_fts(names, term, table) for names, term in parts]
    return Match(text=" AND ".join(part.text for part in asked), is_cheap=all(part.is_cheap for part in asked))


def _words(term: Term) -> list[str]:
    return search_index.index_words(" ".join(term.words))


def _fts(fields: Sequence[str], term: Term, table: str) -> Match:
    """FTS5: {subject} : ("two words" OR "two wordings")"""
    *before, last = _words(term)
    if not term.prefix:
        endings: list[str] | None = [last]
    else:
        endings = _completions(last) if table == search_index.MESSAGES else []
    if endings:
        found = " OR ".join(f'"{" ".join([*before, ending])}"' for ending in endings)
        asked = Match(text=f"({found})", is_cheap=len(endings) < 5)
    else:
        asked = Match(text=f'"{" ".join([*before, last])}" *', is_cheap=endings is not None)
    return replace(asked, text=f"{{{' '.join(fields)}}} : {asked.text}") if fields else asked


def _completions(prefix: str) -> list[str] | None:
    """The words of mail that begin so; None when there are more than MAX_COMPLETIONS.

    Of all occurrences of all words, asking for the first one after a word leaps over all those of the word.
    """
    first_from = f"SELECT term FROM {search_index.OCCURRENCES} WHERE term >= {{}} AND term < %s LIMIT 1"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE found(word) AS (SELECT ({first_from.format('%s')}) UNION ALL "  # noqa: S608
            f"SELECT ({first_from.format('found.word || char(1)')}) FROM found WHERE found.word IS NOT NULL LIMIT %s) "
            "SELECT word FROM found WHERE word IS NOT NULL",
            [prefix, prefix + _LAST_CHARACTER, prefix + _LAST_CHARACTER, MAX_COMPLETIONS + 1],
        )
        found = [word for (word,) in cursor.fetchall()]
    return found if len(found) <= MAX_COMPLETIONS else None


def _tsquery(fields: Sequence[str], term: Term) -> str:
    """PostgreSQL: 'two':A <-> 'words':*A"""
    weights = "".join(search_index.WEIGHTS[name] for name in fields)
    words = _words(term)
    marks = [weights] * (len(words) - 1) + [("*" if term.prefix else "") + weights]
    lexemes = [f"'{word}':{mark}" if mark else f"'{word}'" for word, mark in zip(words, marks, strict=True)]
    return f"({' <-> '.join(lexemes)})"


# -- asking


def _key(table: str) -> str:
    return f"{table}.id" if connection.vendor == "postgresql" else f"{table}.rowid"


def _condition(table: str, *, by_index: bool = True) -> str:
    """Whether a document is found; on PostgreSQL the operator may go by the index of words, the function never does."""
    if connection.vendor != "postgresql":
        return f"{table} MATCH %s"
    return f"{table}.document @@ %s::tsquery" if by_index else f"ts_match_vq({table}.document, %s::tsquery)"


class _Found(Expression):
    """Whether the thing with this id is found: looked up one by one, or (listed) in the list of all hits."""

    def __init__(self, table: str, match: Match, *, listed: bool) -> None:
        super().__init__(output_field=BooleanField())
        self.table, self.match, self.listed, self.key = table, match, listed, F("pk")

    def get_source_expressions(self) -> list[Any]:
        return [self.key]

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        [self.key] = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        key, params = compiler.compile(self.key)
        table, column = self.table, _key(self.table)
        if self.listed:
            found = f"{key} IN (SELECT {column} FROM {table} WHERE {_condition(table)})"  # noqa: S608 -- own names
        else:
            condition = _condition(table, by_index=False)
            found = f"EXISTS (SELECT 1 FROM {table} WHERE {column} = {key} AND {condition})"  # noqa: S608
        return found, (*params, self.match.text)


def among(rows: Rows, match: Match, table: str = search_index.MESSAGES) -> Rows:
    """Those of the rows that are found; for lists that are small beside the store."""
    if connection.vendor != "postgresql":
        hits = newest(match, (0, 2**63 - 1), FEW_HITS + 1, table=table)
        if len(hits) <= FEW_HITS:
            return rows.filter(pk__one_of=hits)
    return rows.filter(_Found(table, match, listed=not match.is_cheap))


def newest(
    match: Match,
    bounds: tuple[int, int],
    limit: int,
    *,
    of: MessageQuerySet | None = None,
    table: str = search_index.MESSAGES,
) -> list[int]:
    """The highest ids that are found, from bounds[0] up to below bounds[1], highest first; only of these messages."""
    key, probe, params = _key(table), "", ()
    source, condition, fence = table, _condition(table, by_index=False), ""
    if connection.vendor == "postgresql":
        fence = "OFFSET 0"  # its planner then looks up one candidate after the other, and stops when there are enough
        if _estimated(match, table) <= FEW_ESTIMATED:
            found = f"WITH found AS MATERIALIZED (SELECT id FROM {table} WHERE {_condition(table)})"  # noqa: S608
            source = f"({found} SELECT id FROM found ORDER BY id DESC {fence}) AS {table}"  # noqa: S608
            condition = "TRUE"
    if of is not None:
        probed, params = of.filter(pk=RawSQL(key, [])).order_by().values("pk").query.sql_with_params()  # noqa: S611
        probe = f"AND EXISTS ({probed} {fence})"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key} FROM {source} WHERE {condition} AND {key} >= %s AND {key} < %s {probe} "  # noqa: S608
            f"ORDER BY {key} DESC LIMIT %s",
            [match.text, *bounds, *params, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def _estimated(match: Match, table: str) -> int:
    """How many documents PostgreSQL thinks the words are in, from its statistics; a millisecond."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) SELECT 1 FROM {table} WHERE {_condition(table)}", [match.text])  # noqa: S608
        [told] = cursor.fetchone()
    return int(told[0]["Plan"]["Plan Rows"])


def found_in(ids: Iterable[int], match: Match, table: str = search_index.MESSAGES) -> set[int]:
    """Those of the ids that are found."""
    key = _key(table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key} FROM {table} WHERE {_condition(table)} AND {sql.one_of(key)}",  # noqa: S608
            [match.text, sql.values_of(ids)],
        )
        return {row[0] for row in cursor.fetchall()}
