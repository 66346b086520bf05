"""Pages of one's own: settings, profile, tokens; and set-up, while there is no user."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from mailwall.team import queries, services, sign_in, tokens
from mailwall.team.errors import SetupLinkUnusable, TeamRefused
from mailwall.team.forms import ProfileForm, SetupForm, TokenForm
from mailwall.team.models import User


@require_safe
@login_required
def settings(request: HttpRequest) -> HttpResponse:
    """Where every setting is; on phones the way to the others."""
    return render(request, "team/settings.html")


@login_required
def profile(request: HttpRequest) -> HttpResponse:
    user = _viewer(request)
    values = {name: getattr(user, name) for name in ("name", "language", "theme", "time_zone", "shortcuts")}
    form = ProfileForm(request.POST or None, initial=values)
    if request.method == "POST" and form.is_valid():
        services.update_profile(user, **form.cleaned_data)
        translation.activate(user.language or translation.get_language_from_request(request))
        messages.success(request, _("Your profile is saved."))
        return redirect("team:profile")
    return _show_profile(request, form=form, status=422 if form.errors else 200)


@require_POST
@never_cache
@login_required
def create_token(request: HttpRequest) -> HttpResponse:
    """Shows the new token in the answer, once: it goes through no session and no address."""
    form = TokenForm(request.POST, prefix="token")
    if not form.is_valid():
        return _show_profile(request, token_form=form, status=422)
    expires_at = form.expires_at(timezone.now())
    new_token = services.create_token(
        _viewer(request), name=form.cleaned_data["name"], scopes=[form.cleaned_data["scopes"]], expires_at=expires_at
    )
    return _show_profile(request, new_token=new_token)


@require_POST
@login_required
def revoke_token(request: HttpRequest, token_id: int) -> HttpResponse:
    if not services.revoke_token(_viewer(request), token_id):
        raise Http404
    messages.success(request, _("The token is revoked; programs that use it are refused from now on."))
    return redirect("team:profile")


@never_cache
@sensitive_post_parameters("password")
def setup(request: HttpRequest, token: str) -> HttpResponse:
    """The first administrator, once."""
    if not tokens.setup_link_is_usable(token):
        return render(request, "team/setup_unusable.html", status=410)
    form = SetupForm(request.POST or None, initial={"language": translation.get_language(), "time_zone": "UTC"})
    if request.method == "POST" and form.is_valid():
        try:
            admin = services.create_first_admin(token, **form.cleaned_data)
        except TeamRefused as error:
            form.add_error(error.field or None, error.message)
        except SetupLinkUnusable:
            return render(request, "team/setup_unusable.html", status=410)
        else:
            sign_in.sign_in_now(request, admin)
            return redirect("/")
    return render(request, "team/setup.html", {"form": form}, status=422 if form.errors else 200)


def _show_profile(
    request: HttpRequest,
    *,
    form: ProfileForm | None = None,
    token_form: TokenForm | None = None,
    new_token: str = "",
    status: int = 200,
) -> HttpResponse:
    user = _viewer(request)
    values = {name: getattr(user, name) for name in ("name", "language", "theme", "time_zone", "shortcuts")}
    context = {
        "form": form or ProfileForm(initial=values),
        "token_form": token_form or TokenForm(prefix="token"),
        "new_token": new_token,
        "tokens": queries.tokens_of(user),
        "two_step": sign_in.has_two_steps(user),
        "now": timezone.now(),
    }
    return render(request, "team/profile.html", context, status=status)


def _viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
