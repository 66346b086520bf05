"""Browser door: what became of every message of an account, what failed, and why one is missing."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sync import failed, folders, missing, queries, tasks
from mailwall.sync.views import SignedIn, file_or_page, page_or_part

MAX_TEXT = 500


@login_required
@require_safe
def account_ledger(request: SignedIn, account_id: int) -> HttpResponse:
    """Per folder: on the server, stored, skipped by which rule, failed."""
    account = account_queries.readable_account(request.user, account_id)
    return _page(request, account)


@login_required
@require_POST
def ledger_retry(request: SignedIn, account_id: int) -> HttpResponse:
    """Read failed messages again, now: the one of `entry`, or all."""
    account = account_queries.readable_account(request.user, account_id)
    entry = request.POST.get("entry", "")
    try:
        number = failed.retry(account, int(entry) if entry.isdecimal() and len(entry) < 19 else None)
    except MailwallError as error:
        messages.error(request, account_errors.sentence(error))
    else:
        if number:
            tasks.download(account.pk)
            said = ngettext("%(n)d message is tried again.", "%(n)d messages are tried again.", number)
            messages.success(request, said % {"n": number})
    return redirect("sync:account_ledger", account_id)


@login_required
@require_safe
def ledger_original(request: SignedIn, entry_id: int) -> HttpResponseBase:
    """A message that could not be stored, as the mail server has it."""
    return file_or_page(request, lambda: failed.open_original(request.user, entry_id))


@login_required
@require_POST
def folder_again(request: SignedIn, account_id: int, folder_id: int) -> HttpResponse:
    """Let a paused folder go on."""
    account = account_queries.readable_account(request.user, account_id)
    folders.read_again(account, folder_id)
    tasks.fetch_history(account.pk)
    messages.success(request, _("The folder is read again."))
    return redirect("sync:account_ledger", account_id)


@login_required
@require_safe
def account_missing(request: SignedIn, account_id: int) -> HttpResponse:
    """Why is a message missing? The verdict alone for htmx."""
    account = account_queries.readable_account(request.user, account_id)
    text = request.GET.get("q", "").strip()[:MAX_TEXT]
    context = {
        "account": account,
        "may_read": True,
        "is_owner": account.owner_id == request.user.pk,
        "q": text,
        "verdict": missing.explain(request.user, account, text) if text else None,
    }
    return page_or_part(request, "sync/missing.html", "sync/_verdict.html", context)


def _page(request: SignedIn, account: EmailAccount) -> HttpResponse:
    rows = queries.ledger_of(account)
    failures = queries.failures_of(account)
    context = {
        "account": account,
        "may_read": True,
        "is_owner": account_rules.may_change_privacy(request.user, account),
        "rows": rows,
        "total": queries.total_of(rows),
        "failures": failures,
        "paused": [row.folder for row in rows if row.folder.paused_reason],
        "run": queries.open_runs([account.pk]).get(account.pk),
    }
    return page_or_part(request, "sync/ledger.html", "sync/_ledger.html", context)
