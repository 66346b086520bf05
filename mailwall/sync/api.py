"""REST door of connected accounts: /email-accounts. It lives here because it shows counts and starts runs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router

from mailwall.email_accounts import connection, services
from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.sync import runs, tasks
from mailwall.sync import services as sync_services
from mailwall.sync.api_shapes import (
    AccountIn,
    AccountOut,
    AccountPatch,
    RunOut,
    TestOut,
    accounts_out,
    changes_of,
    draft_of,
    run_out,
)
from mailwall.sync.errors import DownloadError
from mailwall.web.rest import PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router()

MAX_WAIT_SECONDS = 120.0
_STATUS = {
    "not_allowed": 403,
    "already_connected": 409,
    "account_deactivated": 409,
    "owner_deactivated": 409,
    "account_not_active": 409,
    "backfill_active": 409,
    "too_many_tests": 429,
}


@router.get("/email-accounts", response={200: Page[AccountOut], **PROBLEMS})
def list_accounts(request: HttpRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Own accounts; managers also see their team's, administrators all."""
    viewer: Any = request.user
    limit, after = clamp_limit(limit), decode_cursor(cursor, (int,))
    found = account_queries.accounts_for(viewer).order_by("pk").filter(pk__gt=after[0] if after else 0)
    listed = list(found[: limit + 1])
    next_cursor = encode_cursor(listed[limit - 1].pk) if len(listed) > limit else None
    return {"items": accounts_out(viewer, listed[:limit]), "next_cursor": next_cursor}


@router.post("/email-accounts", response={201: AccountOut, **PROBLEMS})
def add_account(request: HttpRequest, payload: AccountIn) -> tuple[int, dict[str, Any]]:
    """Connect an account. The connection is tested first; the first synchronisation starts at once."""
    viewer: Any = request.user
    try:
        account = services.create_account(viewer, draft_of(payload), verify=payload.verify)
    except MailwallError as error:
        raise problem_of(error) from error
    tasks.download(account.pk)
    return 201, accounts_out(viewer, [account])[0]


@router.post("/email-accounts/test", response={200: TestOut, **PROBLEMS})
def test_connection(request: HttpRequest, payload: AccountIn) -> dict[str, Any]:
    """Try the servers stage by stage; nothing is saved."""
    viewer: Any = request.user
    try:
        account = services.draft_account(viewer, draft_of(payload))
        servers = connection.Servers(imap=True, smtp=bool(account.smtp_host))
        stages = list(connection.check(viewer, account, servers))
    except MailwallError as error:
        raise problem_of(error) from error
    shown = [
        {
            "stage": s.stage, "ok": s.ok, "ms": s.ms, "code": s.code,
            "message": account_errors.translated(s.msgid, s.params, s.message),
        }
        for s in stages
    ]  # fmt: skip
    return {"ok": all(s.ok for s in stages), "stages": shown}


@router.get("/email-accounts/{account_id}", response={200: AccountOut, **PROBLEMS})
def get_account(request: HttpRequest, account_id: int) -> dict[str, Any]:
    viewer: Any = request.user
    return accounts_out(viewer, [_account(viewer, account_id)])[0]


@router.patch("/email-accounts/{account_id}", response={200: AccountOut, **PROBLEMS})
def change_account(request: HttpRequest, account_id: int, payload: AccountPatch) -> dict[str, Any]:
    """Change what is given. New server settings or a new password are tested before they are saved."""
    viewer: Any = request.user
    account = _account(viewer, account_id)
    try:
        services.update_account(viewer, account_id, changes_of(account, payload), verify=payload.verify)
        if payload.state == "paused":
            services.pause(viewer, account_id)
        elif payload.state == "active":
            services.resume(viewer, account_id)
    except MailwallError as error:
        raise problem_of(error) from error
    return accounts_out(viewer, [_account(viewer, account_id)])[0]


@router.delete("/email-accounts/{account_id}", response={204: None, **PROBLEMS})
def remove_account(
    request: HttpRequest, account_id: int, messages: Literal["keep", "delete"] = "keep"
) -> tuple[int, None]:
    """Disconnect. `messages=keep`: they stay on the walls with their visibility; `delete`: they go."""
    viewer: Any = request.user
    _account(viewer, account_id)
    services.remove_account(viewer, account_id, keep_messages=messages == "keep")
    if messages == "delete":
        tasks.purge(account_id)
    return 204, None


@router.post("/email-accounts/{account_id}/download", response={200: RunOut, **PROBLEMS})
def download(request: HttpRequest, account_id: int, wait: Annotated[float, Query(ge=0, le=3600)] = 0) -> dict[str, Any]:
    """ "Download new messages": starts now, or joins the run in progress; waits up to `wait` seconds for its end."""
    viewer: Any = request.user
    account = _account(viewer, account_id)
    try:
        run = runs.request_download(account)
    except MailwallError as error:
        raise problem_of(error) from error
    tasks.download(account.pk)
    if wait > 0:
        run = sync_services.wait_for_run(run.pk, min(wait, MAX_WAIT_SECONDS))
    return run_out(run)


@router.post("/email-accounts/{account_id}/reactivate", response={200: AccountOut, **PROBLEMS})
def reactivate(request: HttpRequest, account_id: int) -> dict[str, Any]:
    """Test the connection; when it works the account is active again with 0 failed attempts."""
    viewer: Any = request.user
    _account(viewer, account_id)
    try:
        services.reactivate(viewer, account_id)
    except MailwallError as error:
        raise problem_of(error) from error
    tasks.download(account_id)
    return accounts_out(viewer, [_account(viewer, account_id)])[0]


def _account(viewer: Any, account_id: int) -> EmailAccount:
    if abs(account_id) >= 2**63:
        raise Http404
    return account_queries.get_account(viewer, account_id)


def readable_account(request: HttpRequest, account_id: int) -> EmailAccount:
    """An account that works and whose messages the caller may see."""
    viewer: Any = request.user
    account = account_queries.readable_account(viewer, _account(viewer, account_id).pk)
    if account.state == State.DEACTIVATED and request.method in ("POST", "PUT"):
        raise problem_of(account_errors.AccountDeactivated())
    return account


def problem_of(error: MailwallError) -> ApiProblem:
    """An error of this room or of accounts as REST tells it."""
    extra: dict[str, Any] = {}
    if isinstance(error, account_errors.AlreadyConnected) and error.account_id:
        extra["email_account"] = error.account_id
    errors = error.errors if isinstance(error, account_errors.DraftInvalid) else ()
    status = error.status if isinstance(error, DownloadError) else _STATUS.get(error.code, 422)
    return ApiProblem(status, error.code, account_errors.sentence(error), errors=errors, **extra)
