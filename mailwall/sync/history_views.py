"""Browser door: the History page of an account, where older messages are asked for."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sync import backfill, history, tasks
from mailwall.sync.forms import HistoryForm
from mailwall.sync.views import SignedIn, page_or_part


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_history(request: SignedIn, account_id: int) -> HttpResponse:
    """What is being fetched, the form to fetch more, and what was fetched before. Without scripts `do` counts first."""
    account = account_queries.readable_account(request.user, account_id)
    if request.method != "POST":
        since = request.GET.get("since")
        return _page(request, account, HistoryForm(initial={"since": since} if since else None))
    form = HistoryForm(request.POST)
    wanted = form.range(account)
    if wanted is None:
        return _page(request, account, form, status=422)
    if request.POST.get("do") == "count":
        return _page(request, account, form, estimate=_estimate(account, wanted))
    try:
        history.fetch(account, request.user, wanted)
    except MailwallError as error:
        form.add_error(None, account_errors.sentence(error))
        return _page(request, account, form, status=422)
    return _began(request, account)


@login_required
@require_safe
def history_estimate(request: SignedIn, account_id: int) -> HttpResponse:
    """How many messages the range in the form is, counted on the server now."""
    account = account_queries.readable_account(request.user, account_id)
    wanted = HistoryForm(request.GET).range(account)
    estimate = _estimate(account, wanted) if wanted else {"refused": _("Choose the days first.")}
    return render(request, "sync/_estimate.html", {"estimate": estimate})


@login_required
@require_POST
def history_skipped(request: SignedIn, account_id: int) -> HttpResponse:
    """Fetch what a narrower choice had passed over."""
    account = account_queries.readable_account(request.user, account_id)
    try:
        history.fetch_skipped(account, request.user)
    except MailwallError as error:
        messages.error(request, account_errors.sentence(error))
        return redirect("sync:account_history", account_id)
    return _began(request, account)


@login_required
@require_POST
def history_pause(request: SignedIn, account_id: int) -> HttpResponse:
    return _deed(request, account_id, backfill.pause)


@login_required
@require_POST
def history_resume(request: SignedIn, account_id: int) -> HttpResponse:
    return _deed(request, account_id, backfill.resume)


@login_required
@require_POST
def history_stop(request: SignedIn, account_id: int) -> HttpResponse:
    """End it; what was stored stays."""
    return _deed(request, account_id, backfill.stop)


def _deed(request: SignedIn, account_id: int, deed: Callable[[EmailAccount], bool]) -> HttpResponse:
    account = account_queries.readable_account(request.user, account_id)
    deed(account)
    tasks.fetch_history(account.pk)
    if request.htmx:
        return _page(request, account, HistoryForm())
    return redirect("sync:account_history", account_id)


def _began(request: SignedIn, account: EmailAccount) -> HttpResponse:
    tasks.fetch_history(account.pk)
    messages.success(request, _("Older messages are being fetched, newest first, behind all new mail."))
    return redirect("sync:account_history", account.pk)


def _estimate(account: EmailAccount, wanted: history.Wanted) -> dict[str, object]:
    try:
        return {"number": history.estimate(account, wanted)}
    except MailwallError as error:
        return {"refused": account_errors.sentence(error)}


def _page(
    request: SignedIn,
    account: EmailAccount,
    form: HistoryForm,
    *,
    estimate: dict[str, object] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        "account": account,
        "may_read": True,
        "may_fetch": account_rules.may_change_privacy(request.user, account),
        "standing": history.standing(account),
        "offer": history.offer(account),
        "former": history.former(account),
        "form": form,
        "estimate": estimate,
        "today": timezone.localdate().isoformat(),
    }
    return page_or_part(request, "sync/history.html", "sync/_history.html", context, status=status)
