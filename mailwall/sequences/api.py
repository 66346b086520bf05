"""REST door of this room: /sequences, /enrolments."""

from __future__ import annotations

from typing import Any, Literal

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from ninja import Router

from mailwall.email_accounts.errors import sentence
from mailwall.errors import MailwallError
from mailwall.sending.errors import SendingInactive
from mailwall.sequences import enrolling, opens, queries, schemas, services, tasks, wording
from mailwall.sequences.errors import ChangeRefused, NotTheOwner, SequenceInvalid, SequenceNotFound, SequencesOff
from mailwall.web.rest import DEFAULT_LIMIT, PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router(by_alias=True)


@router.get("/sequences", response={200: Page[schemas.SequenceOut], **PROBLEMS})
def list_sequences(
    request: HttpRequest, archived: bool = False, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> dict[str, Any]:
    """Own sequences and those shared for reading, newest first."""
    after = decode_cursor(cursor, (int,))
    rows = queries.visible_sequences(request.user).filter(archived_at__isnull=not archived).order_by("-pk")  # type: ignore[arg-type]
    rows = rows.filter(pk__lt=after[0]) if after else rows
    found = list(rows[: clamp_limit(limit) + 1])
    page = found[: clamp_limit(limit)]
    steps = queries.steps_by_version((row.pk, row.version) for row in page)
    return {
        "items": [schemas.sequence_fields(row, steps[row.pk, row.version]) for row in page],
        "next_cursor": encode_cursor(page[-1].pk) if len(found) > len(page) else None,
    }


@router.post("/sequences", response={201: schemas.SequenceOut, **PROBLEMS})
def create_sequence(request: HttpRequest, payload: schemas.SequenceIn) -> tuple[int, dict[str, Any]]:
    """Make a sequence of one's own. 409 `sending_inactive` when it is to run and its account does not send."""
    try:
        sequence = services.create_sequence(request.user, schemas.given_of(payload))  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error
    return 201, _whole(sequence)


@router.get("/sequences/{int:sequence_id}", response={200: schemas.SequenceOut, **PROBLEMS})
def read_sequence(request: HttpRequest, sequence_id: int) -> dict[str, Any]:
    """A sequence with the numbers of its steps and of who is enrolled."""
    try:
        return _whole(queries.sequence_of(request.user, sequence_id))  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error


@router.patch("/sequences/{int:sequence_id}", response={200: schemas.SequenceOut, **PROBLEMS})
def update_sequence(request: HttpRequest, sequence_id: int, payload: schemas.SequencePatch) -> dict[str, Any]:
    """Change what is given; `steps` are replaced whole, by their `id` they stay the same steps."""
    viewer: Any = request.user
    try:
        given = schemas.given_of(payload)
        sequence = services.update_sequence(viewer, sequence_id, given, apply_to=payload.apply_to)
        if "archived" in payload.model_fields_set:
            change = services.archive_sequence if payload.archived else services.restore_sequence
            sequence = change(viewer, sequence_id)
    except MailwallError as error:
        raise _problem(error) from error
    tasks.wake(sequence)
    return _whole(sequence)


@router.post("/sequences/{int:sequence_id}/enrolments", response={200: schemas.EnrolAnswer, **PROBLEMS})
def enrol(request: HttpRequest, sequence_id: int, payload: schemas.EnrolIn) -> dict[str, Any]:
    """Start contacts; each becomes an enrolment, or is answered with the problem that it has."""
    viewer: Any = request.user
    try:
        results = enrolling.enrol(viewer, sequence_id, payload.contacts, if_colleague_wrote=payload.if_colleague_wrote)
        tasks.wake(queries.sequence_of(viewer, sequence_id))
    except MailwallError as error:
        raise _problem(error) from error
    return {"items": [schemas.result_fields(result) for result in results]}


@router.get("/sequences/{int:sequence_id}/enrolments", response={200: Page[schemas.EnrolmentOut], **PROBLEMS})
def list_enrolments(
    request: HttpRequest,
    sequence_id: int,
    state: schemas.EnrolmentStateName | Literal[""] = "",
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Who is or was in the sequence, newest first."""
    after, size = decode_cursor(cursor, (int,)), clamp_limit(limit)
    viewer: Any = request.user
    try:
        sequence = queries.sequence_of(viewer, sequence_id)
    except MailwallError as error:
        raise _problem(error) from error
    rows = queries.enrolments_of(viewer, sequence, states=[state] if state else ())
    found = list((rows.filter(pk__lt=after[0]) if after else rows)[: size + 1])
    return {
        "items": [schemas.enrolment_fields(row) for row in found[:size]],
        "next_cursor": encode_cursor(found[size - 1].pk) if len(found) > size else None,
    }


@router.patch("/enrolments/{int:enrolment_id}", response={200: schemas.EnrolmentOut, **PROBLEMS})
def change_enrolment(request: HttpRequest, enrolment_id: int, payload: schemas.EnrolmentChange) -> dict[str, Any]:
    """`paused`, `active` (go on) or `stopped` (remove)."""
    try:
        enrolment = enrolling.change_enrolment(request.user, enrolment_id, payload.state)  # type: ignore[arg-type]
    except MailwallError as error:
        raise _problem(error) from error
    tasks.wake(enrolment.sequence)
    return schemas.enrolment_fields(enrolment)


def _whole(sequence: Any) -> dict[str, Any]:
    steps, numbers = queries.steps_of(sequence), queries.numbers_of(sequence)
    fields = schemas.sequence_fields(sequence, steps, numbers, with_opens=opens.are_shown(sequence))
    return {**fields, "enrolled": queries.counts_of(sequence).by_state}


def _problem(error: MailwallError) -> Exception:
    """The answer to what a service refuses; anything else stays what it is."""
    if isinstance(error, SequenceInvalid):
        errors = [(problem.field, wording.say_problem(problem)) for problem in error.problems]
        return ApiProblem(422, error.code, errors[0][1], errors=errors)
    if isinstance(error, SequenceNotFound):
        return Http404()
    if isinstance(error, NotTheOwner):
        return ApiProblem(403, error.code, _("Only its owner changes a sequence."))
    if isinstance(error, SequencesOff):
        return ApiProblem(409, error.code, _("Sequences belong to the Automation package; this workspace has Basic."))
    if isinstance(error, SendingInactive):
        return ApiProblem(409, error.code, sentence(error))
    if isinstance(error, ChangeRefused):
        return ApiProblem(409, error.code, wording.say_refused(error))
    return error
