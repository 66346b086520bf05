"""REST door of connected accounts: /email-accounts. It lives here because it shows counts, folders and the ledger.

And of the files of messages, which are fetched from the mail server when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema
from pydantic import ConfigDict, Field

from mailwall.email_accounts import connection, services
from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.drafts import UNSET, AccountChanges, AccountDraft, ServerDraft
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.sync import attachments, folders, overview, queries, responses, runs, tasks
from mailwall.sync import services as sync_services
from mailwall.sync.errors import DownloadError
from mailwall.sync.models import Folder, SyncRun
from mailwall.sync.overview import AccountRow
from mailwall.web.rest import PROBLEMS, ApiProblem, Page, Problem, clamp_limit, decode_cursor, encode_cursor

router = Router()

MAX_WAIT_SECONDS = 120.0
_STATUS = {
    "not_allowed": 403,
    "already_connected": 409,
    "account_deactivated": 409,
    "account_not_active": 409,
    "backfill_active": 409,
}


class ServerIn(Schema):
    """port: by default the usual one. username: by default the address, of SMTP the one of IMAP.

    password: of IMAP required when an account is added; of SMTP '' or missing stands for the one of IMAP.
    """

    host: str
    port: int | None = Field(None, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "tls"
    username: str = ""
    password: str | None = None


class AccountIn(Schema):
    """What POST takes. `verify: false` saves without a connection test; forbidden hosts are refused all the same."""

    address: str
    imap: ServerIn
    smtp: ServerIn | None = None
    owner: int | None = None
    aliases: list[str] = Field(default_factory=list)
    store: Literal["received", "sent", "both"] = "both"
    visibility: Literal["everyone", "owner_and_managers", "owner"] = "owner_and_managers"
    on_dashboard: bool = True
    import_since: str | None = None
    verify: bool = True


class ServerPatch(Schema):
    """Fields that are absent stay as they are. A missing password keeps the stored one."""

    host: str | None = None
    port: int | None = Field(None, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] | None = None
    username: str | None = None
    password: str | None = None


class AccountPatch(Schema):
    """Fields that are absent stay as they are. smtp null ends sending. state: `paused`, or `active` to go on."""

    model_config = ConfigDict(extra="ignore")

    address: str | None = None
    owner: int | None = None
    aliases: list[str] | None = None
    imap: ServerPatch | None = None
    smtp: ServerPatch | None = None
    store: Literal["received", "sent", "both"] | None = None
    visibility: Literal["everyone", "owner_and_managers", "owner"] | None = None
    on_dashboard: bool | None = None
    import_since: str | None = None
    sending_active: bool | None = None
    is_default: bool | None = None
    state: Literal["active", "paused"] | None = None
    verify: bool = True


class ServerOut(Schema):
    host: str
    port: int
    security: str
    username: str


class OwnerOut(Schema):
    id: int
    name: str


class ErrorOut(Schema):
    code: str
    message: str
    at: datetime


class AccountOut(Schema):
    """downloaded, assigned, unassigned: null where the caller may not see the account's messages."""

    id: int
    address: str
    owner: OwnerOut
    aliases: list[str]
    imap: ServerOut
    smtp: ServerOut | None
    store: str
    visibility: str
    on_dashboard: bool
    import_since: datetime
    state: Literal["active", "paused", "needs_sign_in", "deactivated"]
    failed_attempts: int
    last_error: ErrorOut | None
    last_synchronized_at: datetime | None
    next_synchronization_at: datetime | None
    downloaded: int | None
    assigned: int | None
    unassigned: int | None
    sending_active: bool
    sending_error: str | None
    lacks_sent_folder: bool
    is_default: bool


class StageOut(Schema):
    stage: str
    ok: bool | None
    ms: int
    code: str
    message: str


class TestOut(Schema):
    ok: bool
    stages: list[StageOut]


class RunErrorOut(Schema):
    code: str
    message: str


class RunOut(Schema):
    """`run` is the id of the run; a second call while it runs gives the same one."""

    run: int
    state: Literal["running", "done", "failed"]
    new: int
    assigned: int
    error: RunErrorOut | None


class FolderOut(Schema):
    id: int
    name: str
    role: str
    selected: bool
    missing: bool


class FoldersOut(Schema):
    items: list[FolderOut]


class FolderChoice(Schema):
    id: int | None = None
    name: str | None = None
    selected: bool = True


class FoldersIn(Schema):
    """The folders to read: each by id or name; those left out are not read."""

    items: list[FolderChoice] = Field(max_length=2_000)


class LedgerRow(Schema):
    """on_server = stored + skipped + failed + waiting once the folder is compared; waiting: not looked at yet."""

    folder: str
    role: str
    on_server: int
    stored: int
    skipped: dict[str, int]
    failed: int
    waiting: int


class LedgerOut(Schema):
    items: list[LedgerRow]


@router.get("/email-accounts", response={200: Page[AccountOut], **PROBLEMS})
def list_accounts(request: HttpRequest, cursor: str | None = None, limit: int = 50) -> dict[str, Any]:
    """Own accounts; managers also see their team's, administrators all."""
    viewer: Any = request.user
    limit, after = clamp_limit(limit), decode_cursor(cursor, (int,))
    found = account_queries.accounts_for(viewer).order_by("pk").filter(pk__gt=after[0] if after else 0)
    listed = list(found[: limit + 1])
    next_cursor = encode_cursor(listed[limit - 1].pk) if len(listed) > limit else None
    return {"items": _out(viewer, listed[:limit]), "next_cursor": next_cursor}


@router.post("/email-accounts", response={201: AccountOut, **PROBLEMS})
def add_account(request: HttpRequest, payload: AccountIn) -> tuple[int, dict[str, Any]]:
    """Connect an account. The connection is tested first; the first synchronisation starts at once."""
    viewer: Any = request.user
    try:
        account = services.create_account(viewer, _draft(payload), verify=payload.verify)
    except MailwallError as error:
        raise problem_of(error) from error
    tasks.download(account.pk)
    return 201, _out(viewer, [account])[0]


@router.post("/email-accounts/test", response={200: TestOut, **PROBLEMS})
def test_connection(request: HttpRequest, payload: AccountIn) -> dict[str, Any]:
    """Try the servers stage by stage; nothing is saved."""
    viewer: Any = request.user
    try:
        account = services.draft_account(viewer, _draft(payload))
        stages = list(connection.check(account, connection.Servers(imap=True, smtp=bool(account.smtp_host))))
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
    return _out(viewer, [_account(viewer, account_id)])[0]


@router.patch("/email-accounts/{account_id}", response={200: AccountOut, **PROBLEMS})
def change_account(request: HttpRequest, account_id: int, payload: AccountPatch) -> dict[str, Any]:
    """Change what is given. New server settings or a new password are tested before they are saved."""
    viewer: Any = request.user
    account = _account(viewer, account_id)
    try:
        services.update_account(viewer, account_id, _changes(account, payload), verify=payload.verify)
        if payload.state == "paused":
            services.pause(viewer, account_id)
        elif payload.state == "active":
            services.resume(viewer, account_id)
    except MailwallError as error:
        raise problem_of(error) from error
    return _out(viewer, [_account(viewer, account_id)])[0]


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
    return _run_out(run)


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
    return _out(viewer, [_account(viewer, account_id)])[0]


@router.get("/email-accounts/{account_id}/folders", response={200: FoldersOut, 502: Problem, **PROBLEMS})
def list_folders(request: HttpRequest, account_id: int) -> dict[str, Any]:
    """The server's folders now, each with its role and whether it is read."""
    account = readable_account(request, account_id)
    if account.state == State.DEACTIVATED:  # nothing connects: as they were last listed
        return {"items": [_folder_out(folder) for folder in queries.folders_of(account)]}
    try:
        return {"items": [_folder_out(folder) for folder in folders.list_live(account)]}
    except MailwallError as error:
        raise ApiProblem(502, error.code, account_errors.sentence(error)) from error


@router.put("/email-accounts/{account_id}/folders", response={200: FoldersOut, **PROBLEMS})
def choose_folders(request: HttpRequest, account_id: int, payload: FoldersIn) -> dict[str, Any]:
    """Read exactly these folders from now on. Only the owner chooses."""
    viewer: Any = request.user
    account = readable_account(request, account_id)
    if not account_rules.may_change_privacy(viewer, account):
        raise problem_of(account_errors.NotAllowed(account_errors.NotAllowed.MSGID_PRIVACY))
    known = queries.folders_of(account)
    ids = {folder.pk: folder.pk for folder in known}
    names = {folder.name: folder.pk for folder in known}
    chosen, unknown = set(), []
    for index, choice in enumerate(payload.items):
        found = ids.get(choice.id) if choice.id is not None else names.get(choice.name or "")
        if found is None:
            unknown.append((f"items.{index}", _("There is no such folder.")))
        elif choice.selected:
            chosen.add(found)
    if unknown:
        raise ApiProblem(422, "invalid", _("Some values cannot be used."), errors=unknown)
    folders.choose(viewer, account, chosen)
    return {"items": [_folder_out(folder) for folder in queries.folders_of(account)]}


@router.get("/email-accounts/{account_id}/ledger", response={200: LedgerOut, **PROBLEMS})
def ledger(request: HttpRequest, account_id: int) -> dict[str, Any]:
    """What became of every message of the folders that are read."""
    account = readable_account(request, account_id)
    rows = [
        {
            "folder": row.folder.name, "on_server": row.on_server, "stored": row.stored,
            "role": row.folder.role, "skipped": dict(row.skipped), "failed": row.failed, "waiting": row.waiting,
        }
        for row in queries.ledger_of(account)
    ]  # fmt: skip
    return {"items": rows}


_FILE: dict[Any, Any] = {200: None, frozenset({410, 502, 504}): Problem, **PROBLEMS}


@router.get("/messages/{int:message_id}/attachments/{int:attachment_id}", response=_FILE, tags=["messages"])
def read_attachment(request: HttpRequest, message_id: int, attachment_id: int) -> HttpResponseBase:
    """The attachment's bytes, from the mail server now."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_attachment(viewer, message_id, attachment_id))
    except DownloadError as error:
        raise problem_of(error) from error


@router.get("/messages/{int:message_id}/attachments.zip", response=_FILE, tags=["messages"])
def read_all_attachments(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """All attachments in one archive."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_zip(viewer, message_id))
    except DownloadError as error:
        raise problem_of(error) from error


@router.get("/messages/{int:message_id}/original", response=_FILE, tags=["messages"])
def read_original(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """The whole mail as the mail server has it (.eml)."""
    viewer: Any = request.user
    try:
        return responses.file_response(attachments.open_original(viewer, message_id))
    except DownloadError as error:
        raise problem_of(error) from error


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


def _server(payload: ServerIn) -> ServerDraft:
    return ServerDraft(**payload.model_dump())


def _draft(payload: AccountIn) -> AccountDraft:
    return AccountDraft(
        address=payload.address,
        imap=_server(payload.imap),
        owner_id=payload.owner,
        aliases=tuple(payload.aliases),
        smtp=_server(payload.smtp) if payload.smtp else None,
        store=payload.store,
        visibility=payload.visibility,
        on_dashboard=payload.on_dashboard,
        import_since=payload.import_since,
    )


def _changes(account: EmailAccount, payload: AccountPatch) -> AccountChanges:
    """Only what the call names; null is a value for smtp alone."""
    given = payload.model_dump(exclude_unset=True)
    names = ("address", "store", "visibility", "on_dashboard", "import_since", "sending_active", "is_default")
    plain = {name: given[name] for name in names if given.get(name) is not None}
    smtp: Any = UNSET
    if "smtp" in given:
        smtp = _merged(given["smtp"], _smtp_out(account) or {"host": ""}) if given["smtp"] is not None else None
    return AccountChanges(
        **plain,
        owner_id=UNSET if given.get("owner") is None else given["owner"],
        aliases=UNSET if given.get("aliases") is None else tuple(given["aliases"]),
        imap=UNSET if given.get("imap") is None else _merged(given["imap"], _imap_out(account)),
        smtp=smtp,
    )


def _merged(given: dict[str, Any], stored: dict[str, Any]) -> ServerDraft:
    named = {name: value for name, value in given.items() if value is not None}
    if "port" not in named and named.get("security", stored.get("security")) != stored.get("security"):
        stored = {**stored, "port": None}  # the usual one of the new security
    return ServerDraft(**{**stored, **named})


def _out(viewer: Any, accounts: Iterable[EmailAccount]) -> list[dict[str, Any]]:
    return [_account_out(row) for row in overview.rows_for(viewer, list(accounts))]


def _imap_out(account: EmailAccount) -> dict[str, Any]:
    return {
        "host": account.imap_host, "port": account.imap_port,
        "security": account.imap_security, "username": account.imap_username,
    }  # fmt: skip


def _smtp_out(account: EmailAccount) -> dict[str, Any] | None:
    if not account.smtp_host:
        return None
    return {
        "host": account.smtp_host, "port": account.smtp_port,
        "security": account.smtp_security, "username": account.smtp_username,
    }  # fmt: skip


def _account_out(row: AccountRow) -> dict[str, Any]:
    account, counts = row.account, row.counts
    last_error = None
    if account.last_error_code:
        last_error = {"code": account.last_error_code, "message": row.error, "at": account.last_error_at}
    return {
        "id": account.pk,
        "address": account.address,
        "owner": {"id": account.owner_id, "name": str(account.owner)},
        "aliases": account.aliases,
        "imap": _imap_out(account),
        "smtp": _smtp_out(account),
        "store": account.store,
        "visibility": account.visibility,
        "on_dashboard": account.on_dashboard,
        "import_since": account.import_since,
        "state": account.state,
        "failed_attempts": account.failed_attempts,
        "last_error": last_error,
        "last_synchronized_at": account.last_synchronized_at,
        "next_synchronization_at": account.next_sync_at,
        "downloaded": counts.downloaded if counts else None,
        "assigned": counts.assigned if counts else None,
        "unassigned": counts.unassigned if counts else None,
        "sending_active": row.sending_active,
        "sending_error": _(account.sending_error) if account.sending_error else None,
        "lacks_sent_folder": account.lacks_sent_folder,
        "is_default": account.is_default,
    }  # fmt: skip


def _run_out(run: SyncRun) -> dict[str, Any]:
    ended = run.state in (SyncRun.State.DONE, SyncRun.State.FAILED)
    failed = run.state == SyncRun.State.FAILED
    return {
        "run": run.pk,
        "state": run.state if ended else "running",
        "new": run.new,
        "assigned": run.assigned,
        "error": {"code": run.error_code, "message": overview.run_error(run)} if failed else None,
    }


def _folder_out(folder: Folder) -> dict[str, Any]:
    return {
        "id": folder.pk, "name": folder.name, "role": folder.role,
        "selected": folder.selected, "missing": folder.missing,
    }  # fmt: skip
