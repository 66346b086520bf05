"""Reads of links and reviews."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, Sum

from mailwall.assignment import rules
from mailwall.assignment.models import Link, Review, Unassigned, UnknownSender
from mailwall.mailstore.models import MessageQuerySet
from mailwall.team.models import Role, User, Workspace

_LINKED = Exists(Link.objects.filter(message=OuterRef("pk")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Why a message belongs to a contact. field: 'from', 'to', 'cc' with the contact's address, or 'hand' with ''."""

    field: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactOfMessage:
    id: int
    kind: str
    name: str
    because: list[Because]


def contacts_of(message_ids: Collection[int]) -> dict[int, list[ContactOfMessage]]:
    """The contacts of each message by name, with the reasons; one query. The caller passed visible_to() before."""
    found: dict[int, dict[int, ContactOfMessage]] = {message_id: {} for message_id in message_ids}
    links = Link.objects.filter(message_id__one_of=message_ids).order_by("contact__name", "contact_id", "id")
    for row in links.values_list("message_id", "contact_id", "contact__kind", "contact__name", "field", "address"):
        message_id, contact_id, kind, name, field, address = row
        contact = ContactOfMessage(id=contact_id, kind=kind, name=name, because=[])
        found[message_id].setdefault(contact_id, contact).because.append(Because(field=field, address=address))
    return {message_id: list(contacts.values()) for message_id, contacts in found.items()}


def own_account_ids(viewer: User) -> list[int]:
    """The accounts whose messages a review by this viewer covers, when they are no admin."""
    return list(viewer.email_accounts.values_list("pk", flat=True))


def last_review(viewer: User) -> Review | None:
    """The newest finished review that covered the viewer's own accounts: of all accounts, or their own."""
    covering = Q(by=None) | Q(by__role=Role.ADMIN) | Q(by=viewer)
    return Review.objects.filter(covering, finished_at__isnull=False).order_by("-pk").first()


def may_see_numbers(viewer: User, review: Review) -> bool:
    """What a review of all accounts counted tells of mail that not everybody may see."""
    return viewer.is_admin or review.by_id == viewer.pk


def next_review_at(now: datetime, workspace: Workspace) -> datetime:
    """When the next daily review is due."""
    return rules.next_review_at(now, review_time(workspace), zone(workspace))


def review_time(workspace: Workspace) -> time:
    """What an admin set in the product, else MAILWALL_REVIEW_TIME."""
    default = Workspace._meta.get_field("review_time").default
    return settings.REVIEW_TIME if workspace.review_time == default else workspace.review_time


def zone(workspace: Workspace) -> ZoneInfo:
    try:
        return ZoneInfo(workspace.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def count_unassigned(viewer: User) -> int:
    """How many unassigned messages the viewer may see: from the counts by sender, and those that have no sender."""
    by_sender = UnknownSender.objects.visible_to(viewer).aggregate(number=Sum("messages"))["number"] or 0
    return by_sender + Unassigned.objects.visible_to(viewer).filter(counterpart="").count()


def with_mark(rows: MessageQuerySet) -> MessageQuerySet:
    """The messages with `is_assigned`: whether they have a contact."""
    return rows.annotate(is_assigned=_LINKED)


def assigned(rows: MessageQuerySet) -> MessageQuerySet:
    """Those of the messages that have a contact: each is looked up, so `rows` should be few, or most be assigned."""
    return rows.filter(_LINKED)


def unassigned(rows: MessageQuerySet) -> MessageQuerySet:
    """Those of the messages that have no contact; looked up as in `assigned`."""
    return rows.filter(Exists(Unassigned.objects.filter(message=OuterRef("pk"))))
