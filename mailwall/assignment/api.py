"""REST door of this room."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from mailwall.assignment import queries, services
from mailwall.assignment.errors import AssignmentTargetNotFound
from mailwall.assignment.models import Review
from mailwall.team.models import User
from mailwall.web.rest import PROBLEMS, ApiProblem

router = Router()


class BecauseOut(Schema):
    field: str
    address: str


class ContactOfMessageOut(Schema):
    id: int
    kind: str
    name: str
    because: list[BecauseOut]


class ContactsOut(Schema):
    contacts: list[ContactOfMessageOut]


class ReviewOut(Schema):
    """reviewed: how many were unassigned before; assigned: how many of them found a contact."""

    reviewed: int
    assigned: int


@router.put("/messages/{int:message_id}/contacts/{int:contact_id}", response={200: ContactsOut, **PROBLEMS})
def assign(request: HttpRequest, message_id: int, contact_id: int) -> dict[str, Any]:
    """Assign a message to a contact by hand; it survives every later review."""
    return _by_hand(services.assign_by_hand, request, message_id, contact_id)


@router.delete("/messages/{int:message_id}/contacts/{int:contact_id}", response={200: ContactsOut, **PROBLEMS})
def unassign(request: HttpRequest, message_id: int, contact_id: int) -> dict[str, Any]:
    """Take a message from a contact by hand; no later review brings it back."""
    return _by_hand(services.unassign_by_hand, request, message_id, contact_id)


@router.post("/unassigned/review", response={200: ReviewOut, **PROBLEMS})
def review(request: HttpRequest) -> Review:
    """Review unassigned messages now: all for an admin, those of one's own accounts for others."""
    return services.review_by_hand(request.user)  # type: ignore[arg-type]


def _by_hand(
    change: Callable[[User, int, int], None], request: HttpRequest, message_id: int, contact_id: int
) -> dict[str, Any]:
    try:
        change(request.user, message_id, contact_id)  # type: ignore[arg-type]
    except AssignmentTargetNotFound as error:
        raise ApiProblem(404, error.code, str(error)) from error
    return {"contacts": queries.contacts_of([message_id])[message_id]}
