"""Browser door: adding and editing an account, with detection of the provider and the connection test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailwall.email_accounts import connection, providers, services
from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount, Visibility
from mailwall.errors import MailwallError
from mailwall.net.types import Stage
from mailwall.sync import access, history, tasks
from mailwall.sync.access import AccessChange
from mailwall.sync.forms import SERVER_FIELDS, AccountForm, initial_of, is_untouched, suggested_servers
from mailwall.sync.views import SignedIn
from mailwall.team import queries as team_queries
from mailwall.team import rules as team_rules
from mailwall.team.models import User
from mailwall.web import secrets

NAMES_SHOWN = 12


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_new(request: SignedIn) -> HttpResponse:
    """Add new account. Without scripts `do` finds the servers or tests the connection on this page."""
    _require_permission(request.user)
    initial = {"owner": request.user, "visibility": Visibility.OWNER_AND_MANAGERS, "address": request.user.email}
    initial |= suggested_servers(request.user.email)
    form = _form(request, None, initial)
    if request.method != "POST":
        return _page(request, form)
    if request.POST.get("do") == "detect":
        return _page(request, _detected(request))
    if not form.is_valid():
        return _page(request, form, status=422)
    if request.POST.get("do") == "test":
        return _page(request, form, stages=list(_stages(request.user, form)))
    try:
        account = services.create_account(request.user, form.draft())
    except account_errors.AlreadyConnected as error:
        if _is_own(request.user, error.account_id):
            return redirect("sync:accounts")  # "Add" was pressed twice
        form.add_error("address", account_errors.sentence(error))
    except MailwallError as error:
        _show(form, error)
    else:
        _forget_password(request)
        tasks.download(account.pk)
        sentence = _("%(address)s was added. Its messages of the last days arrive now.")
        messages.success(request, sentence % {"address": account.address})
        return redirect("sync:accounts")
    return _page(request, form, status=422)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_edit(request: SignedIn, account_id: int) -> HttpResponse:
    """Edit: a new server or password is tested before it is saved."""
    account = account_queries.get_account(request.user, account_id)
    form = _form(request, account, initial_of(account))
    if request.method != "POST":
        return _page(request, form)
    if not form.is_valid():
        return _page(request, form, status=422)
    if request.POST.get("do") == "test":
        return _page(request, form, stages=list(_stages(request.user, form)))
    change = _change_of_access(request, account, form.cleaned_data)
    if change and request.POST.get("access_seen") != change.mark:
        return _page(request, form, change=change)
    try:
        saved = services.update_account(request.user, account.pk, form.changes())
    except MailwallError as error:
        _show(form, error)
        return _page(request, form, status=422)
    _forget_password(request)
    if saved.next_sync_at is not None and account.state != saved.state:
        tasks.download(saved.pk)
    messages.success(request, _("%(address)s was saved.") % {"address": saved.address})
    if saved.store != account.store and history.offer(saved):
        return redirect("sync:account_history", saved.pk)
    return redirect("sync:accounts")


@login_required
@require_safe
def account_access(request: SignedIn, account_id: int) -> HttpResponse:
    """Who would gain and lose access by `?visibility=` and `?on_dashboard=`."""
    account = account_queries.get_account(request.user, account_id)
    return render(request, "sync/_access.html", {"change": _change_of_access(request, account, request.GET)})


def _change_of_access(request: SignedIn, account: EmailAccount, wanted: Mapping[str, Any]) -> AccessChange:
    visibility = wanted.get("visibility") if account.owner_id == request.user.pk else None
    on_dashboard = bool(wanted.get("on_dashboard"))
    return access.change_of_access(request.user, account, str(visibility or account.visibility), on_dashboard)


@login_required
@require_POST
def account_test(request: SignedIn, account_id: int | None = None) -> HttpResponseBase:
    """Test connection: what stands in the form, told stage by stage as it happens; nothing is saved.

    Closing the connection ends the test.
    """
    if account_id is None:
        _require_permission(request.user)
    account = account_queries.get_account(request.user, account_id) if account_id else None
    form = _form(request, account, {})
    if not form.is_valid():
        return render(request, "sync/_test_refused.html", {"form": form}, status=422)
    response = StreamingHttpResponse(_lines(request.user, form, translation.get_language()))
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


@login_required
@require_safe
def provider(request: SignedIn) -> HttpResponse:
    """What is known about the provider of `?address=`, offline; servers that nobody typed follow it."""
    address = request.GET.get("address", "")
    context: dict[str, Any] = {"provider": providers.find_provider(address), "address": address}
    if is_untouched(request.GET, request.GET.get("suggested_for", "")) and "@" in address:
        context["form"] = AccountForm(request.user, None, initial=suggested_servers(address))
    return render(request, "sync/_provider.html", context)


@login_required
@require_safe
def readers(request: SignedIn) -> HttpResponse:
    """Who would see the messages of an account of `?owner=`, for each kind of visibility."""
    owner = account_queries.possible_owners(request.user).filter(pk=_number(request.GET.get("owner"))).first()
    form = AccountForm(request.user, None, initial={"visibility": request.GET.get("visibility")})
    return render(request, "sync/_readers.html", {"options": _options(form, owner or request.user)})


def _require_permission(viewer: User) -> None:
    if not team_rules.may_connect(viewer, team_queries.workspace()):
        names = ", ".join(str(admin) for admin in team_queries.admins()[:5])
        refused = account_errors.NotAllowed(account_errors.NotAllowed.MSGID_CONNECT, {"administrators": names})
        raise PermissionDenied(account_errors.sentence(refused))


# -- the form, and the password that it does not send back


def _form(request: SignedIn, account: EmailAccount | None, initial: dict[str, Any]) -> AccountForm:
    """The form as sent. Its password is kept, sealed, in the session, so that a mistake elsewhere does not cost it."""
    if request.method != "POST":
        _forget_password(request)
        return AccountForm(request.user, account, initial=initial)
    sent = request.POST.copy()
    purpose = f"account form of user {request.user.pk}, account {account.pk if account else 'new'}"
    kept = request.session.get("account_password", "")
    typed = str(sent.get("imap_password", ""))
    if typed:
        kept = request.session["account_password"] = secrets.seal(typed, bound_to=purpose)
    elif kept:
        try:
            sent["imap_password"] = secrets.unseal(kept, bound_to=purpose)
        except secrets.SecretUnreadable:  # of another account's form
            kept = ""
            _forget_password(request)
    return AccountForm(request.user, account, sent, initial=initial, kept_password=bool(kept))


def _forget_password(request: SignedIn) -> None:
    request.session.pop("account_password", None)


def _detected(request: SignedIn) -> AccountForm:
    """The form with the servers of the address's provider; nothing is judged yet."""
    values: QueryDict = request.POST.copy()
    values.update({name: "" for name in SERVER_FIELDS if name not in values})
    initial = {name: values.get(name) for name in values} | suggested_servers(values.get("address", ""))
    initial["on_dashboard"] = "on_dashboard" in values
    return AccountForm(request.user, None, initial=initial)


def _page(
    request: SignedIn,
    form: AccountForm,
    *,
    stages: list[tuple[Stage, str]] | None = None,
    change: AccessChange | None = None,
    status: int = 200,
) -> HttpResponse:
    account = form.account
    owner = account.owner if account else _owner(form) or request.user
    address = str(form["address"].value() or "")
    context = {
        "form": form,
        "account": account,
        "may_read": account is not None and bool(account_queries.message_accounts(request.user, [account.pk])),
        "options": _options(form, owner) if "visibility" in form.fields else None,
        "provider": None if account else providers.find_provider(address),
        "address": address,
        "stages": stages,
        "change": change,
        "asks": change is not None,
        "all_green": stages is not None and all(stage.ok for stage, _sentence in stages),
    }
    return render(request, "sync/form.html", context, status=status)


def _owner(form: AccountForm) -> User | None:
    if "owner" not in form.fields:
        return None
    chosen = form["owner"].value()
    owners = form.fields["owner"].queryset  # type: ignore[attr-defined]
    return owners.filter(pk=chosen.pk if isinstance(chosen, User) else _number(chosen)).first()


def _options(form: AccountForm, owner: User) -> list[dict[str, Any]]:
    """The three radios, each with the names of those who will see the messages."""
    by_choice = account_queries.readers_by_visibility(owner)
    options = []
    for radio in form["visibility"].subwidgets:
        people = by_choice[str(radio.data["value"])]
        radio.data["attrs"]["class"] = "form-check-input"
        options.append(
            {
                "radio": radio,
                "names": ", ".join(str(person) for person in people[:NAMES_SHOWN]),
                "count": len(people),
                "more": max(0, len(people) - NAMES_SHOWN),
                "alone": radio.data["value"] == Visibility.OWNER_AND_MANAGERS and len(people) == 1,
            }
        )
    return options


def _show(form: AccountForm, error: MailwallError) -> None:
    if isinstance(error, account_errors.DraftInvalid):
        form.show_errors(error.errors)
        return
    if error.code.startswith("smtp_"):
        field = "smtp_password" if error.code == "smtp_login_refused" and not form["smtp_same"].value() else "smtp_host"
    else:
        field = "imap_password" if error.code == "imap_login_refused" else "imap_host"
    is_connecting = isinstance(error, account_errors.ConnectionFailed)
    form.add_error(field if is_connecting else None, account_errors.sentence(error))


def _is_own(viewer: User, account_id: int | None) -> bool:
    own = account_queries.accounts_for(viewer).filter(owner=viewer)
    return account_id is not None and own.filter(pk=account_id).exists()


def _number(text: object) -> int:
    return int(str(text)) if str(text).isdecimal() and len(str(text)) < 19 else 0


# -- the connection test


def _stages(viewer: User, form: AccountForm) -> Iterator[tuple[Stage, str]]:
    """Every stage with its sentence in the language of now; an account that cannot even be tried is one stage."""
    try:
        if form.account is None:
            account = services.draft_account(viewer, form.draft())
        else:
            account = services.changed_account(viewer, form.account, form.changes())
        for stage in connection.check(viewer, account, connection.Servers(imap=True, smtp=bool(account.smtp_host))):
            yield stage, account_errors.translated(stage.msgid, stage.params, stage.message)
    except account_errors.DraftInvalid as error:
        yield Stage(stage="form", ok=False), " ".join(sentence for _field, sentence in error.errors)
    except MailwallError as error:
        yield Stage(stage="form", ok=False, code=error.code), account_errors.sentence(error)


def _lines(viewer: User, form: AccountForm, language: str | None) -> Iterator[str]:
    """One list item a line. The middleware's language is over when a streamed answer runs, so it is set again."""
    all_green = True
    with translation.override(language):
        for stage, sentence in _stages(viewer, form):
            all_green = all_green and stage.ok is True
            yield _line({"stage": stage, "sentence": sentence})
        yield _line({"end": True, "all_green": all_green})


def _line(context: dict[str, Any]) -> str:
    return " ".join(render_to_string("sync/_stage.html", context).split()) + "\n"
