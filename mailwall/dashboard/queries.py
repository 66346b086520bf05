"""Reads of the home screen: the viewer first, every message through `visible_to(viewer)`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, F, OuterRef, Q
from django.utils.translation import gettext as _

from mailwall.assignment import queries as assignment
from mailwall.contacts.models import Contact
from mailwall.dashboard import rules
from mailwall.email_accounts import queries as accounts
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore.models import Direction, Message, MessageQuerySet
from mailwall.mailstore.rules import key_before
from mailwall.team import queries as team
from mailwall.team.models import User
from mailwall.team.rules import may_connect
from mailwall.wall import pieces
from mailwall.wall.cards import Card
from mailwall.wall.grouping import build_cards, leading, leading_in, newer_copies, note_card
from mailwall.wall.models import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An account that needs somebody; `account` with its owner. message: what went wrong, '' if unknown."""

    account: EmailAccount
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A line of the first-run checklist. url_name: of the page where it is done."""

    label: str
    url_name: str
    is_done: bool


def feed(viewer: User) -> list[Card]:
    """The newest assigned mails of the accounts with "Show emails on the Dashboard", and notes, newest first."""
    shown = EmailAccount.objects.messages_visible_to(viewer).filter(on_dashboard=True)
    visible = Message.objects.visible_to(viewer).filter(account__in=shown.values("pk"))
    base = assignment.assigned(visible)
    leads = leading_in(pieces.by_mark(viewer, visible, assigned=True), newer_copies(base), rules.FEED_LENGTH)
    built = build_cards(viewer, leads, base)
    notes = Note.objects.select_related("author", "contact").order_by("-created_at", "-pk")[: rules.FEED_LENGTH]
    entries = [built[lead.id] for lead in leads if lead.id in built] + [note_card(note) for note in notes]
    return sorted(entries, key=lambda card: card.at, reverse=True)[: rules.FEED_LENGTH]


def waiting(viewer: User, now: datetime) -> list[Card]:
    """Threads whose last word came from a contact to one of the viewer's own accounts more than a day ago.

    Only accounts with "Show emails on the Dashboard". Automatic mail neither waits nor answers.
    Longest waiting first, of the last 30 days.
    """
    visible = Message.objects.visible_to(viewer)
    received = visible.filter(
        account__owner=viewer,
        account__removed_at__isnull=True,
        account__on_dashboard=True,
        direction=Direction.RECEIVED,
        automatic="",
        list_id="",
        pk__gte=key_before(now - rules.WAITS_AT_MOST),
        pk__lt=key_before(now - rules.WAITS_AFTER),
    )
    base = assignment.assigned(received)
    leads = leading(base, _later_in_thread(visible, viewer), rules.WAITING_LENGTH)
    built = build_cards(viewer, leads, base)
    return [built[lead.id] for lead in reversed(leads) if lead.id in built]


def _later_in_thread(visible: MessageQuerySet, viewer: User) -> MessageQuerySet:
    """Later mails of the outer message's thread; a colleague's copy of itself is none."""
    later = visible.filter(thread_key=OuterRef("thread_key"), pk__gt=OuterRef("pk"), automatic="")
    return later.filter(~Q(dedupe_key=OuterRef("dedupe_key")) | Q(account__owner=viewer))


def problems(viewer: User) -> list[Problem]:
    """Accounts that the viewer can mend and that need it: their own, a manager's team's, all for an admin."""
    needy = accounts.accounts_for(viewer).filter(
        Q(state__in=[State.DEACTIVATED, State.NEEDS_SIGN_IN])
        | Q(state=State.ACTIVE, failed_attempts__gte=rules.SHOWN_ATTEMPTS)
    )
    return [
        Problem(
            account=account,
            code=account.last_error_code or account.state,
            message=accounts.error_sentence(account),
        )
        for account in needy.order_by(F("last_error_at").desc(nulls_last=True), "pk")
    ]


def unassigned(viewer: User) -> int:
    """How many unassigned messages the viewer may see."""
    return assignment.count_unassigned(viewer)


def checklist(viewer: User, unassigned_count: int) -> list[Step]:
    """What a new installation still lacks, of what this viewer can do; empty when all is done."""
    has_mail = Exists(Message.objects.visible_to(viewer).order_by())
    facts = User.objects.filter(pk=viewer.pk).values_list(
        Exists(EmailAccount.objects.connected().filter(owner=viewer)),
        Exists(Contact.objects.all()),
        has_mail,
        Exists(User.objects.exclude(pk=viewer.pk)),
    )
    has_account, has_contact, has_message, has_colleague = facts.get()
    steps = []
    if has_account or may_connect(viewer, team.workspace()):
        steps.append(Step(label=_("Connect a mailbox"), url_name="sync:account_new", is_done=has_account))
    steps.append(Step(label=_("Add your contacts"), url_name="contacts:new", is_done=has_contact))
    is_sorted = has_message and not unassigned_count
    steps.append(Step(label=_("Sort unknown senders"), url_name="assignment:triage", is_done=is_sorted))
    if viewer.is_admin:
        steps.append(Step(label=_("Invite a colleague"), url_name="team:users", is_done=has_colleague))
    return [] if all(step.is_done for step in steps) else steps
