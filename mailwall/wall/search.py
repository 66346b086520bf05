"""Search over mail and notes, newest first or best first; the same answer on SQLite and PostgreSQL.

Who may see a message is part of the query, before matching counts for anything. Two plans: by the index, walking its
documents newest first (their ids are dates) until the page is full; for viewers who see little, from their messages,
so that a common word in a large store costs them nothing. The visible copies of one mail are one hit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import connection
from django.db.models import BooleanField, Exists, Expression, F, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL

from mailwall.mailstore import search_index, sql
from mailwall.mailstore.models import Message, MessageQuerySet
from mailwall.mailstore.rules import FUTURE_TOLERANCE, key_before
from mailwall.team.models import User
from mailwall.wall import rules
from mailwall.wall.models import Note
from mailwall.wall.rules import SearchQuery, Term

NOTES = "wall_note_search"
SEES_LITTLE = 2_000  # messages; below it each is looked up in the index
MAX_BEST = 500  # newest hits among which best-first chooses
_RANKS = (("subject",), ("subject", "sender", "recipients"))


# -- what the two engines call a query


def _match(query: SearchQuery, fields: Sequence[str] = ()) -> str:
    """The words of a query for the index; with `fields`, only found there. '' when it asks for no words."""
    parts = [(fields, term) for term in query.terms]
    parts += [(("sender",), term) for term in query.senders] + [(("recipients",), term) for term in query.receivers]
    if connection.vendor == "postgresql":
        return " & ".join(_tsquery(names, term) for names, term in parts)
    return " AND ".join(_fts(names, term) for names, term in parts)


def _words(term: Term) -> list[str]:
    return search_index.index_words(" ".join(term.words))


def _fts(fields: Sequence[str], term: Term) -> str:
    """FTS5: {subject} : "two words" *"""
    phrase = '"' + " ".join(_words(term)) + '"' + (" *" if term.prefix else "")
    return f"{{{' '.join(fields)}}} : {phrase}" if fields else phrase


def _tsquery(fields: Sequence[str], term: Term) -> str:
    """PostgreSQL: 'two':A <-> 'words':*A"""
    weights = "".join(search_index.WEIGHTS[name] for name in fields)
    words = _words(term)
    marks = [weights] * (len(words) - 1) + [("*" if term.prefix else "") + weights]
    lexemes = [f"'{word}':{mark}" if mark else f"'{word}'" for word, mark in zip(words, marks, strict=True)]
    return f"({' <-> '.join(lexemes)})"


def _id_column() -> str:
    return "id" if connection.vendor == "postgresql" else "rowid"


def _condition(table: str) -> str:
    if connection.vendor == "postgresql":
        return f"{table}.document @@ %s::tsquery"
    return f"{table} MATCH %s"


class _Matches(Expression):
    """Whether the thing with this id matches: one look-up in the index."""

    def __init__(self, table: str, match: str, *, listed: bool = False) -> None:
        super().__init__(output_field=BooleanField())
        self.table, self.match, self.listed, self.key = table, match, listed, F("pk")

    def get_source_expressions(self) -> list[Any]:
        return [self.key]

    def set_source_expressions(self, exprs: Sequence[Any]) -> None:
        [self.key] = exprs

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        key, params = compiler.compile(self.key)
        table, column = self.table, _id_column()
        if self.listed:
            found = f"{key} IN (SELECT {table}.{column} FROM {table} WHERE {_condition(table)})"  # noqa: S608 -- own names
        else:
            found = f"EXISTS (SELECT 1 FROM {table} WHERE {table}.{column} = {key} AND {_condition(table)})"  # noqa: S608
        return found, (*params, self.match)


# -- narrowing lists


def zone_of(viewer: User) -> ZoneInfo:
    try:
        return ZoneInfo(viewer.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def narrow(rows: MessageQuerySet, viewer: User, query: SearchQuery | None) -> MessageQuerySet:
    """Those of the messages that the query finds, each looked up in the index: for lists that are small already."""
    if query is None:
        return rows
    rows = _narrow_fields(rows, viewer, query)
    match = _match(query)
    return rows.filter(_Matches(search_index.MESSAGES, match)) if match else rows


def _narrow_fields(rows: MessageQuerySet, viewer: User, query: SearchQuery) -> MessageQuerySet:
    """All that a query asks but words."""
    if query.is_empty:
        return rows.none()
    if query.direction:
        rows = rows.filter(direction=query.direction)
    if query.has_attachment:
        rows = rows.filter(has_attachments=True)
    since, before = _bounds(viewer, query)
    if since is not None:
        rows = rows.filter(date__gte=since, pk__gte=_least_key(since))
    return rows if before is None else rows.filter(date__lt=before)


def _least_key(since: datetime) -> int:
    """Below the ids of all messages dated `since` or later: no honest Date is over a day ahead of the arrival."""
    return key_before(since - FUTURE_TOLERANCE)


def _bounds(viewer: User, query: SearchQuery) -> tuple[datetime | None, datetime | None]:
    zone = zone_of(viewer)
    return (
        rules.first_moment(query.since, zone) if query.since else None,
        rules.first_moment(query.before, zone) if query.before else None,
    )


def narrow_notes(notes: QuerySet[Note], viewer: User, query: SearchQuery | None) -> QuerySet[Note]:
    """Those of the notes that the query finds; none when it asks for what only mail has."""
    if query is None:
        return notes
    if query.is_empty or query.only_mail:
        return notes.none()
    since, before = _bounds(viewer, query)
    if since is not None:
        notes = notes.filter(created_at__gte=since)
    if before is not None:
        notes = notes.filter(created_at__lt=before)
    match = _match(query)
    return notes.filter(_Matches(NOTES, match, listed=True)) if match else notes


# -- the whole store


def find_messages(
    viewer: User,
    query: SearchQuery,
    *,
    within: MessageQuerySet | None = None,
    before: int | None = None,
    limit: int,
) -> list[int]:
    """Ids of visible messages that the query finds, newest first, below `before`; one for all copies of a mail.

    within: a list of messages visible to the viewer, to look only there.
    """
    if query.is_empty:
        return []
    visible = Message.objects.visible_to(viewer) if within is None else within
    match = _match(query)
    newer = narrow(visible, viewer, query).filter(dedupe_key=OuterRef("dedupe_key"), pk__gt=OuterRef("pk"))
    leading = _narrow_fields(visible, viewer, query).filter(~Exists(newer))
    if not match or _sees_little(viewer):
        rows = leading.filter(_Matches(search_index.MESSAGES, match)) if match else leading
        rows = rows.filter(pk__lt=before) if before is not None else rows
        return list(rows.order_by("-pk").values_list("pk", flat=True)[:limit])
    return _walk_index(leading, match, _id_bounds(viewer, query, before), limit)


def _sees_little(viewer: User) -> bool:
    visible = Message.objects.visible_to(viewer).order_by()
    return visible.values("pk")[:SEES_LITTLE].count() < SEES_LITTLE


def _id_bounds(viewer: User, query: SearchQuery, before: int | None) -> tuple[int, int]:
    """Least id and first id above, for the index to start and stop at."""
    since, _ = _bounds(viewer, query)
    return (_least_key(since) if since else 0, 2**63 - 1 if before is None else before)


def _walk_index(leading: MessageQuerySet, match: str, bounds: tuple[int, int], limit: int) -> list[int]:
    table, key = search_index.MESSAGES, f"{search_index.MESSAGES}.{_id_column()}"
    probe, params = leading.filter(pk=RawSQL(key, [])).order_by().values("pk").query.sql_with_params()  # noqa: S611
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key} FROM {table} WHERE {_condition(table)} AND {key} >= %s AND {key} < %s"  # noqa: S608
            f" AND EXISTS ({probe}) ORDER BY {key} DESC LIMIT %s",
            [match, *bounds, *params, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def find_notes(viewer: User, query: SearchQuery, *, limit: int, older: Q | None = None) -> list[Note]:
    """Notes that the query finds, newest first. Every user may read every note."""
    notes = narrow_notes(Note.objects.all(), viewer, query)
    if older is not None:
        notes = notes.filter(older)
    return list(notes.select_related("author", "contact").order_by("-created_at", "-pk")[:limit])


def best_first(viewer: User, query: SearchQuery) -> list[int]:
    """The newest 500 hits: all words in the subject, then in subject and people, then anywhere; each newest first."""
    ids = find_messages(viewer, query, limit=MAX_BEST)
    ranks = dict.fromkeys(ids, len(_RANKS))
    if query.terms:
        for rank, fields in reversed(list(enumerate(_RANKS))):
            ranks.update(dict.fromkeys(_matching_in(ids, _match(query, fields)), rank))
    return sorted(ids, key=lambda pk: (ranks[pk], -pk))


def _matching_in(ids: Iterable[int], match: str) -> list[int]:
    table, key = search_index.MESSAGES, f"{search_index.MESSAGES}.{_id_column()}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {key} FROM {table} WHERE {_condition(table)} AND {sql.one_of(key)}",  # noqa: S608
            [match, sql.values_of(ids)],
        )
        return [row[0] for row in cursor.fetchall()]


def index_note(note: Note) -> None:
    """Write what a note is found by; in the caller's transaction."""
    search_index.index_documents([search_index.SearchDocument(id=note.pk, body=note.text)], NOTES)


def forget_note(note_id: int) -> None:
    search_index.delete_documents([note_id], NOTES)
