"""Writes of links. The marks of messages (marks.settle) always change in the transaction that changes the links."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailwall.assignment import marks, matching, queries, rules
from mailwall.assignment.errors import AssignmentTargetNotFound
from mailwall.assignment.models import Link, LinkBan, LinkField, Review
from mailwall.contacts.models import Contact, ContactAddress
from mailwall.mailstore import sql, threads
from mailwall.mailstore.models import Message
from mailwall.team.models import User, Workspace

REVIEW_BATCH = 2_000  # addresses of contacts in one transaction
STALE_AFTER = timedelta(minutes=15)


def assign_messages(message_ids: Collection[int]) -> int:
    """Link messages to every contact that owns an address in From, To or Cc; gives how many of them are assigned now.

    Set-based and idempotent, in the caller's transaction. What a hand assigned or unassigned stays.
    """
    if not message_ids:
        return 0
    with transaction.atomic():
        matching.link_messages(message_ids)
        marks.settle(message_ids)
    return Link.objects.filter(message__one_of=message_ids).values("message").distinct().count()


def relink_addresses(addresses: Sequence[str]) -> None:
    """Bring the links in line with who owns these addresses now, at once and in the caller's transaction.

    For addresses that contacts gained, lost or passed on, and for those that became or ceased to be our own.
    """
    with transaction.atomic():
        touched = matching.unlink_lost_addresses(addresses) | matching.unlink_own_addresses(addresses)
        marks.settle(touched | matching.link_addresses(addresses))


def forget_contact(contact_id: int) -> None:
    """Drop all links of a contact that is about to be deleted; what only it was linked to is unassigned again."""
    with transaction.atomic():
        links = Link.objects.filter(contact_id=contact_id)
        touched = set(links.values_list("message_id", flat=True))
        links.delete()
        marks.settle(touched)


def assign_by_hand(viewer: User, message_id: int, contact_id: int) -> None:
    """Assign a message that the viewer may see to a contact; survives every review, and ends an earlier removal.

    :raises AssignmentTargetNotFound: there is no such message for the viewer, or no such contact.
    """
    with transaction.atomic():
        _require(viewer, message_id, contact_id)
        LinkBan.objects.filter(message_id=message_id, contact_id=contact_id).delete()
        Link.objects.get_or_create(
            message_id=message_id, contact_id=contact_id, field=LinkField.HAND, defaults={"linked_by": viewer}
        )
        matching.link_messages([message_id])  # the ban may have hidden what matches anyway
        marks.settle([message_id])


def unassign_by_hand(viewer: User, message_id: int, contact_id: int) -> None:
    """Take a message that the viewer may see from a contact, whatever linked it; no later review brings it back.

    :raises AssignmentTargetNotFound: there is no such message for the viewer, or no such contact.
    """
    with transaction.atomic():
        _require(viewer, message_id, contact_id)
        LinkBan.objects.get_or_create(message_id=message_id, contact_id=contact_id, defaults={"banned_by": viewer})
        Link.objects.filter(message_id=message_id, contact_id=contact_id).delete()
        marks.settle([message_id])


def review_unassigned(
    *, account_ids: Collection[int] | None = None, trigger: str, by: User | None = None, review: Review | None = None
) -> Review:
    """Look at all unassigned messages (of these accounts, None: of all) and link those that match a contact by now.

    The safety net under relink_addresses. A review of all accounts also drops links whose address has become our own.
    Works in short transactions; may be broken off and run again. review: a row that was claimed before.
    """
    review = review or Review.objects.create(trigger=trigger, started_at=timezone.now(), by=by)
    review.reviewed = marks.count(account_ids)
    if account_ids is None:
        with transaction.atomic():
            marks.settle(matching.unlink_own_addresses())
        threads.heal_threads()
    review.assigned = _link_missing(account_ids)
    review.finished_at = timezone.now()
    review.save()
    return review


def review_by_hand(viewer: User) -> Review:
    """Review now: everything for an admin, the viewer's own accounts for others."""
    accounts = None if viewer.is_admin else queries.own_account_ids(viewer)
    return review_unassigned(account_ids=accounts, trigger=Review.Trigger.MANUAL, by=viewer)


def claim_daily_review(now: datetime, workspace: Workspace) -> Review | None:
    """The row of the daily review that is due, for the one worker that gets it; None when there is nothing to do.

    A review that was begun and not finished within STALE_AFTER is given to whoever asks next.
    """
    due_at = rules.last_review_due(now, queries.review_time(workspace), queries.zone(workspace))
    with transaction.atomic():
        review, created = Review.objects.get_or_create(
            due_at=due_at, defaults={"trigger": Review.Trigger.DAILY, "started_at": now}
        )
    if created:
        return review
    stale = Review.objects.filter(pk=review.pk, finished_at=None, started_at__lt=now - STALE_AFTER)
    return review if stale.update(started_at=now) else None


def _link_missing(account_ids: Collection[int] | None) -> int:
    """Group by group of addresses: who else wants to write waits for one group at most."""
    assigned = 0
    sql.look_anew(Contact, ContactAddress)
    for low, high in matching.address_ranges(REVIEW_BATCH):
        with transaction.atomic():
            # holds each message from its link on: to lock them besides took an eighth more
            sql.check_at_once(Link, Message)
            assigned += marks.drop(matching.link_missing(low, high, account_ids))
    return assigned


def _require(viewer: User, message_id: int, contact_id: int) -> None:
    visible = Message.objects.visible_to(viewer).filter(pk=message_id).exists()
    if not visible or not Contact.objects.filter(pk=contact_id).exists():
        raise AssignmentTargetNotFound("There is no such message or contact.")
