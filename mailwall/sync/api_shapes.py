"""Shapes of connected accounts and their runs in REST: what a call takes and what it gives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import ConfigDict, Field

from mailwall.email_accounts.drafts import UNSET, AccountChanges, AccountDraft, ServerDraft
from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import overview
from mailwall.sync.models import SyncRun
from mailwall.sync.overview import AccountRow


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
    """downloaded, assigned, unassigned: null where the caller may not see the account's messages.

    owner_active false: the owner is deactivated, and nothing connects to the account.
    """

    id: int
    address: str
    owner: OwnerOut
    owner_active: bool
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


def _server(payload: ServerIn) -> ServerDraft:
    return ServerDraft(**payload.model_dump())


def draft_of(payload: AccountIn) -> AccountDraft:
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


def changes_of(account: EmailAccount, payload: AccountPatch) -> AccountChanges:
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


def accounts_out(viewer: Any, accounts: Iterable[EmailAccount]) -> list[dict[str, Any]]:
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
        "owner_active": account.owner.is_active,
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
        "next_synchronization_at": account.next_sync_at if account.owner.is_active else None,
        "downloaded": counts.downloaded if counts else None,
        "assigned": counts.assigned if counts else None,
        "unassigned": counts.unassigned if counts else None,
        "sending_active": row.sending_active,
        "sending_error": _(account.sending_error) if account.sending_error else None,
        "lacks_sent_folder": account.lacks_sent_folder,
        "is_default": account.is_default,
    }  # fmt: skip


def run_out(run: SyncRun) -> dict[str, Any]:
    ended = run.state in (SyncRun.State.DONE, SyncRun.State.FAILED)
    failed = run.state == SyncRun.State.FAILED
    return {
        "run": run.pk,
        "state": run.state if ended else "running",
        "new": run.new,
        "assigned": run.assigned,
        "error": {"code": run.error_code, "message": overview.run_error(run)} if failed else None,
    }
