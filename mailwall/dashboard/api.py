"""REST door of this room."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Router, Schema

from mailwall.dashboard import queries
from mailwall.email_accounts.models import State
from mailwall.wall import schemas
from mailwall.web.rest import PROBLEMS

router = Router(by_alias=True)


class ProblemOut(Schema):
    email_account: int
    address: str
    state: str
    code: str
    message: str


class DashboardOut(Schema):
    feed: list[schemas.WallItem]
    waiting: list[schemas.WallItem]
    problems: list[ProblemOut]
    unassigned: int


@router.get("/dashboard", response={200: DashboardOut, **PROBLEMS})
def read_dashboard(request: HttpRequest) -> dict[str, Any]:
    """The home screen: newest assigned mail and notes, what waits for an answer, accounts that need somebody."""
    viewer: Any = request.user
    return {
        "feed": [schemas.wall_item(card) for card in queries.feed(viewer)],
        "waiting": [schemas.wall_item(card) for card in queries.waiting(viewer, timezone.now())],
        "problems": [
            {
                "email_account": problem.account.pk,
                "address": problem.account.address,
                "state": problem.account.state,
                "code": problem.code,
                "message": problem.message or str(State(problem.account.state).label),
            }
            for problem in queries.problems(viewer)
        ],
        "unassigned": queries.unassigned(viewer),
    }
