"""Which due steps of an account go now: set-based, no query per enrolment. What cannot go is moved or ended here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from mailwall.contacts.models import ContactAddress
from mailwall.sequences import endings, moving, queries, rules, suppressions, timing
from mailwall.sequences.models import Enrolment, EnrolmentState, Step, StepKind, StepRun
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.timing import Calendar, DueMail, Used

BATCH = 1_000
WRITE_BATCH = 250


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
    mails: dict[int, list[Ready]] = field(default_factory=lambda: defaultdict(list))  # by sequence
    moved: list[Enrolment] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    suppressed: list[int] = field(default_factory=list)
    without_address: list[int] = field(default_factory=list)


def plan(account_id: int, sequences: Sequence[SequenceRow], now: datetime) -> tuple[list[Ready], bool]:
    """(what goes now, whether there was anything to decide) for the next batch of due enrolments of an account."""
    rows = {sequence.pk: sequence for sequence in sequences}
    _let_held_go(rows, now)
    due = list(Enrolment.objects.due(now).filter(sequence__in=rows).order_by("next_run_at", "pk")[:BATCH])
    if not due:
        return [], False
    calendars = {pk: queries.calendar_of(sequence) for pk, sequence in rows.items()}
    batch = _sort(due, calendars)
    for sequence_id, mails in batch.mails.items():
        _plan_mails(account_id, rows[sequence_id], mails, batch, now)
    _write(batch, now)
    return batch.ready, True


def _let_held_go(sequences: Iterable[int], now: datetime) -> None:
    held = Enrolment.objects.filter(sequence__in=list(sequences), state=EnrolmentState.HELD, next_run_at__lte=now)
    held.update(state=EnrolmentState.ACTIVE, reason="")


def _sort(due: Sequence[Enrolment], calendars: dict[int, Calendar]) -> _Sorted:
    steps = queries.steps_by_version((row.sequence_id, row.version) for row in due)
    done = _done([row.pk for row in due])
    addresses = _addresses([row.contact_id for row in due if row.contact_id])
    suppressed = suppressions.suppressed_among({row.address for row in due})
    batch = _Sorted()
    for row in due:
        own = steps[row.sequence_id, row.version]
        kinds = [step.kind for step in own]
        place = rules.next_action(kinds, row.position)
        while place < len(own) and own[place].key in done.get(row.pk, ()):
            place = rules.next_action(kinds, place + 1)
        if place >= len(own):
            batch.finished.append(row.pk)
            continue
        if place != row.position:
            row.position = place
            batch.moved.append(row)
        ready = Ready(enrolment=row, step=own[place], steps=own, calendar=calendars[row.sequence_id])
        if own[place].kind == StepKind.TASK:
            batch.ready.append(ready)
        elif row.address in suppressed:
            batch.suppressed.append(row.pk)
        elif not _settle_address(row, addresses.get(row.contact_id or 0, [])):
            batch.without_address.append(row.pk)
        else:
            batch.mails[row.sequence_id].append(ready)
    return batch


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


def _settle_address(row: Enrolment, addresses: Sequence[str]) -> bool:
    """The address may have left the contact: then the first one that it has now, if that may be written to."""
    if row.address in addresses:
        return True
    if not addresses or suppressions.is_suppressed(addresses[0]):
        return False
    row.address = addresses[0]
    Enrolment.objects.filter(pk=row.pk).update(address=row.address)
    return True


def _plan_mails(account_id: int, sequence: SequenceRow, mails: Sequence[Ready], batch: _Sorted, now: datetime) -> None:
    calendar = mails[0].calendar
    since = timing.day_start(timing.local_day(now, calendar.zone), calendar.zone)
    by_domain = queries.mails_today(account_id, since)
    written_to = StepRun.objects.filter(
        contact_id__one_of=[ready.enrolment.contact_id or 0 for ready in mails], kind=StepKind.EMAIL, ran_at__gte=since
    )
    used = Used(
        total=sum(by_domain.values()),
        by_domain=by_domain,
        contacts={pk for pk in written_to.values_list("contact_id", flat=True) if pk},
    )
    # what other sequences send in this very batch counts as well
    for ready in batch.ready:
        if ready.step.kind == StepKind.EMAIL:
            domain = domain_of(ready.enrolment.address)
            used.total += 1
            used.by_domain[domain] = used.by_domain.get(domain, 0) + 1
            used.contacts.add(ready.enrolment.contact_id or 0)
    due = [
        DueMail(
            enrolment_id=ready.enrolment.pk,
            contact_id=ready.enrolment.contact_id or 0,
            domain=domain_of(ready.enrolment.address),
            fraction=timing.fraction_of(sequence.pk, ready.enrolment.contact_id or 0, ready.step.key),
        )
        for ready in mails
    ]
    decided = timing.plan_mails(due, now, calendar, used, daily_cap=sequence.daily_cap, domain_cap=sequence.domain_cap)
    for ready in mails:
        later = decided[ready.enrolment.pk]
        if later is None:
            batch.ready.append(ready)
        else:
            ready.enrolment.next_run_at = later
            batch.moved.append(ready.enrolment)


def domain_of(address: str) -> str:
    return address.rpartition("@")[2][:255]


def _write(batch: _Sorted, now: datetime) -> None:
    with transaction.atomic():
        Enrolment.objects.bulk_update(batch.moved, ["next_run_at", "position"], batch_size=WRITE_BATCH)
        if batch.finished:
            endings.finish(batch.finished, now)
        if batch.suppressed:
            endings.end(batch.suppressed, state=EnrolmentState.UNSUBSCRIBED, reason="suppressed", only_open=True)
        if batch.without_address:
            rows = Enrolment.objects.filter(pk__in=batch.without_address, state=EnrolmentState.ACTIVE)
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
