"""Browser door: which folders of an account are read, and what happened with the account."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.sync import activity, folders, queries, tasks
from mailwall.sync.models import Folder
from mailwall.sync.views import SignedIn, page_or_part


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_folders(request: SignedIn, account_id: int) -> HttpResponse:
    """The server's folders and which of them are read; with `?live=1` the server is asked now."""
    account = account_queries.readable_account(request.user, account_id)
    may_choose = account_rules.may_change_privacy(request.user, account)
    if request.method == "POST":
        if not may_choose:
            raise PermissionDenied(_(account_errors.NotAllowed.MSGID_PRIVACY))
        including = request.POST.get("subfolders") == "1"
        folders.choose(request.user, account, _chosen(request), includes_subfolders=including)
        tasks.fetch_history(account.pk)
        messages.success(request, _("The folders are chosen. What is new in them comes now."))
        return redirect("sync:account_ledger", account_id)
    connects = account.state not in (State.DEACTIVATED, State.NEEDS_SIGN_IN)
    live, error = bool(request.GET.get("live")) and connects, ""
    listed = None if connects and not live else queries.folders_of(account)
    if live:
        listed, error = _live(account)
    context = {"account": account, "may_read": True, "may_choose": may_choose, "folders": listed, "error": error}
    return page_or_part(request, "sync/folders.html", "sync/_folders.html", context)


@login_required
@require_safe
def account_activity(request: SignedIn, account_id: int) -> HttpResponse:
    """Synchronisations, failures and changes, newest first."""
    account = account_queries.get_account(request.user, account_id)
    context = {
        "account": account,
        "may_read": bool(account_queries.message_accounts(request.user, [account.pk])),
        "events": activity.events(request.user, account),
    }
    return render(request, "sync/activity.html", context)


def _live(account: EmailAccount) -> tuple[list[Folder], str]:
    try:
        return folders.list_live(account), ""
    except MailwallError as error:
        return queries.folders_of(account), account_errors.sentence(error)


def _chosen(request: SignedIn) -> set[int]:
    return {int(text) for text in request.POST.getlist("folder") if text.isdecimal() and len(text) < 19}
