"""Browser door: Settings › Email accounts › Signature."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.html import clean_written_html
from mailwall.sending import signatures
from mailwall.sending.errors import TextTooLong
from mailwall.sending.forms import GENERAL, OWN, SignatureForm
from mailwall.sending.requests import SignedIn, number
from mailwall.team.models import User
from mailwall.web.editing import editing_page


@login_required
@editing_page
@require_http_methods(["GET", "HEAD", "POST"])
def signature(request: SignedIn) -> HttpResponse:
    """The general signature, or with `?account=` that of one account."""
    account = _account(request)
    if request.method != "POST":
        return _page(request, account, _form_of(request.user, account))
    form = SignatureForm(request.POST, of_account=account is not None)
    if form.is_valid() and _saved(request, account, form):
        messages.success(request, _("The signature is saved."))
        return redirect(_address_of(account))
    return _page(request, account, form, status=422)


@login_required
@editing_page
@require_POST
def preview(request: SignedIn) -> HttpResponse:
    """How the signature in the form looks, once cleaned."""
    return render(request, "sending/_preview.html", {"html": clean_written_html(request.POST.get("html", ""))})


def _account(request: SignedIn) -> EmailAccount | None:
    asked = request.GET.get("account", "")
    if not asked:
        return None
    return account_queries.get_own_account(request.user, number(asked) or 0)


def _form_of(user: User, account: EmailAccount | None) -> SignatureForm:
    html = signatures.signature_of(user, account)
    choice = OWN if html is not None else GENERAL
    if html is None and account is not None:
        html = signatures.signature_of(user)  # to begin with
    return SignatureForm(initial={"html": html or "", "choice": choice}, of_account=account is not None)


def _saved(request: SignedIn, account: EmailAccount | None, form: SignatureForm) -> bool:
    read = form.cleaned_data
    if account is not None and read["choice"] == GENERAL:
        signatures.use_general_signature(request.user, account)
        return True
    try:
        signatures.save_signature(request.user, read["html"], account)
    except TextTooLong as error:
        form.add_error("html", account_errors.sentence(error))
        return False
    return True


def _page(request: SignedIn, account: EmailAccount | None, form: SignatureForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "account": account,
        "accounts": account_queries.own_accounts(request.user),
        "with_own": signatures.accounts_with_own_signature(request.user),
        "html": clean_written_html(str(form["html"].value() or "")),
        "limit": signatures.MAX_SIGNATURE_BYTES // 1000,
    }
    return render(request, "sending/signature.html", context, status=status)


def _address_of(account: EmailAccount | None) -> str:
    return reverse("sending:signature") + (f"?account={account.pk}" if account else "")
