"""What the REST door of this room takes and gives."""

from __future__ import annotations

from collections.abc import Sequence as Many
from datetime import datetime, time
from typing import Any, Literal

from ninja import Schema
from pydantic import Field, field_validator

from mailwall.contacts.rules import KEEP
from mailwall.sequences import wording
from mailwall.sequences.enrolling import MAX_AT_ONCE, Result
from mailwall.sequences.models import Enrolment, Step
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.queries import StepNumbers
from mailwall.sequences.rules import StepInput
from mailwall.sequences.services import SequenceInput, WindowInput

MAX_INT = 2**31 - 1
MAX_KEY = 2**63 - 1
StateName = Literal["draft", "running", "paused"]
SharingName = Literal["own", "team", "all"]
EnrolmentStateName = Literal[
    "active", "paused", "held", "replied", "bounced", "unsubscribed", "stopped", "finished"
]  # fmt: skip


class StepIn(Schema):
    """id: of the step as it was read, to keep its numbers and who has passed it."""

    type: Literal["email", "wait", "task"]
    id: int | None = Field(None, ge=0, le=MAX_INT)
    subject: str = Field("", max_length=2_000)
    html: str = Field("", max_length=500_000)
    same_thread: bool = False
    days: int = Field(0, ge=0, le=MAX_INT)
    working_days: bool = False
    title: str = Field("", max_length=2_000)


class WindowIn(Schema):
    """days: 1 Monday … 7. zone: an IANA name; empty: the workspace's; 'contact': each contact's own, else that of its
    company, else the workspace's."""

    days: list[int] = Field(max_length=7)
    from_: time = Field(alias="from")
    to: time
    zone: str = Field("", max_length=64)

    @field_validator("from_", "to")
    @classmethod
    def local(cls, value: time) -> time:
        return value.replace(tzinfo=None, microsecond=0)


class SequenceIn(Schema):
    """What POST and PATCH take; PATCH leaves what is not given. email_account null: the default one."""

    name: str = ""
    email_account: int | None = Field(None, ge=0, le=MAX_KEY)
    state: StateName = "draft"
    steps: list[StepIn] = Field(default_factory=list, max_length=200)
    window: WindowIn | None = None
    daily_cap: int | None = Field(None, ge=0, le=MAX_INT)
    domain_cap: int | None = Field(None, ge=0, le=MAX_INT)
    end_on_company_reply: bool = False
    measure_opens: bool = False
    quiet_days: int = Field(7, ge=0, le=MAX_INT)
    sharing: SharingName = "own"


class SequencePatch(SequenceIn):
    """apply_to: whom changed steps are for: 'new' enrolments, or 'all' who have not passed them."""

    apply_to: Literal["new", "all"] = "new"
    archived: bool = False


class StepOut(Schema):
    """All steps have all fields; those of another type are empty. numbers: what became of it so far; of opens only
    while they are measured: `measured` mails, `opened` by somebody, `opened_by_machines` by nobody else."""

    id: int
    type: Literal["email", "wait", "task"]
    subject: str
    html: str
    same_thread: bool
    days: int
    working_days: bool
    title: str
    numbers: dict[str, int] | None = None


class WindowOut(Schema):
    days: list[int]
    from_: str = Field(alias="from")
    to: str
    zone: str


class SequenceOwner(Schema):
    id: int
    name: str


class SequenceOut(Schema):
    """enrolled: how many by state; only where one sequence is read."""

    id: int
    name: str
    owner: SequenceOwner
    email_account: int | None
    state: StateName
    steps: list[StepOut]
    window: WindowOut | None
    daily_cap: int | None
    domain_cap: int | None
    end_on_company_reply: bool
    measure_opens: bool
    quiet_days: int
    sharing: SharingName
    archived: bool
    created_at: datetime
    enrolled: dict[str, int] | None = None


class EnrolIn(Schema):
    """if_colleague_wrote: 'hold' begins when the quiet days are over, 'go_on' at once."""

    contacts: list[int] = Field(max_length=MAX_AT_ONCE)
    if_colleague_wrote: Literal["hold", "go_on"] = "hold"

    @field_validator("contacts")
    @classmethod
    def possible(cls, value: list[int]) -> list[int]:
        if any(not -MAX_KEY < pk <= MAX_KEY for pk in value):
            raise ValueError("an id that cannot be")
        return value


class EnrolmentOut(Schema):
    """step: 1 for the first one, as it comes next. reason: a stable word, reason_text says it."""

    id: int
    sequence: int
    contact: int | None
    state: EnrolmentStateName
    step: int
    next_run_at: datetime | None
    reason: str
    reason_text: str
    address: str
    enrolled_at: datetime
    ended_at: datetime | None


class ContactProblem(Schema):
    code: str
    message: str


class RefusedContact(Schema):
    contact: int
    problem: ContactProblem


class EnrolAnswer(Schema):
    items: list[EnrolmentOut | RefusedContact]


class EnrolmentChange(Schema):
    state: EnrolmentStateName


def given_of(payload: SequenceIn) -> SequenceInput:
    """Only what was sent; the rest stays."""
    sent = payload.model_fields_set
    window: WindowInput | None = None
    if payload.window is not None:
        wanted = payload.window
        window = WindowInput(days=tuple(wanted.days), opens=wanted.from_, closes=wanted.to, zone=wanted.zone)
    return SequenceInput(
        name=payload.name if "name" in sent else KEEP,
        account_id=payload.email_account if "email_account" in sent else KEEP,
        state=payload.state if "state" in sent else KEEP,
        steps=[_step_input(step) for step in payload.steps] if "steps" in sent else KEEP,
        window=window if "window" in sent else KEEP,
        daily_cap=payload.daily_cap if "daily_cap" in sent else KEEP,
        domain_cap=payload.domain_cap if "domain_cap" in sent else KEEP,
        end_on_company_reply=payload.end_on_company_reply if "end_on_company_reply" in sent else KEEP,
        measures_opens=payload.measure_opens if "measure_opens" in sent else KEEP,
        quiet_days=payload.quiet_days if "quiet_days" in sent else KEEP,
        sharing=payload.sharing if "sharing" in sent else KEEP,
    )


def _step_input(step: StepIn) -> StepInput:
    return StepInput(
        kind=step.type,
        key=step.id,
        subject=step.subject,
        html=step.html,
        same_thread=step.same_thread,
        days=step.days,
        working_days=step.working_days,
        title=step.title,
    )


def sequence_fields(
    sequence: SequenceRow,
    steps: Many[Step],
    numbers: dict[int, StepNumbers] | None = None,
    *,
    with_opens: bool = False,
) -> dict[str, Any]:
    """The fields of SequenceOut."""
    return {
        "id": sequence.pk,
        "name": sequence.name,
        "owner": {"id": sequence.owner_id, "name": str(sequence.owner)},
        "email_account": sequence.account_id,
        "state": sequence.state,
        "steps": [
            _step_fields(step, None if numbers is None else numbers.get(step.key, StepNumbers()), with_opens)
            for step in steps
        ],
        "window": _window_fields(sequence),
        "daily_cap": sequence.daily_cap,
        "domain_cap": sequence.domain_cap,
        "end_on_company_reply": sequence.end_on_company_reply,
        "measure_opens": sequence.measures_opens,
        "quiet_days": sequence.quiet_days,
        "sharing": sequence.sharing,
        "archived": sequence.archived_at is not None,
        "created_at": sequence.created_at,
    }


def _step_fields(step: Step, numbers: StepNumbers | None, with_opens: bool) -> dict[str, Any]:
    names = ["sent", "on_its_way", "done", "failed", "bounced", "replied", "unsubscribed", "stopped"]
    names += ["measured", "opened", "opened_by_machines"] if with_opens else []
    return {
        "id": step.key,
        "type": step.kind,
        "subject": step.subject,
        "html": step.html,
        "same_thread": step.same_thread,
        "days": step.days,
        "working_days": step.working_days,
        "title": step.title,
        "numbers": {name: getattr(numbers, name) for name in names} if numbers else None,
    }


def _window_fields(sequence: SequenceRow) -> dict[str, Any] | None:
    if not sequence.window_days or sequence.window_from is None or sequence.window_to is None:
        return None
    return {
        "days": sequence.window_days,
        "from": f"{sequence.window_from:%H:%M}",
        "to": f"{sequence.window_to:%H:%M}",
        "zone": sequence.zone,
    }


def enrolment_fields(enrolment: Enrolment) -> dict[str, Any]:
    """The fields of EnrolmentOut."""
    return {
        "id": enrolment.pk,
        "sequence": enrolment.sequence_id,
        "contact": enrolment.contact_id,
        "state": enrolment.state,
        "step": enrolment.position + 1,
        "next_run_at": enrolment.next_run_at,
        "reason": enrolment.reason,
        "reason_text": wording.say_reason(enrolment),
        "address": enrolment.address,
        "enrolled_at": enrolment.enrolled_at,
        "ended_at": enrolment.ended_at,
    }


def result_fields(result: Result) -> dict[str, Any]:
    """An enrolment, or the contact with its problem."""
    if result.enrolment is not None:
        return enrolment_fields(result.enrolment)
    assert result.problem is not None
    problem = {"code": result.problem.code, "message": wording.say_problem(result.problem)}
    return {"contact": result.contact_id, "problem": problem}
