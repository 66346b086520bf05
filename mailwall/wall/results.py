"""Pages of search results: mails and notes that `search` finds, as cards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailwall.mailstore.models import Message
from mailwall.team.models import User
from mailwall.wall import search
from mailwall.wall.cards import Card
from mailwall.wall.grouping import Lead, build_cards, note_card
from mailwall.wall.models import Note
from mailwall.wall.queries import EMAIL_RANK, NOTE_RANK, CardPage, Position, notes_after
from mailwall.wall.rules import SearchQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class BestPage:
    """next: how many hits to skip for the next page."""

    cards: list[Card]
    next: int | None


def search_page(
    viewer: User,
    query: SearchQuery,
    *,
    kind: str = "",
    before: Position | None = None,
    limit: int = 30,
) -> CardPage:
    """Mails and notes that the query finds, newest first."""
    found: list[tuple[Position, Lead | Note]] = []
    if kind != "note":
        bound = None if before is None else before.id if before.rank == EMAIL_RANK else before.second << 20
        for lead in search.find_messages(viewer, query, before=bound, limit=limit + 1):
            found.append((Position(second=lead.id >> 20, rank=EMAIL_RANK, id=lead.id), lead))
    if kind != "email":
        older = notes_after(before) if before else None
        for note in search.find_notes(viewer, query, older=older, limit=limit + 1):
            found.append((Position(second=int(note.created_at.timestamp()), rank=NOTE_RANK, id=note.pk), note))
    found.sort(key=lambda entry: (entry[0].second, entry[0].rank, entry[0].id), reverse=True)
    page = found[:limit]
    built = _hit_cards(viewer, query, [entry for _, entry in page])
    return CardPage(cards=built, next=page[-1][0] if len(found) > limit else None)


def best_page(viewer: User, query: SearchQuery, *, kind: str = "", skip: int = 0, limit: int = 30) -> BestPage:
    """Mails, best first (search.best_first), then notes."""
    entries: list[Lead | Note] = [*search.best_first(viewer, query)] if kind != "note" else []
    if kind != "email":
        entries += search.find_notes(viewer, query, limit=search.MAX_BEST)
    page = entries[skip : skip + limit]
    return BestPage(cards=_hit_cards(viewer, query, page), next=skip + limit if len(entries) > skip + limit else None)


def _hit_cards(viewer: User, query: SearchQuery, entries: Sequence[Lead | Note]) -> list[Card]:
    leads = [entry for entry in entries if isinstance(entry, Lead)]
    built = build_cards(viewer, leads, Message.objects.visible_to(viewer), terms=query.terms)
    shown = [built.get(entry.id) if isinstance(entry, Lead) else note_card(entry, query.terms) for entry in entries]
    return [card for card in shown if card is not None]
