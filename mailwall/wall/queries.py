"""Reads of the wall, of "Email messages" and of single messages.

The viewer first, and `visible_to(viewer)` before all else. Newest first is the order of a message's id
(mailstore.rules.message_key), so a page goes on from an id, never from a count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q
from django.http import Http404

from mailwall.assignment import queries as assignment
from mailwall.assignment.models import Link
from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Direction, Message, MessageBody, MessageQuerySet
from mailwall.mailstore.rules import key_before
from mailwall.team.models import User
from mailwall.wall import cards, pieces, search
from mailwall.wall.cards import Card, MessageCard
from mailwall.wall.grouping import Lead, build_cards, leading, leading_in, newer_copies, note_card, post_card
from mailwall.wall.models import Note, Post
from mailwall.wall.rules import SearchQuery

POST_RANK, NOTE_RANK, EMAIL_RANK = -1, 0, 1
MAX_COUNTED = 1_000
MAX_THREAD = 100
_CROWD = timedelta(minutes=1)  # messages of a crowded second have ids of the next ones


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a page of a wall ends: second since 1970, e-mails before notes before posts of one second, id."""

    second: int
    rank: int
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPage:
    cards: list[Card]
    next: Position | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPage:
    """next: the id to go on below."""

    cards: list[Card]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """next: the id to go on below."""

    cards: list[MessageCard]
    next: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFilter:
    """Which messages a list shows. assigned None: all. since inclusive, until exclusive (of INTERNALDATE)."""

    direction: str = ""
    assigned: bool | None = None
    account_id: int | None = None
    contact_id: int | None = None
    message_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    query: SearchQuery | None = None


# -- walls


def wall_contact_ids(contact: Contact) -> list[int]:
    """Whose messages and notes stand on this contact's wall: its own, and of a company its people's."""
    return [contact.pk, *Contact.objects.filter(company=contact).values_list("pk", flat=True)]


def wall_page(
    viewer: User,
    contact_ids: Sequence[int],
    *,
    kind: str = "",
    query: SearchQuery | None = None,
    before: Position | None = None,
    limit: int = 20,
) -> CardPage:
    """A page of a wall, newest first. kind: '' for all, 'email' or 'note'."""
    found: list[tuple[Position, Card | Lead]] = []
    if kind != "note":
        found += _leads_on_wall(viewer, contact_ids, query, before, limit + 1)
    if kind != "email":
        found += _notes_on_wall(viewer, contact_ids, query, before, limit + 1)
    if not kind and query is None:
        found += _posts_on_wall(viewer, contact_ids, before, limit + 1)
    found.sort(key=lambda entry: (entry[0].second, entry[0].rank, entry[0].id), reverse=True)
    page, more = found[:limit], len(found) > limit
    leads = [entry for _, entry in page if isinstance(entry, Lead)]
    built = build_cards(viewer, leads, on_wall(viewer, contact_ids, query), terms=query.terms if query else ())
    shown = [built.get(entry.id) if isinstance(entry, Lead) else entry for _, entry in page]
    return CardPage(cards=[card for card in shown if card is not None], next=page[-1][0] if more else None)


def on_wall(viewer: User, contact_ids: Sequence[int], query: SearchQuery | None = None) -> MessageQuerySet:
    """Messages that `viewer` may see and that are linked to one of the contacts, for probing single messages."""
    linked = Link.objects.filter(message=OuterRef("pk"), contact__in=contact_ids)
    return search.narrow(Message.objects.visible_to(viewer).filter(Exists(linked)), viewer, query)


def _leads_on_wall(
    viewer: User, contact_ids: Sequence[int], query: SearchQuery | None, before: Position | None, limit: int
) -> list[tuple[Position, Card | Lead]]:
    links = pieces.Side(Link.objects.filter(contact__in=contact_ids).distinct(), "message_id")
    below = None if before is None else before.id if before.rank == EMAIL_RANK else before.second << 20
    visible = Message.objects.visible_to(viewer)
    rows = (
        search.narrow(visible.filter(pk__one_of=ids), viewer, query) for ids in pieces.ids_in_pieces(links, below=below)
    )
    newer = on_wall(viewer, contact_ids, query).filter(thread_key=OuterRef("thread_key"), pk__gt=OuterRef("pk"))
    leads = leading_in(rows, newer, limit)
    return [(Position(second=lead.id >> 20, rank=EMAIL_RANK, id=lead.id), lead) for lead in leads]


def _notes_on_wall(
    viewer: User, contact_ids: Sequence[int], query: SearchQuery | None, before: Position | None, limit: int
) -> list[tuple[Position, Card | Lead]]:
    notes = search.narrow_notes(Note.objects.filter(contact__in=contact_ids), viewer, query)
    if before is not None:
        notes = notes.filter(notes_after(before))
    terms = query.terms if query else ()
    found: list[tuple[Position, Card | Lead]] = []
    for note in notes.select_related("author", "contact").order_by("-created_at", "-pk")[:limit]:
        position = Position(second=int(note.created_at.timestamp()), rank=NOTE_RANK, id=note.pk)
        found.append((position, note_card(note, terms)))
    return found


def _posts_on_wall(
    viewer: User, contact_ids: Sequence[int], before: Position | None, limit: int
) -> list[tuple[Position, Card | Lead]]:
    posts = Post.objects.visible_to(viewer).filter(contact__in=contact_ids)
    if before is not None:
        second = datetime.fromtimestamp(before.second, UTC)
        same_second = Q(at__lt=second + timedelta(seconds=1))
        here = same_second if before.rank != POST_RANK else Q(at__lt=second) | (same_second & Q(pk__lt=before.id))
        posts = posts.filter(here)
    found = list(posts.select_related("contact").order_by("-at", "-pk")[:limit])
    visible = Message.objects.visible_to(viewer).filter(pk__in=[post.message_id for post in found if post.message_id])
    seen = set(visible.values_list("pk", flat=True))
    return [
        (
            Position(second=int(post.at.timestamp()), rank=POST_RANK, id=post.pk),
            post_card(post, post.message_id in seen),
        )
        for post in found
    ]


def notes_after(position: Position) -> Q:
    """Which notes come after this position of a page."""
    second = datetime.fromtimestamp(position.second, UTC)
    if position.rank == POST_RANK:
        return Q(created_at__lt=second)
    up_to_second = Q(created_at__lt=second + timedelta(seconds=1))
    if position.rank == EMAIL_RANK:
        return up_to_second
    return Q(created_at__lt=second) | (up_to_second & Q(pk__lt=position.id))


# -- lists


def filtered(viewer: User, wanted: MailFilter) -> MessageQuerySet:
    """The messages of a list, before grouping and paging."""
    rows = _filtered_but_for_mark(viewer, wanted)
    if wanted.assigned is None:
        return rows
    return assignment.assigned(rows) if wanted.assigned else assignment.unassigned(rows)


def _filtered_but_for_mark(viewer: User, wanted: MailFilter) -> MessageQuerySet:
    rows = Message.objects.visible_to(viewer)
    if wanted.direction:
        rows = rows.filter(direction=wanted.direction)
    if wanted.account_id is not None:
        rows = rows.filter(account=wanted.account_id)
    if wanted.contact_id is not None:
        rows = rows.filter(pk__in=Link.objects.filter(contact=wanted.contact_id).values("message"))
    if wanted.message_id:
        rows = rows.filter(message_id=wanted.message_id)
    if wanted.since is not None:
        rows = rows.filter(internaldate__gte=wanted.since, pk__gte=key_before(wanted.since))
    if wanted.until is not None:
        rows = rows.filter(internaldate__lt=wanted.until, pk__lt=key_before(wanted.until + _CROWD))
    return search.narrow(rows, viewer, wanted.query)


def _in_pieces(
    viewer: User, wanted: MailFilter, before: int | None = None, first: int = pieces.FIRST
) -> Iterator[MessageQuerySet]:
    """The messages of `filtered` with ids below `before`: all at once, in pieces where the mark counts."""
    rows = _filtered_but_for_mark(viewer, wanted)
    if wanted.assigned is None:
        yield rows if before is None else rows.filter(pk__lt=before)
        return
    ends = [before, None if wanted.until is None else key_before(wanted.until + _CROWD)]
    below = min((end for end in ends if end is not None), default=None)
    yield from pieces.by_mark(viewer, rows, assigned=wanted.assigned, below=below, first=first)


def messages_page(viewer: User, wanted: MailFilter, *, before: int | None, limit: int) -> MessagePage:
    """Messages one by one, as each account has them, newest first, with ids below `before`."""
    ids: list[int] = []
    for rows in _in_pieces(viewer, wanted, before):
        ids += rows.order_by("-pk").values_list("pk", flat=True)[: limit + 1 - len(ids)]
        if len(ids) > limit:
            break
    found = cards.message_cards(viewer, ids[:limit])
    return MessagePage(
        cards=[found[pk] for pk in ids[:limit] if pk in found], next=ids[limit - 1] if len(ids) > limit else None
    )


def mail_page(viewer: User, wanted: MailFilter, *, before: int | None = None, limit: int = 30) -> MailPage:
    """A page of "Email messages": one card per mail, whatever the number of its visible copies."""
    base = filtered(viewer, wanted)
    leads = _mail_leads(viewer, wanted, base, before, limit + 1)
    built = build_cards(viewer, leads[:limit], base, terms=wanted.query.terms if wanted.query else ())
    shown = [built[lead.id] for lead in leads[:limit] if lead.id in built]
    return MailPage(cards=shown, next=leads[limit - 1].id if len(leads) > limit else None)


def _mail_leads(viewer: User, wanted: MailFilter, base: MessageQuerySet, before: int | None, limit: int) -> list[Lead]:
    if wanted.query is not None:
        narrower = replace(wanted, query=None)
        within = filtered(viewer, narrower)
        return search.find_messages(viewer, wanted.query, within=within, before=before, limit=limit)
    return leading_in(_in_pieces(viewer, wanted, before), newer_copies(base), limit)


def tab_counts(viewer: User, wanted: MailFilter) -> dict[str, int]:
    """How many mails each tab of "Email messages" holds, counted up to MAX_COUNTED."""
    tabs = {
        "all": MailFilter(account_id=wanted.account_id),
        "received": MailFilter(account_id=wanted.account_id, direction=Direction.RECEIVED),
        "sent": MailFilter(account_id=wanted.account_id, direction=Direction.SENT),
        "unassigned": MailFilter(account_id=wanted.account_id, assigned=False),
    }
    return {name: _count(viewer, tab) for name, tab in tabs.items()}


def _count(viewer: User, wanted: MailFilter) -> int:
    # a mail's copies share a key; to ask for each row whether a newer copy is there takes four times as long
    mails: set[str] = set()
    for rows in _in_pieces(viewer, wanted, first=MAX_COUNTED):
        for key in pieces.newest_first(rows, "dedupe_key", first=MAX_COUNTED):
            mails.add(key)
            if len(mails) == MAX_COUNTED:
                return MAX_COUNTED
    return len(mails)


def has_account(viewer: User) -> bool:
    """Whether the viewer has connected a mailbox."""
    return EmailAccount.objects.connected().filter(owner=viewer).exists()


def accounts_with_messages(viewer: User) -> list[EmailAccount]:
    """Accounts whose messages the viewer may see, for the filter of "Email messages"; own ones first."""
    accounts = EmailAccount.objects.messages_visible_to(viewer).select_related("owner").distinct()
    return sorted(accounts, key=lambda account: (account.owner_id != viewer.pk, account.address, account.pk))


# -- single messages


def visible_message(viewer: User, message_id: int) -> Message:
    """The message, with its account.

    :raises Http404: it is not there, or not the viewer's to see.
    """
    message = Message.objects.visible_to(viewer).select_related("account__owner").filter(pk=message_id).first()
    if message is None:
        raise Http404
    return message


def message_card(viewer: User, message_id: int) -> MessageCard:
    """All of one message, its text whole.

    :raises Http404: it is not there, or not the viewer's to see.
    """
    message = visible_message(viewer, message_id)
    return cards.message_cards(viewer, [message.pk], whole_text=True)[message.pk]


def received_html(viewer: User, message_id: int) -> str:
    """The HTML of a visible message as it came, not cleaned; '' when it has none."""
    message = visible_message(viewer, message_id)
    return MessageBody.objects.filter(pk=message.pk).values_list("html", flat=True).first() or ""


def copies_of(viewer: User, message: Message) -> list[MessageCard]:
    """The same mail in all visible accounts, the viewer's own copy first."""
    rows = Message.objects.visible_to(viewer).filter(dedupe_key=message.dedupe_key).order_by("-pk")
    found = cards.message_cards(viewer, list(rows.values_list("pk", flat=True)[:MAX_THREAD]))
    return sorted(found.values(), key=lambda card: (card.message.account.owner_id != viewer.pk, -card.id))


def thread_page(viewer: User, message: Message, contact_ids: Sequence[int] | None = None) -> list[Card]:
    """The other mails of a message's thread, newest first, at most MAX_THREAD; of a wall when contact_ids are given."""
    base = Message.objects.visible_to(viewer) if contact_ids is None else on_wall(viewer, contact_ids)
    base = base.filter(thread_key=message.thread_key)
    rows = base.exclude(dedupe_key=message.dedupe_key)
    leads = leading(rows, newer_copies(base), MAX_THREAD)
    built = build_cards(viewer, leads, base)
    return [replace(built[lead.id], thread_count=1) for lead in leads if lead.id in built]


def single_card(viewer: User, card: MessageCard, copies: Sequence[MessageCard]) -> Card:
    """The card of one message on its own page; copies: all visible ones, itself included."""
    thread = Message.objects.visible_to(viewer).filter(thread_key=card.message.thread_key)
    return Card(
        at=card.message.internaldate,
        message=card,
        thread_count=thread.aggregate(mails=Count("dedupe_key", distinct=True))["mails"],
        copies=len(copies),
        copies_differ=len({copy.text for copy in copies}) > 1,
        contacts=card.contacts,
    )


def not_seeing(message: MessageCard) -> list[str]:
    """The names of active users who may not see a message, at most 50."""
    seeing = [seer.id for seer in message.seers]
    rows = User.objects.filter(is_active=True).exclude(pk__in=seeing).order_by("name", "id")
    return [str(user) for user in rows[:50]]


def visible_note(note_id: int) -> Note:
    """Every user may read every note.

    :raises Http404: there is none.
    """
    note = Note.objects.select_related("author", "contact").filter(pk=note_id).first()
    if note is None:
        raise Http404
    return note
