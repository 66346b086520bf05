"""What would happen to a contact: every step with its day, every mail as it would read. Computes, writes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils import timezone

from mailwall.contacts.models import Contact
from mailwall.sequences import letters, moving, queries, rules
from mailwall.sequences.enrolling import Candidate
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.models import Step
from mailwall.sequences.timing import Calendar


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step that will run. number: 1 for the first of all steps. html: cleaned, with signature and goodbye."""

    step: Step
    number: int
    at: datetime
    subject: str = ""
    html: str = ""
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A contact with what would run for them; zone: in which their days and hours are."""

    candidate: Candidate
    planned: list[Planned]
    zone: ZoneInfo


def plans_of(sequence: SequenceRow, candidates: Iterable[Candidate]) -> list[Plan]:
    """When each e-mail and task would run for each of them, caps and replies aside; a few queries for any number."""
    candidates, steps, plans = list(candidates), queries.steps_of(sequence), []
    calendars = queries.calendars_of([sequence], [item.contact_id for item in candidates])
    for item in candidates:
        begin = timezone.now()
        if item.colleague is not None:
            begin = max(begin, item.colleague.at + timedelta(days=sequence.quiet_days))
        calendar = calendars.of(sequence.pk, item.contact_id)
        planned = _planned(sequence, steps, calendar, item.contact_id, begin)
        plans.append(Plan(candidate=item, planned=planned, zone=calendar.zone))
    return plans


def mails_of(sequence: SequenceRow, contact: Contact, calendar: Calendar, *, begin: datetime) -> list[Planned]:
    """Every e-mail and task with its day, the mails filled for this contact."""
    planned = _planned(sequence, queries.steps_of(sequence), calendar, contact.pk, begin)
    if sequence.account is None:
        return planned
    filled, thread = [], ""
    for item in planned:
        if item.step.kind != rules.EMAIL:
            filled.append(item)
            continue
        before = thread if item.step.same_thread else ""
        written = letters.write(item.step, contact, sequence.account, thread_subject=before)
        thread = before or written.subject
        filled.append(
            Planned(
                step=item.step, number=item.number, at=item.at, subject=written.subject, missing=written.missing,
                html=written.html + letters.closing(sequence.account, "#"),
            )
        )  # fmt: skip
    return filled


def _planned(
    sequence: SequenceRow, steps: Sequence[Step], calendar: Calendar, contact_id: int, begin: datetime
) -> list[Planned]:
    planned: list[Planned] = []
    at, mailed_at = begin, None
    kinds = [step.kind for step in steps]
    place = rules.next_action(kinds, 0)
    while place < len(steps):
        at = moving.next_run(sequence.pk, contact_id, steps, place, at, calendar)
        if kinds[place] == rules.EMAIL:
            at = moving.one_a_day(sequence.pk, contact_id, steps[place], at, mailed_at, calendar)
            mailed_at = at
        planned.append(Planned(step=steps[place], number=place + 1, at=at))
        place = rules.next_action(kinds, place + 1)
    return planned
