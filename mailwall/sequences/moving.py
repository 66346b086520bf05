"""What an edit does to people who are on the way: their place in the new steps, and the new time of what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from mailwall.mailstore import sql
from mailwall.sequences import endings, queries, rules, timing
from mailwall.sequences.models import CONTACT_ZONE, Enrolment, EnrolmentQuerySet, EnrolmentState, Step
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.timing import Calendar, Wait

BATCH = 500


def next_run(
    sequence_id: int, contact_id: int, steps: Sequence[Step], position: int, after: datetime, calendar: Calendar
) -> datetime:
    """When the step at `position` runs, given when the one before it ran."""
    waits = waits_before(steps, position)
    fraction = timing.fraction_of(sequence_id, contact_id, steps[position].key)
    return timing.run_at(after, waits, calendar, fraction=fraction)


def waits_before(steps: Sequence[Step], position: int) -> list[Wait]:
    kinds = [step.kind for step in steps]
    places = rules.waits_before(kinds, position)
    return [Wait(days=steps[place].days, working_days=steps[place].working_days) for place in places]


def move_to_newest(sequence: SequenceRow) -> None:
    """Have everybody who is on the way go on in the newest steps. Few statements: people stand at few places."""
    after = [(step.key, step.kind) for step in queries.steps_of(sequence)]
    moving = Enrolment.objects.open().filter(sequence=sequence).exclude(version=sequence.version)
    places = list(moving.order_by().values_list("version", "position").distinct())
    steps = queries.steps_by_version((sequence.pk, version) for version, _position in places)
    for version, position in places:
        before = [(step.key, step.kind) for step in steps[sequence.pk, version]]
        target = rules.position_after_edit(position, before, after)
        moving.filter(version=version, position=position).update(version=sequence.version, position=target)
    replan(sequence)


def replan(sequence: SequenceRow) -> None:
    """Compute anew when the next step of everybody on the way runs; who waits for a mail to leave still waits."""
    _replan_all(Enrolment.objects.filter(sequence=sequence))


def replan_contact(contact_id: int) -> None:
    """The same for a contact whose time zone changed, or the people of such a company, where a sequence follows it."""
    concerned = Q(contact=contact_id) | Q(contact__company=contact_id, contact__zone="")
    _replan_all(Enrolment.objects.filter(concerned, sequence__zone=CONTACT_ZONE))


def _replan_all(rows: EnrolmentQuerySet) -> None:
    now = timezone.now()
    going = rows.open().exclude(state=EnrolmentState.HELD).filter(next_run_at__isnull=False)
    last = 0
    while batch := list(going.filter(pk__gt=last).select_related("sequence").order_by("pk")[:BATCH]):
        last = batch[-1].pk
        _replan(batch, now)


def _replan(batch: Sequence[Enrolment], now: datetime) -> None:
    sequences = {row.sequence_id: row.sequence for row in batch}
    calendars = queries.calendars_of(sequences.values(), [row.contact_id for row in batch])
    steps = queries.steps_by_version((row.sequence_id, row.version) for row in batch)
    finished: list[int] = []
    for row in batch:
        own = steps[row.sequence_id, row.version]
        if row.position >= len(own):
            finished.append(row.pk)
            continue
        after, calendar = row.last_run_at or row.enrolled_at, calendars.of(row.sequence_id, row.contact_id)
        run_at = next_run(row.sequence_id, row.contact_id or 0, own, row.position, after, calendar)
        row.next_run_at = max(filter(None, (run_at, row.not_before)))
    sql.update_rows(Enrolment, ["next_run_at"], [(row.pk, row.next_run_at) for row in batch])
    endings.finish(finished, now)


def one_a_day(
    sequence_id: int, contact_id: int, step: Step, at: datetime, mailed_at: datetime | None, calendar: Calendar
) -> datetime:
    """The same, or a day later when the contact gets another mail on that day."""
    if mailed_at is None or timing.local_day(at, calendar.zone) > timing.local_day(mailed_at, calendar.zone):
        return at
    return timing.next_day(at, calendar, fraction=timing.fraction_of(sequence_id, contact_id, step.key))
