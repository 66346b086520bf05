"""REST door of an account's folders and ledger: /email-accounts/{id}/folders and /ledger."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema
from pydantic import Field

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import State
from mailwall.errors import MailwallError
from mailwall.sync import folders, queries
from mailwall.sync.api import problem_of, readable_account
from mailwall.sync.models import Folder
from mailwall.web.rest import PROBLEMS, ApiProblem, Problem

router = Router()


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


def _folder_out(folder: Folder) -> dict[str, Any]:
    return {
        "id": folder.pk, "name": folder.name, "role": folder.role,
        "selected": folder.selected, "missing": folder.missing,
    }  # fmt: skip
