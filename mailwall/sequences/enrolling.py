"""Who can start, who is on the way: checks, enrolments, and what people change about them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailwall.assignment.models import Link
from mailwall.contacts import hooks as contact_hooks
from mailwall.contacts.models import Contact
from mailwall.mailstore.models import Direction, Message
from mailwall.sending import mail_templates
from mailwall.sending.models import UndeliverableAddress
from mailwall.sequences import endings, letters, moving, posts, queries, rules, suppressions, timing
from mailwall.sequences.errors import ChangeRefused, SequenceInvalid
from mailwall.sequences.models import Enrolment, EnrolmentState, Outcome, Step, StepRun
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.rules import Problem
from mailwall.team.models import User

HOLD, GO_ON = "hold", "go_on"
MAX_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ColleagueMail:
    """A colleague wrote to the contact lately, in a mail that the viewer may see."""

    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A contact as it would start. problem: why it cannot. others: sequences it is in, that the viewer may read."""

    contact_id: int
    contact: Contact | None
    address: str = ""
    problem: Problem | None = None
    colleague: ColleagueMail | None = None
    others: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one contact: an enrolment, or why there is none."""

    contact_id: int
    enrolment: Enrolment | None = None
    problem: Problem | None = None


def check_contacts(viewer: User, sequence: SequenceRow, contact_ids: Sequence[int]) -> list[Candidate]:
    """Each contact as it would start, in the order given; a handful of queries for any number."""
    wanted = list(dict.fromkeys(contact_ids))[:MAX_AT_ONCE]
    rows = Contact.objects.filter(pk__in=wanted).select_related("company").prefetch_related("addresses")
    contacts = {row.pk: row for row in rows}
    addresses = {row.address for contact in contacts.values() for row in contact.addresses.all()}
    blocked = _blocked(addresses)
    here = set(Enrolment.objects.filter(sequence=sequence, contact__in=contacts).values_list("contact_id", flat=True))
    others = _other_sequences(viewer, sequence, contacts)
    colleagues = _colleague_mails(viewer, sequence, list(contacts))
    needed = letters.needed_fields([step for step in queries.steps_of(sequence) if step.kind == rules.EMAIL])
    candidates = []
    for pk in wanted:
        contact = contacts.get(pk)
        if contact is None:
            candidates.append(Candidate(contact_id=pk, contact=None, problem=_problem("not_found")))
            continue
        address, problem = _choose_address(contact, blocked)
        missing = _missing(contact, sequence, needed)
        if pk in here:
            problem = _problem("already_enrolled")
        elif problem is None and missing:
            problem = _problem("missing_field", ", ".join(missing))
        candidates.append(
            Candidate(
                contact_id=pk, contact=contact, address=address, problem=problem, colleague=colleagues.get(pk),
                others=tuple(others.get(pk, ())),
            )
        )  # fmt: skip
    return candidates


def _problem(code: str, value: str = "") -> Problem:
    return Problem(field="contacts", code=code, value=value)


def _blocked(addresses: Collection[str]) -> dict[str, str]:
    """address → why no sequence writes to it."""
    bounced = UndeliverableAddress.objects.filter(address__one_of=sorted(addresses)).values_list("address", flat=True)
    blocked = dict.fromkeys(bounced, "undeliverable")
    blocked |= dict.fromkeys(contact_hooks.own_addresses_among(sorted(addresses)), "own_address")
    return blocked | dict.fromkeys(suppressions.suppressed_among(addresses), "suppressed")


def _choose_address(contact: Contact, blocked: Mapping[str, str]) -> tuple[str, Problem | None]:
    """The first address; a suppressed one speaks for the person, so another is no way around it."""
    addresses = [row.address for row in contact.addresses.all()]
    if not addresses:
        return "", _problem("no_address")
    for address in addresses:
        if blocked.get(address) == "suppressed":
            return address, _problem("suppressed", address)
    free = [address for address in addresses if address not in blocked]
    return (free[0], None) if free else (addresses[0], _problem(blocked[addresses[0]], addresses[0]))


def _missing(contact: Contact, sequence: SequenceRow, needed: Sequence[str]) -> list[str]:
    if not needed:
        return []
    values = mail_templates.field_values(contact, sequence.owner, sequence.account)
    return [name for name in needed if not values.get(name, "").strip()]


def _other_sequences(viewer: User, sequence: SequenceRow, contact_ids: Collection[int]) -> dict[int, list[str]]:
    readable = SequenceRow.objects.visible_to(viewer).exclude(pk=sequence.pk)
    rows = Enrolment.objects.open().filter(contact__in=contact_ids, sequence__in=readable)
    found: dict[int, list[str]] = {}
    for contact_id, name in rows.order_by("sequence__name").values_list("contact_id", "sequence__name"):
        found.setdefault(contact_id or 0, []).append(name)
    return found


def _colleague_mails(viewer: User, sequence: SequenceRow, contact_ids: list[int]) -> dict[int, ColleagueMail]:
    """contact → the last mail that a colleague sent lately, of what the viewer may see: nothing else is hinted at."""
    since = timezone.now() - timedelta(days=sequence.quiet_days)
    mails = Message.objects.visible_to(viewer).filter(direction=Direction.SENT, internaldate__gte=since)
    lately = mails.exclude(account__owner=sequence.owner).values("pk")
    links = Link.objects.filter(contact_id__one_of=contact_ids, message__in=lately).order_by("message")
    rows = links.values_list("contact_id", "message__account__owner__name", "message__internaldate")
    return {contact_id: ColleagueMail(name=name, at=at) for contact_id, name, at in rows}


def enrol(
    viewer: User, sequence_id: int, contact_ids: Sequence[int], *, if_colleague_wrote: str = HOLD
) -> list[Result]:
    """Start the sequence for these contacts; the answer has their order, each once.

    if_colleague_wrote: HOLD starts such a contact once the quiet days are over, GO_ON at once. Wake the workers
    afterwards: `tasks.wake(sequence)`.

    :raises SequencesOff, SequenceNotFound, NotTheOwner. :raises SequenceInvalid: it has no steps, or is archived.
    """
    queries.require_on()
    queries.own_sequence(viewer, sequence_id)
    with transaction.atomic():
        rows = SequenceRow.objects.select_for_update(of=("self",)).select_related("owner", "account")
        sequence = rows.get(pk=sequence_id)  # the lock keeps a contact from being enrolled twice
        steps = queries.steps_of(sequence)
        _require_ready(sequence, steps)
        candidates = check_contacts(viewer, sequence, contact_ids)
        able = [candidate for candidate in candidates if candidate.problem is None]
        made = _make(viewer, sequence, steps, able, hold=if_colleague_wrote == HOLD)
    return [
        Result(contact_id=item.contact_id, enrolment=made.get(item.contact_id), problem=item.problem)
        for item in candidates
    ]


def _require_ready(sequence: SequenceRow, steps: Sequence[Step]) -> None:
    if sequence.archived_at is not None:
        raise SequenceInvalid([Problem(field="state", code="is_archived")])
    if not any(step.kind != rules.WAIT for step in steps):
        raise SequenceInvalid([Problem(field="steps", code="no_steps")])


def _make(
    viewer: User, sequence: SequenceRow, steps: Sequence[Step], able: Sequence[Candidate], *, hold: bool
) -> dict[int, Enrolment]:
    now, calendars = timezone.now(), queries.calendars_of([sequence], [item.contact_id for item in able])
    position = rules.next_action([step.kind for step in steps], 0)
    rows = []
    for place, candidate in enumerate(able):
        fraction = timing.fraction_of(sequence.pk, candidate.contact_id, steps[position].key)
        calendar = calendars.of(sequence.pk, candidate.contact_id)
        begin = now + timing.stagger(place, calendar, fraction=fraction)
        run_at = moving.next_run(sequence.pk, candidate.contact_id, steps, position, begin, calendar)
        held = hold and candidate.colleague is not None
        if held and candidate.colleague:
            run_at = max(run_at, candidate.colleague.at + timedelta(days=sequence.quiet_days))
        rows.append(
            Enrolment(
                sequence=sequence, contact_id=candidate.contact_id, address=candidate.address, version=sequence.version,
                position=position, state=EnrolmentState.HELD if held else EnrolmentState.ACTIVE, next_run_at=run_at,
                reason="colleague_wrote" if held else "", enrolled_by=viewer, enrolled_at=now,
            )
        )  # fmt: skip
    made = Enrolment.objects.bulk_create(rows)
    posts.tell_enrolled(made, by=viewer, at=now)
    return {row.contact_id or 0: row for row in made}


# -- what people change


def change_enrolment(viewer: User, enrolment_id: int, wanted: str) -> Enrolment:
    """Pause, go on, or remove ('stopped'). The same state again changes nothing.

    :raises SequenceNotFound, NotTheOwner, ChangeRefused.
    """
    with transaction.atomic():
        enrolment = queries.enrolment_of(viewer, enrolment_id)
        queries.own_sequence(viewer, enrolment.sequence_id)
        if not rules.may_change(enrolment.state, wanted):
            raise ChangeRefused("state")
        if enrolment.state != wanted:
            _change(viewer, enrolment, wanted)
    return queries.enrolment_of(viewer, enrolment_id)


def _change(viewer: User, enrolment: Enrolment, wanted: str) -> None:
    same = Enrolment.objects.filter(pk=enrolment.pk, state=enrolment.state)
    if wanted == EnrolmentState.STOPPED:
        endings.end([enrolment.pk], state=wanted, reason="by_hand", by=viewer, only_open=True)
    elif wanted == EnrolmentState.PAUSED:
        same.update(state=wanted, reason="by_hand")
    else:
        _require_resumable(enrolment)
        waits_for_mail = _waits_for_mail(enrolment)
        run_at = None if waits_for_mail else max(filter(None, (timezone.now(), enrolment.next_run_at)))
        same.update(state=wanted, reason="", reply=None, ended_at=None, next_run_at=run_at)


def _require_resumable(enrolment: Enrolment) -> None:
    if enrolment.contact is None:
        raise ChangeRefused("contact_deleted")
    if enrolment.sequence.archived_at is not None:
        raise ChangeRefused("is_archived")
    if suppressions.is_suppressed(enrolment.address):
        raise ChangeRefused("suppressed")
    steps = queries.steps_of(enrolment.sequence, enrolment.version)
    if enrolment.position >= len(steps) and not _waits_for_mail(enrolment):
        raise ChangeRefused("nothing_left")


def _waits_for_mail(enrolment: Enrolment) -> bool:
    """Whether its last mail has not left yet: what comes next is planned when it has."""
    last = StepRun.objects.filter(enrolment=enrolment.pk).order_by("-ran_at", "-pk").first()
    return last is not None and last.outcome == Outcome.QUEUED


def pause_all(viewer: User, sequence_id: int) -> int:
    """Pause everybody who is on the way; gives how many."""
    sequence = queries.own_sequence(viewer, sequence_id)
    rows = Enrolment.objects.filter(sequence=sequence, state__in=(EnrolmentState.ACTIVE, EnrolmentState.HELD))
    return int(rows.update(state=EnrolmentState.PAUSED, reason="by_hand"))
