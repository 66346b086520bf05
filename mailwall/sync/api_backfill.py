"""REST door of older history: /email-accounts/{id}/backfill."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Router, Schema
from pydantic import Field

from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sync import backfill, history, tasks
from mailwall.sync.api import problem_of, readable_account
from mailwall.web.rest import PROBLEMS

router = Router()


class BackfillIn(Schema):
    """since, until: a date (whole days in the owner's zone, until inclusive) or a date-time. between: two times of day
    in that zone, e.g. ["01:00", "05:00"]. per_minute: at most so many messages; 0 without limit."""

    since: str
    until: str | None = None
    between: list[str] | None = Field(None, min_length=2, max_length=2)
    per_minute: int = Field(0, ge=0, le=history.MAX_PER_MINUTE)


class BackfillPatch(Schema):
    paused: bool


class BackfillOut(Schema):
    """In messages. done: looked at; stored: of those, new here. until: the moment before which the range ends."""

    state: Literal["waiting", "running", "paused", "done", "stopped"]
    since: datetime
    until: datetime | None
    between: list[str] | None
    per_minute: int
    total: int
    done: int
    stored: int
    eta_at: datetime | None


@router.post("/email-accounts/{account_id}/backfill", response={201: BackfillOut, **PROBLEMS})
def start_backfill(request: HttpRequest, account_id: int, payload: BackfillIn) -> tuple[int, dict[str, Any]]:
    """Fetch older messages, newest first, behind all new mail. Only the owner may start it."""
    viewer: Any = request.user
    account = readable_account(request, account_id)
    try:
        wanted = history.wanted_range(account, payload.since, payload.until, payload.between, payload.per_minute)
        history.fetch(account, viewer, wanted)
    except MailwallError as error:
        raise problem_of(error) from error
    tasks.fetch_history(account.pk)
    return 201, _latest(account)


@router.get("/email-accounts/{account_id}/backfill", response={200: BackfillOut, **PROBLEMS})
def read_backfill(request: HttpRequest, account_id: int) -> dict[str, Any]:
    """The newest one and how far it is."""
    return _latest(readable_account(request, account_id))


@router.patch("/email-accounts/{account_id}/backfill", response={200: BackfillOut, **PROBLEMS})
def pause_backfill(request: HttpRequest, account_id: int, payload: BackfillPatch) -> dict[str, Any]:
    """Pause, or go on."""
    account = readable_account(request, account_id)
    if payload.paused:
        backfill.pause(account)
    elif backfill.resume(account):
        tasks.fetch_history(account.pk)
    return _latest(account)


@router.delete("/email-accounts/{account_id}/backfill", response={204: None, **PROBLEMS})
def stop_backfill(request: HttpRequest, account_id: int) -> tuple[int, None]:
    """End it; what was stored stays."""
    account = readable_account(request, account_id)
    if not backfill.stop(account):
        _latest(account)
    return 204, None


def _latest(account: EmailAccount) -> dict[str, Any]:
    progress = backfill.latest(account)
    if progress is None:
        raise Http404
    asked = progress.backfill
    between = None
    if asked.begins is not None and asked.ends is not None:
        between = [asked.begins.strftime("%H:%M"), asked.ends.strftime("%H:%M")]
    return {
        "state": progress.state, "since": asked.since, "until": asked.until, "between": between,
        "per_minute": asked.per_minute, "total": progress.total, "done": progress.done, "stored": progress.stored,
        "eta_at": progress.eta_at,
    }  # fmt: skip
