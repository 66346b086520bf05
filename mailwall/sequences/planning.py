"""Which due steps of an account go now: set-based, no query per enrolment. What cannot go is moved or ended here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max

from mailwall.contacts.models import ContactAddress
from mailwall.mailstore import sql
from mailwall.sequences import endings, moving, queries, rules, suppressions, timing
from mailwall.sequences.models import Enrolment, EnrolmentQuerySet, EnrolmentState, Step, StepKind, StepRun
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.queries import Calendars
from mailwall.sequences.timing import Backlog, Calendar, Caps, DueMail, Used

BATCH = 1_000
LONGEST_DAY = timedelta(hours=26)  # a clock change makes a day longer
_STILL_ACTIVE = f"state = '{EnrolmentState.ACTIVE.value}'"
#: what a plan needs of an enrolment
_COLUMNS = ("id", "sequence_id", "contact_id", "address", "version", "position", "state", "next_run_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A step that goes now."""

    enrolment: Enrolment
    step: Step
    steps: Sequence[Step]
    calendar: Calendar


@dataclass(slots=True, kw_only=True)
class _Sorted:
    """A batch of due enrolments by what happens to them."""

    ready: list[Ready] = field(default_factory=list)
    mails: dict[tuple[int, str], list[Ready]] = field(default_factory=lambda: defaultdict(list))  # by sequence, zone
    moved: dict[int, Enrolment] = field(default_factory=dict)
    finished: list[int] = field(default_factory=list)
    suppressed: list[int] = field(default_factory=list)
    without_address: list[int] = field(default_factory=list)


def plan(
    account_id: int, sequences: Sequence[SequenceRow], now: datetime, backlogs: dict[int, Backlog]
) -> tuple[list[Ready], bool]:
    """(what goes now, whether there was anything to decide) for the next batch of due enrolments of an account.

    backlogs: by sequence, what a cap put off in the batches before; a defaultdict.
    """
    rows = {sequence.pk: sequence for sequence in sequences}
    _let_held_go(rows, now)
    due = list(due_rows(rows, now))
    if not due:
        return [], False
    contacts = [row.contact_id or 0 for row in due]
    calendars = queries.calendars_of(sequences, contacts)
    batch = _sort(due, calendars)
    today = _Today(account_id, contacts, now)
    for (sequence_id, _zone), mails in batch.mails.items():
        used = today.used(calendars.usual[sequence_id], mails[0].calendar, batch.ready)
        _plan_mails(rows[sequence_id], mails, batch, used, backlogs[sequence_id], now)
    _write(batch, now)
    return batch.ready, True


def due_rows(sequence_ids: Iterable[int], now: datetime) -> EnrolmentQuerySet:
    """The next batch of due enrolments of these sequences, in the order in which they became due."""
    rows = Enrolment.objects.due(now).filter(sequence__in=list(sequence_ids)).only(*_COLUMNS)
    return rows.order_by("next_run_at", "pk")[:BATCH]


def _let_held_go(sequences: Iterable[int], now: datetime) -> None:
    held = Enrolment.objects.filter(sequence__in=list(sequences), state=EnrolmentState.HELD, next_run_at__lte=now)
    held.update(state=EnrolmentState.ACTIVE, reason="")


def _sort(due: Sequence[Enrolment], calendars: Calendars) -> _Sorted:
    steps = queries.steps_by_version((row.sequence_id, row.version) for row in due)
    done = _done([row.pk for row in due])
    addresses = _addresses([row.contact_id for row in due if row.contact_id])
    suppressed = suppressions.suppressed_among({row.address for row in due}.union(*addresses.values()))
    batch = _Sorted()
    for row in due:
        own = steps[row.sequence_id, row.version]
        place = _next_place(own, row.position, done.get(row.pk, set()))
        if place >= len(own):
            batch.finished.append(row.pk)
            continue
        if place != row.position:
            row.position = place
            batch.moved[row.pk] = row
        calendar = calendars.of(row.sequence_id, row.contact_id)
        ready = Ready(enrolment=row, step=own[place], steps=own, calendar=calendar)
        if own[place].kind == StepKind.TASK:
            batch.ready.append(ready)
        else:
            _sort_mail(ready, addresses.get(row.contact_id or 0, []), suppressed, batch)
    return batch


def _next_place(steps: Sequence[Step], position: int, done: Collection[int]) -> int:
    """The first step from here on that is no wait and has not run."""
    kinds = [step.kind for step in steps]
    place = rules.next_action(kinds, position)
    while place < len(steps) and steps[place].key in done:
        place = rules.next_action(kinds, place + 1)
    return place


def _sort_mail(ready: Ready, addresses: Sequence[str], suppressed: Collection[str], batch: _Sorted) -> None:
    """The address may have left the contact: then the first one that it has now, if that may be written to."""
    row = ready.enrolment
    if row.address in suppressed:
        batch.suppressed.append(row.pk)
        return
    if row.address not in addresses:
        if not addresses or addresses[0] in suppressed:
            batch.without_address.append(row.pk)
            return
        row.address = addresses[0]
        batch.moved[row.pk] = row
    batch.mails[row.sequence_id, ready.calendar.zone.key].append(ready)


def _done(enrolment_ids: Sequence[int]) -> dict[int, set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for pk, key in StepRun.objects.filter(enrolment_id__one_of=enrolment_ids).values_list("enrolment_id", "step_key"):
        found[pk].add(key)
    return found


def _addresses(contact_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    rows = ContactAddress.objects.filter(contact_id__one_of=contact_ids).order_by("position", "id")
    for contact_id, address in rows.values_list("contact_id", "address"):
        found[contact_id].append(address)
    return found


class _Today:
    """What has gone out today: from the account in the day of a sequence, to a contact in the day of the contact."""

    def __init__(self, account_id: int, contact_ids: Sequence[int], now: datetime) -> None:
        self._account_id, self._now = account_id, now
        runs = StepRun.objects.filter(
            contact_id__one_of=contact_ids, kind=StepKind.EMAIL, ran_at__gte=now - LONGEST_DAY
        )
        last = runs.order_by().values_list("contact_id").annotate(last=Max("ran_at"))
        self._last_mail: dict[int, datetime] = {pk: at for pk, at in last if pk}
        self._by_domain: dict[datetime, dict[str, int]] = {}

    def used(self, usual: Calendar, calendar: Calendar, going: Iterable[Ready]) -> Used:
        """usual: of the sequence, for caps; calendar: of the contacts; going: what this very batch sends already."""
        since = self._day_start(usual)
        if since not in self._by_domain:
            self._by_domain[since] = queries.mails_today(self._account_id, since)
        by_domain, begin = self._by_domain[since], self._day_start(calendar)
        written_to = {pk for pk, at in self._last_mail.items() if at >= begin}
        used = Used(total=sum(by_domain.values()), by_domain=dict(by_domain), contacts=written_to)
        for ready in going:
            if ready.step.kind == StepKind.EMAIL:
                used.add(ready.enrolment.contact_id or 0, domain_of(ready.enrolment.address))
        return used

    def _day_start(self, calendar: Calendar) -> datetime:
        return timing.day_start(timing.local_day(self._now, calendar.zone), calendar.zone)


def _plan_mails(
    sequence: SequenceRow, mails: Sequence[Ready], batch: _Sorted, used: Used, backlog: Backlog, now: datetime
) -> None:
    due = [
        DueMail(
            enrolment_id=ready.enrolment.pk,
            contact_id=ready.enrolment.contact_id or 0,
            domain=domain_of(ready.enrolment.address),
            fraction=timing.fraction_of(sequence.pk, ready.enrolment.contact_id or 0, ready.step.key),
        )
        for ready in mails
    ]
    caps = Caps(daily=sequence.daily_cap, domain=sequence.domain_cap)
    decided = timing.plan_mails(due, now, mails[0].calendar, used, caps, backlog)
    for ready in mails:
        row, later = ready.enrolment, decided[ready.enrolment.pk]
        if later is None:
            batch.ready.append(ready)
        else:
            row.next_run_at = later
            batch.moved[row.pk] = row


def domain_of(address: str) -> str:
    return address.rpartition("@")[2][:255]


def _write(batch: _Sorted, now: datetime) -> None:
    with transaction.atomic():
        moved = [(row.pk, row.next_run_at, row.position, row.address) for row in batch.moved.values()]
        sql.update_rows(Enrolment, ["next_run_at", "position", "address"], moved, where=_STILL_ACTIVE)
        if batch.finished:
            endings.finish(batch.finished, now)
        if batch.suppressed:
            endings.end(batch.suppressed, state=EnrolmentState.UNSUBSCRIBED, reason="suppressed", only_open=True)
        if batch.without_address:
            rows = Enrolment.objects.filter(pk__one_of=batch.without_address, state=EnrolmentState.ACTIVE)
            rows.update(state=EnrolmentState.PAUSED, reason="no_address")


def next_after(ready: Ready, after: datetime) -> tuple[int, datetime | None]:
    """(position, time) of what follows the step that ran at `after`; the time is None at the end."""
    place = rules.next_action([step.kind for step in ready.steps], ready.enrolment.position + 1)
    return place, _time_at(ready, place, after) if place < len(ready.steps) else None


def time_of(ready: Ready, after: datetime) -> datetime:
    """When this step runs, given when the one before it ran."""
    return _time_at(ready, ready.enrolment.position, after)


def _time_at(ready: Ready, place: int, after: datetime) -> datetime:
    row = ready.enrolment
    return moving.next_run(row.sequence_id, row.contact_id or 0, ready.steps, place, after, ready.calendar)
