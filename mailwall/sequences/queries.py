"""Reads of sequences, the viewer first. What a reader may not see of mail is not in the answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.sequences.errors import NotTheOwner, SequenceNotFound, SequencesOff
from mailwall.sequences.models import (
    CONTACT_ZONE,
    OPEN_STATES,
    Enrolment,
    EnrolmentQuerySet,
    Holiday,
    Outcome,
    SequenceQuerySet,
    Step,
    StepKind,
    StepRun,
)
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.timing import Calendar, Window
from mailwall.team import queries as team_queries
from mailwall.team.models import Package, User


def are_on() -> bool:
    """Whether the workspace's package has sequences."""
    return team_queries.workspace().package == Package.AUTOMATION


def require_on() -> None:
    """:raises SequencesOff: in the package Basic."""
    if not are_on():
        raise SequencesOff("Sequences belong to the Automation package.")


def visible_sequences(viewer: User) -> SequenceQuerySet:
    return SequenceRow.objects.visible_to(viewer).select_related("owner", "account")


def sequence_of(viewer: User, sequence_id: int) -> SequenceRow:
    """:raises SequenceNotFound: it is not there, or not the viewer's to see."""
    found = visible_sequences(viewer).filter(pk=sequence_id).first()
    if found is None:
        raise SequenceNotFound("There is no such sequence.")
    return found


def own_sequence(viewer: User, sequence_id: int) -> SequenceRow:
    """:raises SequenceNotFound. :raises NotTheOwner: the viewer may only read it."""
    found = sequence_of(viewer, sequence_id)
    if found.owner_id != viewer.pk:
        raise NotTheOwner("Only its owner changes a sequence.")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Enrolments by state. open: those that still go on."""

    by_state: dict[str, int]

    @property
    def all(self) -> int:
        return sum(self.by_state.values())

    @property
    def open(self) -> int:
        return sum(self.by_state.get(state, 0) for state in OPEN_STATES)


def list_sequences(viewer: User, *, archived: bool = False) -> list[SequenceRow]:
    """What the viewer may read, own ones first, each with its `counts`; two queries."""
    rows = list(visible_sequences(viewer).filter(archived_at__isnull=not archived))
    found: dict[int, dict[str, int]] = {row.pk: {} for row in rows}
    states = Enrolment.objects.filter(sequence__in=rows).order_by().values_list("sequence", "state")
    for sequence_id, state, number in states.annotate(number=Count("pk")):
        found[sequence_id][state] = number
    for row in rows:
        row.counts = Counts(by_state=found[row.pk])  # type: ignore[attr-defined]
    return sorted(rows, key=lambda row: (row.owner_id != viewer.pk, row.name.casefold(), row.pk))


def counts_of(sequence: SequenceRow) -> Counts:
    rows = Enrolment.objects.filter(sequence=sequence).order_by().values_list("state").annotate(number=Count("pk"))
    return Counts(by_state=dict(rows))


def steps_of(sequence: SequenceRow, version: int | None = None) -> list[Step]:
    """The steps in order; of the newest version unless another is asked for."""
    return list(sequence.steps.filter(version=sequence.version if version is None else version))


def steps_by_version(pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], list[Step]]:
    """(sequence, version) → its steps in order; one query."""
    wanted = set(pairs)
    found: dict[tuple[int, int], list[Step]] = {pair: [] for pair in wanted}
    rows = Step.objects.filter(sequence__in={pair[0] for pair in wanted}, version__in={pair[1] for pair in wanted})
    for step in rows.order_by("position"):
        if (step.sequence_id, step.version) in found:
            found[step.sequence_id, step.version].append(step)
    return found


# -- time


def zone_named(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_of(sequence: SequenceRow) -> ZoneInfo:
    """The sequence's own zone, else the workspace's; of one that follows its contacts, where theirs is not known."""
    return _own_zone(sequence) or _workspace_zone()


def _own_zone(sequence: SequenceRow) -> ZoneInfo | None:
    return None if sequence.zone == CONTACT_ZONE else zone_named(sequence.zone)


def _workspace_zone() -> ZoneInfo:
    return zone_named(team_queries.workspace().time_zone) or ZoneInfo("UTC")


def window_of(sequence: SequenceRow) -> Window | None:
    if not sequence.window_days or sequence.window_from is None or sequence.window_to is None:
        return None
    return Window(days=frozenset(sequence.window_days), opens=sequence.window_from, closes=sequence.window_to)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendars:
    """The days of sequences. following: those that go by the clock of each contact; zones: contact → its time zone."""

    usual: Mapping[int, Calendar]
    following: frozenset[int]
    zones: Mapping[int, ZoneInfo]

    def of(self, sequence_id: int, contact_id: int | None) -> Calendar:
        usual = self.usual[sequence_id]
        zone = self.zones.get(contact_id or 0) if sequence_id in self.following else None
        return replace(usual, zone=zone) if zone else usual


def calendar_of(sequence: SequenceRow, contact_id: int | None) -> Calendar:
    return calendars_of([sequence], [contact_id]).of(sequence.pk, contact_id)


def calendars_of(sequences: Iterable[SequenceRow], contact_ids: Iterable[int | None]) -> Calendars:
    """The days of these sequences for these contacts; three queries for any number."""
    rows = list(sequences)
    following = frozenset(row.pk for row in rows if row.zone == CONTACT_ZONE)
    return Calendars(
        usual=_usual_calendars(rows), following=following, zones=_zones_of(contact_ids) if following else {}
    )


def _zones_of(contact_ids: Iterable[int | None]) -> dict[int, ZoneInfo]:
    """Contact → its own time zone or its company's; who has none is missing."""
    ids = {pk for pk in contact_ids if pk}
    rows = Contact.objects.filter(~Q(zone="") | ~Q(company__zone=""), pk__one_of=ids)
    found = {
        pk: zone_named(own or of_company or "")
        for pk, own, of_company in rows.values_list("pk", "zone", "company__zone")
    }
    return {pk: zone for pk, zone in found.items() if zone}


def _usual_calendars(sequences: Sequence[SequenceRow]) -> dict[int, Calendar]:
    since = timezone.now() - timedelta(days=2)
    days = frozenset(Holiday.objects.filter(day__gte=since.date()).values_list("day", flat=True))
    usual = _workspace_zone()
    return {row.pk: Calendar(zone=_own_zone(row) or usual, window=window_of(row), holidays=days) for row in sequences}


# -- accounts


def accounts_to_send_from(owner: User) -> QuerySet[EmailAccount]:
    """Own connected accounts that have a server for sending, the default one first."""
    accounts = EmailAccount.objects.connected().filter(owner=owner).exclude(smtp_host="")
    return accounts.order_by("-is_default", "address")


# -- enrolments


def enrolments_of(viewer: User, sequence: SequenceRow, *, states: Sequence[str] = ()) -> EnrolmentQuerySet:
    """Newest first, with their contacts. The caller has the sequence from sequence_of()."""
    rows = Enrolment.objects.filter(sequence=sequence).select_related("contact").order_by("-pk")
    return rows.filter(state__in=states) if states else rows


def enrolment_of(viewer: User, enrolment_id: int) -> Enrolment:
    """:raises SequenceNotFound: it is not there, or its sequence is not the viewer's to see."""
    rows = Enrolment.objects.select_related("sequence__owner", "sequence__account", "contact")
    found = rows.filter(pk=enrolment_id, sequence__in=SequenceRow.objects.visible_to(viewer)).first()
    if found is None:
        raise SequenceNotFound("There is no such enrolment.")
    return found


def visible_replies(viewer: User, enrolments: Iterable[Enrolment]) -> set[int]:
    """Which of the mails that ended these enrolments the viewer may see."""
    ids = {enrolment.reply_id for enrolment in enrolments if enrolment.reply_id}
    return set(Message.objects.visible_to(viewer).filter(pk__in=ids).values_list("pk", flat=True))


def enrolments_of_contact(viewer: User, contact_ids: Sequence[int]) -> list[Enrolment]:
    """Open ones and the last ended ones of these contacts, in sequences that the viewer may read."""
    readable = SequenceRow.objects.visible_to(viewer)
    rows = Enrolment.objects.filter(contact__in=contact_ids, sequence__in=readable)
    return list(rows.select_related("sequence", "contact").order_by("-pk")[:20])


# -- statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class StepNumbers:
    """What became of one step. ended: by state, of those for whom it was the last one.

    measured: mails with a picture; opened: of these by somebody; opened_by_machines: by nobody else.
    """

    sent: int = 0
    on_its_way: int = 0
    done: int = 0
    failed: int = 0
    bounced: int = 0
    replied: int = 0
    unsubscribed: int = 0
    stopped: int = 0
    measured: int = 0
    opened: int = 0
    opened_by_machines: int = 0

    @property
    def replied_percent(self) -> int:
        return round(100 * self.replied / self.sent) if self.sent else 0

    @property
    def opened_percent(self) -> int:
        return round(100 * self.opened / self.measured) if self.measured else 0


def numbers_of(sequence: SequenceRow) -> dict[int, StepNumbers]:
    """Step key → its numbers, over all versions; one query."""
    left = Q(kind=StepKind.EMAIL, outcome__in=(Outcome.SENT, Outcome.BOUNCED))
    rows = StepRun.objects.filter(sequence=sequence).order_by().values("step_key")
    counted: Any = rows.annotate(
        sent=Count("pk", filter=left),
        on_its_way=Count("pk", filter=Q(outcome=Outcome.QUEUED)),
        done=Count("pk", filter=Q(outcome=Outcome.DONE)),
        failed=Count("pk", filter=Q(outcome__in=(Outcome.FAILED, Outcome.CANCELLED))),
        bounced=Count("pk", filter=Q(outcome=Outcome.BOUNCED)),
        replied=Count("pk", filter=Q(ended_as="replied")),
        unsubscribed=Count("pk", filter=Q(ended_as="unsubscribed")),
        stopped=Count("pk", filter=Q(ended_as="stopped")),
        measured=Count("pk", filter=left & Q(has_pixel=True)),
        opened=Count("pk", filter=Q(opens__gt=0)),
        opened_by_machines=Count("pk", filter=Q(opens=0, machine_opens__gt=0)),
    )
    return {row.pop("step_key"): StepNumbers(**row) for row in counted}


def mails_today(account_id: int, since: datetime) -> dict[str, int]:
    """Receiving domain → automatic mails of the account since then."""
    rows = StepRun.objects.filter(account=account_id, kind=StepKind.EMAIL, ran_at__gte=since).order_by()
    return dict(rows.values_list("domain").annotate(number=Count("pk")))


def latest_replies(viewer: User, *, days: int = 7, limit: int = 10) -> list[Enrolment]:
    """Who replied to the viewer's own sequences lately, newest first."""
    since = timezone.now() - timedelta(days=days)
    rows = Enrolment.objects.filter(sequence__owner=viewer, state="replied", ended_at__gte=since)
    return list(rows.select_related("contact", "sequence").order_by("-ended_at")[:limit])
