"""Browser door: the list of email accounts, what one does with them, "Download new messages", the state in the menu.

Adding and editing is in connecting.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts import services
from mailwall.email_accounts.drafts import AccountChanges
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.sync import attachments, overview, responses, runs, tasks
from mailwall.sync import services as sync_services
from mailwall.sync.errors import DownloadError, NoSuchFile
from mailwall.sync.models import SyncRun
from mailwall.team import queries as team_queries
from mailwall.team import rules as team_rules
from mailwall.team.models import Package, User
from mailwall.web.views import own_page

DOWNLOAD_WAIT_SECONDS = 20.0


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


def page_or_part(
    request: SignedIn, page: str, part: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The full page, or its fragment when htmx asks."""
    response = render(request, part if request.htmx else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@require_safe
def accounts(request: SignedIn) -> HttpResponse:
    """Settings › Email accounts."""
    listed = list(account_queries.accounts_for(request.user))
    workspace = team_queries.workspace()
    own = sum(1 for account in listed if account.owner_id == request.user.pk)
    context = {
        "rows": overview.rows_for(request.user, listed),
        "may_connect": team_rules.may_connect(request.user, workspace),
        "own": own,
        "limit": account_rules.account_limit(workspace.package, workspace.max_accounts_per_user),
        "admins": team_queries.admins(),
    }
    return render(request, "sync/accounts.html", context)


@login_required
@require_safe
def account_row(request: SignedIn, account_id: int) -> HttpResponse:
    """One account of the list, polled while it works."""
    return _row_page(request, account_queries.get_account(request.user, account_id))


@login_required
@require_POST
def account_download(request: SignedIn, account_id: int) -> HttpResponse:
    """Download new messages of one account."""
    account = account_queries.get_account(request.user, account_id)
    try:
        runs.request_download(account)
    except MailwallError as error:
        messages.error(request, account_errors.sentence(error))
    else:
        tasks.download(account.pk)
    return _after_deed(request, account_id)


@login_required
@require_POST
def account_pause(request: SignedIn, account_id: int) -> HttpResponse:
    return _deed(request, account_id, services.pause)


@login_required
@require_POST
def account_resume(request: SignedIn, account_id: int) -> HttpResponse:
    return _deed(request, account_id, services.resume)


@login_required
@require_POST
def account_reactivate(request: SignedIn, account_id: int) -> HttpResponse:
    """Tests the connection first; the sentence says why it stays as it is."""
    return _deed(request, account_id, services.reactivate)


@login_required
@require_POST
def account_default(request: SignedIn, account_id: int) -> HttpResponse:
    """Make default: the user's mail leaves from this account unless they choose another."""
    return _sending_deed(request, account_id, AccountChanges(is_default=True))


@login_required
@require_POST
def account_sending(request: SignedIn, account_id: int) -> HttpResponse:
    """Switch sending on (`on=1`) or off."""
    return _sending_deed(request, account_id, AccountChanges(sending_active=request.POST.get("on") == "1"))


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: SignedIn, account_id: int) -> HttpResponse:
    """Asks what becomes of the stored messages, then disconnects."""
    account = account_queries.get_account(request.user, account_id)
    if request.method == "POST":
        keep = request.POST.get("messages") != "delete"
        services.remove_account(request.user, account.pk, keep_messages=keep)
        if not keep:
            tasks.purge(account_id)
        messages.success(request, _("%(address)s was deleted.") % {"address": account.address})
        return redirect("sync:accounts")
    return render(request, "sync/delete.html", {"row": overview.rows_for(request.user, [account])[0]})


@login_required
@require_safe
def attachment(request: SignedIn, message_id: int, attachment_id: int) -> HttpResponseBase:
    """A file of a message, from the mail server now."""
    return file_or_page(request, lambda: attachments.open_attachment(request.user, message_id, attachment_id))


@login_required
@require_safe
def all_attachments(request: SignedIn, message_id: int) -> HttpResponseBase:
    """All files of a message in one archive."""
    return file_or_page(request, lambda: attachments.open_zip(request.user, message_id))


@login_required
@require_safe
def original(request: SignedIn, message_id: int) -> HttpResponseBase:
    """The whole mail as the mail server has it."""
    return file_or_page(request, lambda: attachments.open_original(request.user, message_id))


@login_required
@require_POST
def download_all(request: SignedIn) -> HttpResponse:
    """ "Download new messages" of Email messages: all own accounts at once, with a result per account."""
    started = []
    own = account_queries.accounts_for(request.user).filter(owner=request.user).exclude(state=State.DEACTIVATED)
    for account in own:
        try:
            started.append((account, runs.request_download(account)))
        except MailwallError:
            continue  # deactivated in this moment; its row says so
        tasks.download(account.pk)
    end = timezone.now().timestamp() + DOWNLOAD_WAIT_SECONDS
    results = []
    for account, run in started:
        left = max(0.0, end - timezone.now().timestamp())
        results.append(_result(account, sync_services.wait_for_run(run.pk, left)))
    if not request.htmx:
        for ok, sentence in results:
            (messages.success if ok else messages.error)(request, sentence)
        return redirect("wall:mail")
    response = render(request, "sync/_downloaded.html", {"results": results, "now": timezone.now()})
    response["HX-Trigger"] = "mail-changed"
    return response


@login_required
@require_safe
def package_effect(request: SignedIn) -> HttpResponse:
    """For the page of the workspace: what `?package=` and `?max_accounts_per_user=` would stop, before it is saved."""
    if not request.user.is_admin:
        raise PermissionDenied
    package, limit = request.GET.get("package", ""), request.GET.get("max_accounts_per_user", "")
    if package not in Package.values or not (limit.isascii() and limit.isdigit() and len(limit) < 5):
        return HttpResponse()
    effect = account_queries.package_effect(package, int(limit))
    return render(request, "sync/_package_effect.html", {"effect": effect, "package": package, "limit": int(limit)})


@login_required
@require_safe
def health(request: SignedIn) -> HttpResponse:
    """The state of one's own mailboxes, for the menu."""
    own = account_queries.accounts_for(request.user).filter(owner=request.user)
    listed = list(own)
    ill = [account for account in listed if account.state in (State.NEEDS_SIGN_IN, State.DEACTIVATED)]
    times = [account.last_synchronized_at for account in listed if account.last_synchronized_at]
    context = {"accounts": listed, "ill": len(ill), "last": max(times, default=None)}
    return render(request, "sync/_health.html", context)


def _row_page(request: SignedIn, account: EmailAccount) -> HttpResponse:
    return render(request, "sync/_row.html", {"row": overview.rows_for(request.user, [account])[0]})


def _after_deed(request: SignedIn, account_id: int) -> HttpResponse:
    if request.htmx:
        return _row_page(request, account_queries.get_account(request.user, account_id))
    return redirect("sync:accounts")


def _deed(request: SignedIn, account_id: int, deed: Callable[[User, int], EmailAccount]) -> HttpResponse:
    try:
        account = deed(request.user, account_id)
    except MailwallError as error:
        messages.error(request, account_errors.sentence(error))
        return redirect("sync:accounts")
    if account.state == State.ACTIVE:
        tasks.download(account_id)
    return _after_deed(request, account_id)


def _sending_deed(request: SignedIn, account_id: int, wanted: AccountChanges) -> HttpResponse:
    """The whole list again: the default moves between accounts."""
    try:
        services.update_account(request.user, account_id, wanted)
    except account_errors.DraftInvalid as error:
        for _field, sentence in error.errors:
            messages.error(request, sentence)
    return redirect("sync:accounts")


def file_or_page(request: SignedIn, opened: Callable[[], attachments.Download]) -> HttpResponseBase:
    """The file, or a page that says why it cannot be had."""
    try:
        return responses.file_response(opened())
    except DownloadError as error:
        if isinstance(error, NoSuchFile):
            raise Http404 from error
        context = {
            "status": error.status, "heading": _("The file cannot be downloaded"),
            "text": account_errors.sentence(error), "back_url": own_page(request),
        }  # fmt: skip
        return render(request, "web/error.html", context, status=error.status)


def _result(account: EmailAccount, run: SyncRun) -> tuple[bool, str]:
    """Whether it went well, and the sentence."""
    if run.state == SyncRun.State.FAILED:
        return False, f"{account.address}: {overview.run_error(run)}"
    if run.state != SyncRun.State.DONE:
        return True, _("%(address)s: still downloading…") % {"address": account.address}
    new = ngettext("%(n)d new", "%(n)d new", run.new) % {"n": run.new}
    assigned = ngettext("%(n)d assigned", "%(n)d assigned", run.assigned) % {"n": run.assigned}
    return True, f"{account.address}: {new}, {assigned}"
