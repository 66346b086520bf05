"""What would happen to a contact: every step with its day, every mail as it would read. Computes, writes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from mailwall.contacts.models import Contact
from mailwall.sequences import letters, moving, queries, rules
from mailwall.sequences.enrolling import Candidate
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.models import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A step that will run. number: 1 for the first of all steps. html: cleaned, with signature and goodbye."""

    step: Step
    number: int
    at: datetime
    subject: str = ""
    html: str = ""
    missing: tuple[str, ...] = ()


def dates_of(sequence: SequenceRow, candidate: Candidate) -> list[Planned]:
    """When each e-mail and task of the sequence would run for this contact, caps and replies aside."""
    begin = timezone.now()
    if candidate.colleague is not None:
        begin = max(begin, candidate.colleague.at + timedelta(days=sequence.quiet_days))
    return _planned(sequence, candidate.contact_id, begin)


def mails_of(sequence: SequenceRow, contact: Contact, *, begin: datetime) -> list[Planned]:
    """The same with the mails filled for this contact."""
    if sequence.account is None:
        return _planned(sequence, contact.pk, begin)
    filled, thread = [], ""
    for item in _planned(sequence, contact.pk, begin):
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


def _planned(sequence: SequenceRow, contact_id: int, begin: datetime) -> list[Planned]:
    steps, calendar = queries.steps_of(sequence), queries.calendar_of(sequence)
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
