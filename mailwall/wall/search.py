"""Search over mail and notes, newest first or best first; the same answer on SQLite and PostgreSQL.

Who may see a message is part of the query, before matching counts for anything. Two plans: by the index, walking its
documents newest first (their ids are dates) until the page is full; for viewers and lists with few messages, from
these, so that a common word in a large store costs them nothing. The visible copies of one mail are one hit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Q, QuerySet

from mailwall.mailstore import search_index
from mailwall.mailstore.models import Message, MessageQuerySet
from mailwall.mailstore.rules import DATE_TOLERANCE, key_before
from mailwall.team.models import User
from mailwall.wall import full_text, rules
from mailwall.wall.full_text import Match
from mailwall.wall.grouping import Lead, leads_of
from mailwall.wall.models import Note
from mailwall.wall.rules import SearchQuery

NOTES = "wall_note_search"
SEES_LITTLE = 2_000  # messages; below it each is looked up in the index
MAX_BEST = 500  # newest hits among which best-first chooses
MAX_ODD = 1_000  # messages of a range of dates whose ids do not tell their dates
_RANKS = (("subject",), ("subject", "sender", "recipients"))
_SLACK = timedelta(minutes=1)  # messages of a crowded second have ids of the next ones
_ALL_IDS = (0, 2**63 - 1)


# -- narrowing lists


def zone_of(viewer: User) -> ZoneInfo:
    try:
        return ZoneInfo(viewer.time_zone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def narrow(rows: MessageQuerySet, viewer: User, query: SearchQuery | None) -> MessageQuerySet:
    """Those of the messages that the query finds: for lists that are small already."""
    if query is None:
        return rows
    rows, match = _narrow_fields(rows, viewer, query), full_text.match_of(query)
    return full_text.among(rows, match) if match else rows


def _narrow_fields(rows: MessageQuerySet, viewer: User, query: SearchQuery) -> MessageQuerySet:
    """All that a query asks but words."""
    if query.is_empty:
        return rows.none()
    if query.direction:
        rows = rows.filter(direction=query.direction)
    if query.has_attachment:
        rows = rows.filter(has_attachments=True)
    since, before = _bounds(viewer, query)
    rows = rows.filter(date__gte=since) if since is not None else rows
    return rows.filter(date__lt=before) if before is not None else rows


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
    match = full_text.match_of(query, table=NOTES)
    return full_text.among(notes, match, NOTES) if match else notes


# -- the whole store


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """How hits are found. rows: visible, and all that the query asks but words; match: the words.

    ids: between them lie the hits, but for `odd` ones, whose date is not that of their id. walks: by the index, whose
    documents come newest first; else from the rows.
    """

    rows: MessageQuerySet
    match: Match | None
    ids: tuple[int, int] = _ALL_IDS
    odd: Sequence[int] = ()
    walks: bool = False

    def hits_below(self, key: int, limit: int) -> list[int]:
        """The highest ids below `key`, at least `limit` while there are so many; copies of one mail are hits each."""
        low, high = self.ids[0], min(self.ids[1], key)
        if self.match and self.walks:
            found = full_text.newest(self.match, (low, high), limit, of=self.rows)
        else:
            rows = self.rows.filter(pk__gte=low, pk__lt=high)
            rows = full_text.among(rows, self.match) if self.match else rows
            found = list(rows.order_by("-pk").values_list("pk", flat=True)[:limit])
        return sorted({*found, *(pk for pk in self.odd if pk < key)}, reverse=True)[:limit]


def find_messages(
    viewer: User,
    query: SearchQuery,
    *,
    within: MessageQuerySet | None = None,
    before: int | None = None,
    limit: int,
) -> list[Lead]:
    """Visible messages that the query finds, newest first, with ids below `before`; one for all copies of a mail.

    within: a list of messages visible to the viewer, to look only there.
    """
    if query.is_empty:
        return []
    plan = _plan(viewer, query, Message.objects.visible_to(viewer) if within is None else within)
    found: dict[str, Lead] = {}  # by what copies have in common
    shown: set[str] = set()
    below = _ALL_IDS[1] if before is None else before
    while len(found) < limit:
        ids = plan.hits_below(below, limit)
        leads = leads_of(Message.objects.filter(pk__in=ids))
        if before is not None:
            shown |= _shown_before(plan, {lead.dedupe_key for lead in leads}, before)
        for lead in leads:
            if lead.dedupe_key not in shown:
                found.setdefault(lead.dedupe_key, lead)
        if len(ids) < limit:
            break
        below = ids[-1]
    return list(found.values())[:limit]


def _shown_before(plan: _Plan, keys: Collection[str], before: int) -> set[str]:
    """Those of the keys that have a hit at or above `before`: on a page before this one."""
    newer = dict(plan.rows.filter(dedupe_key__in=keys, pk__gte=before).values_list("pk", "dedupe_key"))
    hits = full_text.found_in(newer, plan.match) if plan.match and newer else newer
    return {newer[pk] for pk in hits}


def _plan(viewer: User, query: SearchQuery, visible: MessageQuerySet) -> _Plan:
    rows, match = _narrow_fields(visible, viewer, query), full_text.match_of(query)
    if _is_small(visible):
        return _Plan(rows=rows, match=match)
    since, before = _bounds(viewer, query)
    if since is None and before is None:
        return _Plan(rows=rows, match=match, walks=True)
    listed = rows.filter(odd_date__isnull=False)
    listed = listed.filter(odd_date__gte=since) if since is not None else listed
    listed = listed.filter(odd_date__lt=before) if before is not None else listed
    odd = list(listed.values_list("pk", flat=True)[: MAX_ODD + 1])
    if len(odd) > MAX_ODD:  # a whole account came from another server, as of one day
        return _Plan(rows=rows, match=match, walks=True)
    hits = full_text.found_in(odd, match) if match and odd else odd
    low = key_before(since - DATE_TOLERANCE) if since is not None else _ALL_IDS[0]
    high = key_before(before + DATE_TOLERANCE + _SLACK) if before is not None else _ALL_IDS[1]
    return _Plan(rows=rows, match=match, ids=(low, high), odd=tuple(hits), walks=True)


def _is_small(visible: MessageQuerySet) -> bool:
    return visible.order_by("-pk").values("pk")[:SEES_LITTLE].count() < SEES_LITTLE


def find_notes(viewer: User, query: SearchQuery, *, limit: int, older: Q | None = None) -> list[Note]:
    """Notes that the query finds, newest first. Every user may read every note."""
    notes = narrow_notes(Note.objects.all(), viewer, query)
    if older is not None:
        notes = notes.filter(older)
    return list(notes.select_related("author", "contact").order_by("-created_at", "-pk")[:limit])


def best_first(viewer: User, query: SearchQuery) -> list[Lead]:
    """The newest 500 hits: all words in the subject, then in subject and people, then anywhere; each newest first."""
    leads = find_messages(viewer, query, limit=MAX_BEST)
    ids = [lead.id for lead in leads]
    ranks = dict.fromkeys(ids, len(_RANKS))
    if query.terms:
        for rank, fields in reversed(list(enumerate(_RANKS))):
            match = full_text.match_of(query, fields)
            assert match is not None  # it has words
            ranks.update(dict.fromkeys(full_text.found_in(ids, match), rank))
    return sorted(leads, key=lambda lead: (ranks[lead.id], -lead.id))


def index_note(note: Note) -> None:
    """Write what a note is found by; in the caller's transaction."""
    search_index.index_documents([search_index.SearchDocument(id=note.pk, body=note.text)], NOTES)


def forget_note(note_id: int) -> None:
    search_index.delete_documents([note_id], NOTES)
