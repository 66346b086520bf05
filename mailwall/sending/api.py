"""REST door of the outbox: /outgoing."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Header, Router, Schema
from pydantic import ConfigDict, Field

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.mime.types import Address
from mailwall.sending import rules, services, tasks
from mailwall.sending.errors import (
    IdempotencyMismatch,
    LetterInvalid,
    OutgoingNotFound,
    SendingError,
)
from mailwall.sending.models import CopyState, Outgoing, OutgoingState
from mailwall.sending.types import Letter, LetterFile
from mailwall.web.rest import DEFAULT_LIMIT, PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router()

Id = Annotated[int, Field(ge=1, lt=2**63)]
StateName = Literal["held", "queued", "sending", "sent", "failed", "needs_review", "cancelled"]


class PersonIn(Schema):
    name: str | None = None
    address: str


#: `{name?, address}`, or a string such as `Name <a@b>`
People = Annotated[list[PersonIn | str], Field(default_factory=list, max_length=1000)]


class FileIn(Schema):
    model_config = ConfigDict(extra="forbid")

    filename: str
    content_type: str = "application/octet-stream"
    content_base64: str


class OutgoingIn(Schema):
    """email_account: one's own, without it the default one. hold_seconds: can be cancelled for so long."""

    model_config = ConfigDict(extra="forbid")

    email_account: Id | None = None
    to: People
    cc: People
    bcc: People
    subject: str = ""
    html: str | None = None
    text: str | None = None
    attachments: Annotated[list[FileIn], Field(default_factory=list, max_length=500)]
    in_reply_to: Id | None = None
    send_at: datetime | None = None
    hold_seconds: Annotated[int, Field(ge=0, le=rules.MAX_HOLD_SECONDS)] = 0
    signature: bool = True


class DeliveryErrorOut(Schema):
    code: str
    message: str


class OutgoingOut(Schema):
    """message: its id on the walls. refused: {address: the server's words}. copy_in_sent: '' until it was sent."""

    id: int
    state: StateName
    email_account: int
    message: int | None
    message_id: str
    subject: str
    to: list[str]
    due_at: datetime
    sent_at: datetime | None
    attempts: int
    refused: dict[str, str]
    bounced_at: datetime | None
    copy_in_sent: str
    error: DeliveryErrorOut | None


class DecisionIn(Schema):
    model_config = ConfigDict(extra="forbid")

    decision: Literal["it_was_sent", "send_again"]


@router.post("/outgoing", response={201: OutgoingOut, **PROBLEMS})
def create_outgoing(
    request: HttpRequest, payload: OutgoingIn, key: Annotated[str, Header(alias="Idempotency-Key")] = ""
) -> tuple[int, dict[str, Any]]:
    """Send a mail. Answers at once; the sending follows.

    An `Idempotency-Key` holds for 24 hours; 409 `in_progress` while the first request with it is under way.
    """
    sender: Any = request.user
    if len(key) > 255 or "\x00" in key:
        _invalid([("Idempotency-Key", _("The key can have at most 255 characters."))])
    letter, send_at = _letter(sender, payload), _send_at(payload.send_at)
    outgoing = _asked(
        lambda: services.queue_outgoing(
            sender, letter, hold_seconds=payload.hold_seconds, send_at=send_at, idempotency_key=key
        )
    )
    tasks.deliver(outgoing)
    return 201, _fields(outgoing)


@router.get("/outgoing", response={200: Page[OutgoingOut], **PROBLEMS})
def list_outgoing(
    request: HttpRequest, state: StateName | None = None, cursor: str | None = None, limit: int = DEFAULT_LIMIT
) -> dict[str, Any]:
    """What one has sent or is sending, newest first."""
    sender: Any = request.user
    rows = Outgoing.objects.of(sender).order_by("-pk")
    if state:
        rows = rows.filter(state=state)
    if before := decode_cursor(cursor, [int]):
        rows = rows.filter(pk__lt=before[0])
    limit = clamp_limit(limit)
    found = list(rows[: limit + 1])
    more = len(found) > limit
    items = [_fields(outgoing) for outgoing in found[:limit]]
    return {"items": items, "next_cursor": encode_cursor(found[limit - 1].pk) if more else None}


@router.get("/outgoing/{int:outgoing_id}", response={200: OutgoingOut, **PROBLEMS})
def get_outgoing(request: HttpRequest, outgoing_id: int) -> dict[str, Any]:
    sender: Any = request.user
    return _fields(_asked(lambda: services.get_outgoing(sender, outgoing_id)))


@router.post("/outgoing/{int:outgoing_id}/cancel", response={200: OutgoingOut, **PROBLEMS})
def cancel(request: HttpRequest, outgoing_id: int) -> dict[str, Any]:
    """Take back a mail that has not left. 409 `too_late` once it is on its way."""
    sender: Any = request.user
    return _fields(_asked(lambda: services.cancel_outgoing(sender, outgoing_id)))


@router.post("/outgoing/{int:outgoing_id}/settle", response={200: OutgoingOut, **PROBLEMS})
def settle(request: HttpRequest, outgoing_id: int, payload: DecisionIn) -> dict[str, Any]:
    """Say of a mail in `needs_review` that it was sent, or have it sent again."""
    sender: Any = request.user
    outgoing = _asked(lambda: services.settle(sender, outgoing_id, payload.decision))
    tasks.deliver(outgoing)
    return _fields(outgoing)


@router.post("/outgoing/{int:outgoing_id}/retry", response={200: OutgoingOut, **PROBLEMS})
def retry(request: HttpRequest, outgoing_id: int) -> dict[str, Any]:
    """Send a failed mail again, as it is."""
    sender: Any = request.user
    outgoing = _asked(lambda: services.retry(sender, outgoing_id))
    tasks.deliver(outgoing)
    return _fields(outgoing)


def _asked(call: Callable[[], Outgoing]) -> Outgoing:
    """The call's answer, its refusals as problems."""
    try:
        return call()
    except LetterInvalid as error:
        raise ApiProblem(422, error.code, account_errors.sentence(error), errors=error.errors) from error
    except SendingError as error:
        statuses = {OutgoingNotFound: 404, IdempotencyMismatch: 422}  # all others: a conflict with how things are
        raise ApiProblem(statuses.get(type(error), 409), error.code, account_errors.sentence(error)) from error


def _letter(sender: Any, payload: OutgoingIn) -> Letter:
    account = account_queries.get_own_account(sender, payload.email_account) if payload.email_account else None
    return Letter(
        account=account,
        to=_people(payload.to),
        cc=_people(payload.cc),
        bcc=_people(payload.bcc),
        subject=payload.subject,
        html=payload.html or "",
        text=payload.text or "",
        files=tuple(_file(number, file) for number, file in enumerate(payload.attachments)),
        in_reply_to=payload.in_reply_to,
        with_signature=payload.signature,
    )


def _people(people: list[PersonIn | str]) -> tuple[Address, ...]:
    """As they were typed: what they are worth is for the letter to say."""
    return tuple(map(_person, people))


def _person(person: PersonIn | str) -> Address:
    if isinstance(person, PersonIn):
        return Address(name=person.name or "", address=person.address)
    name, bracket, rest = person.rpartition("<")
    if not bracket or not rest.rstrip(" ").endswith(">"):
        return Address(address=person)
    return Address(name=name.strip(' "'), address=rest.rstrip(" ")[:-1])


def _file(number: int, file: FileIn) -> LetterFile:
    try:
        raw = base64.b64decode(file.content_base64, validate=True)
    except (binascii.Error, ValueError):
        _invalid([(f"attachments.{number}.content_base64", _("This is not base64."))])
    return LetterFile(filename=file.filename, content_type=file.content_type, raw_content=raw)


def _send_at(moment: datetime | None) -> datetime | None:
    """Aware; a time without a zone is UTC."""
    if moment is None:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _invalid(errors: list[tuple[str, str]]) -> Any:
    raise ApiProblem(422, "invalid", _("This mail cannot be sent as it is."), errors=errors)


def _fields(outgoing: Outgoing) -> dict[str, Any]:
    told = account_errors.translated(outgoing.error_msgid, outgoing.error_params, outgoing.error_message)
    shown = outgoing.state not in (OutgoingState.SENT, OutgoingState.CANCELLED)
    return {
        "id": outgoing.pk,
        "state": OutgoingState(outgoing.state).value,
        "email_account": outgoing.account_id,
        "message": outgoing.message_id,
        "message_id": outgoing.message_id_header,
        "subject": outgoing.subject,
        "to": outgoing.receivers,
        "due_at": outgoing.due_at,
        "sent_at": outgoing.sent_at,
        "attempts": outgoing.attempts,
        "refused": outgoing.refused,
        "bounced_at": outgoing.bounced_at,
        "copy_in_sent": CopyState(outgoing.copy_state).value,
        "error": {"code": outgoing.error_code, "message": told} if outgoing.error_code and shown else None,
    }
