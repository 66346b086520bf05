"""Cards stand for groups: on a wall for a thread, in a list for one mail in several accounts.

The newest message of a group leads it. The query itself asks that no newer one *of the same list* exists, so nothing is
dropped afterwards and every page is full.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, OuterRef
from django.db.models.functions import MD5

from mailwall.assignment.queries import ContactOfMessage
from mailwall.email_accounts.errors import translated
from mailwall.mailstore.models import MessageBody, MessageQuerySet
from mailwall.team.models import User
from mailwall.wall import cards
from mailwall.wall.cards import Card, PostCard
from mailwall.wall.models import Note, Post
from mailwall.wall.rules import Term


@dataclass(frozen=True, slots=True)
class Lead:
    """The newest message of a group."""

    id: int
    dedupe_key: str
    thread_key: str
    at: datetime


def leading(rows: MessageQuerySet, newer: MessageQuerySet, limit: int) -> list[Lead]:
    """The newest of `rows` for which `newer`, correlated with OuterRef, finds nothing."""
    return leads_of(rows.filter(~Exists(newer)), limit)


def leads_of(rows: MessageQuerySet, limit: int | None = None) -> list[Lead]:
    """These messages as they are, newest first."""
    values = rows.order_by("-pk").values_list("pk", "dedupe_key", "thread_key", "internaldate")
    return [Lead(*row) for row in values[:limit]]


def leading_in(pieces: Iterable[MessageQuerySet], newer: MessageQuerySet, limit: int) -> list[Lead]:
    """As `leading`, of pieces that follow each other; no more of them are read than it takes."""
    found: list[Lead] = []
    for rows in pieces:
        found += leading(rows, newer, limit - len(found))
        if len(found) >= limit:
            break
    return found


def newer_copies(base: MessageQuerySet) -> MessageQuerySet:
    """Those messages of `base` that are a newer copy of the outer message."""
    return base.filter(dedupe_key=OuterRef("dedupe_key"), pk__gt=OuterRef("pk"))


def build_cards(
    viewer: User, leads: Sequence[Lead], base: MessageQuerySet, *, terms: tuple[Term, ...] = ()
) -> dict[int, Card]:
    """Lead's id → its card. base: the messages of this list, for counting copies and threads; terms: to mark."""
    if not leads:
        return {}
    groups = _copies(base, [lead.dedupe_key for lead in leads])
    differing = _differing(groups)
    counts = dict(
        base.filter(thread_key__in={lead.thread_key for lead in leads})
        .values_list("thread_key")
        .annotate(mails=Count("dedupe_key", distinct=True))
    )
    shown = {lead.id: _own_copy_first(viewer, lead, groups[lead.dedupe_key]) for lead in leads}
    messages = cards.message_cards(viewer, list(shown.values()))
    return {
        lead.id: Card(
            at=lead.at,
            message=messages[shown[lead.id]],
            thread_count=counts.get(lead.thread_key, 1),
            copies=max(1, len(groups[lead.dedupe_key])),
            copies_differ=lead.dedupe_key in differing,
            contacts=messages[shown[lead.id]].contacts,
            terms=terms,
        )
        for lead in leads
        if shown[lead.id] in messages  # a message may go between two queries
    }


def _copies(base: MessageQuerySet, keys: Sequence[str]) -> dict[str, list[tuple[int, int]]]:
    """dedupe_key → (message, owner of its account) for each copy in `base`, newest first."""
    groups: dict[str, list[tuple[int, int]]] = defaultdict(list)
    rows = base.filter(dedupe_key__in=set(keys)).order_by("-pk")
    for key, pk, owner in rows.values_list("dedupe_key", "pk", "account__owner_id"):
        groups[key].append((pk, owner))
    return groups


def _differing(groups: dict[str, list[tuple[int, int]]]) -> set[str]:
    """The keys of those groups whose texts are not all the same."""
    key_of = {pk: key for key, group in groups.items() if len(group) > 1 for pk, _ in group}
    if not key_of:
        return set()
    texts: dict[str, set[str]] = defaultdict(set)
    for pk, digest in MessageBody.objects.filter(pk__in=key_of).values_list("pk", MD5("text")):
        texts[key_of[pk]].add(digest)
    return {key for key, digests in texts.items() if len(digests) > 1}


def _own_copy_first(viewer: User, lead: Lead, group: Sequence[tuple[int, int]]) -> int:
    return next((pk for pk, owner in group if owner == viewer.pk), lead.id)


def note_card(note: Note, terms: tuple[Term, ...] = ()) -> Card:
    """The card of a note; wants `contact` and `author` loaded."""
    contact = ContactOfMessage(id=note.contact_id, kind=note.contact.kind, name=note.contact.name, because=[])
    return Card(at=note.created_at, note=note, contacts=[contact], terms=terms)


def post_card(post: Post, sees_message: bool) -> Card:
    """The card of a post; wants `contact` loaded. sees_message: the viewer may see the mail that it is about."""
    contact = ContactOfMessage(id=post.contact_id, kind=post.contact.kind, name=post.contact.name, because=[])
    msgid = post.msgid if sees_message or not post.quiet_msgid else post.quiet_msgid
    shown = PostCard(
        post=post, text=translated(msgid, post.params, msgid), message_id=post.message_id if sees_message else None
    )
    return Card(at=post.at, post=shown, contacts=[contact])
