"""Pages of administrators: users, teams, the workspace. Everybody else gets 403 in words."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_safe

from mailwall.team import queries, services
from mailwall.team.errors import TeamRefused
from mailwall.team.forms import TeamForm, UserForm, WorkspaceForm
from mailwall.team.models import Team, User

View = Callable[..., HttpResponse]


def admins_only(view: View) -> View:
    """Sign-in first; then 403 with the names of those who can help."""

    @login_required
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        if not getattr(request.user, "is_admin", False):
            names = ", ".join(queries.admins().values_list("name", flat=True)[:5])
            text = _("Only administrators manage users, teams and the workspace. Ask: %(names)s.")
            raise PermissionDenied(text % {"names": names})
        return view(request, *args, **options)

    return guarded


@require_safe
@admins_only
def users(request: HttpRequest) -> HttpResponse:
    return render(request, "team/users.html", {"users": queries.users().order_by("-is_active", "name", "id")})


@sensitive_post_parameters("password")
@admins_only
def user_new(request: HttpRequest) -> HttpResponse:
    form = UserForm(request.POST or None)
    if request.method == "POST" and _done(form, lambda: services.create_user(_admin(request), **form.cleaned_data)):
        messages.success(request, _("%(name)s was added.") % {"name": form.cleaned_data["name"]})
        return redirect("team:users")
    return render(request, "team/user_form.html", {"form": form}, status=422 if form.errors else 200)


@sensitive_post_parameters("password")
@admins_only
def user_edit(request: HttpRequest, user_id: int) -> HttpResponse:
    person = get_object_or_404(User, pk=user_id)
    form = UserForm(request.POST or None, initial=UserForm.values_of(person), user=person)
    save = lambda: services.update_user(_admin(request), person, **form.cleaned_data)  # noqa: E731
    if request.method == "POST" and _done(form, save):
        messages.success(request, _("%(name)s is saved.") % {"name": form.cleaned_data["name"]})
        return redirect("team:users")
    context = {"form": form, "person": get_object_or_404(User, pk=user_id)}
    return render(request, "team/user_form.html", context, status=422 if form.errors else 200)


@require_safe
@admins_only
def teams(request: HttpRequest) -> HttpResponse:
    return render(request, "team/teams.html", {"teams": queries.teams()})


@admins_only
def team_new(request: HttpRequest) -> HttpResponse:
    form = TeamForm(request.POST or None)
    if request.method == "POST" and _done(form, lambda: services.create_team(_admin(request), **form.cleaned_data)):
        messages.success(request, _("Team %(name)s was added.") % {"name": form.cleaned_data["name"]})
        return redirect("team:teams")
    return render(request, "team/team_form.html", {"form": form}, status=422 if form.errors else 200)


@admins_only
def team_edit(request: HttpRequest, team_id: int) -> HttpResponse:
    team = get_object_or_404(Team, pk=team_id)
    initial = {"name": team.name, "managers": [person.pk for person in team.managers.all()]}
    form = TeamForm(request.POST or None, initial=initial)
    save = lambda: services.update_team(_admin(request), team, **form.cleaned_data)  # noqa: E731
    if request.method == "POST" and _done(form, save):
        messages.success(request, _("Team %(name)s is saved.") % {"name": form.cleaned_data["name"]})
        return redirect("team:teams")
    context = {"form": form, "team": get_object_or_404(Team, pk=team_id)}
    return render(request, "team/team_form.html", context, status=422 if form.errors else 200)


@admins_only
def workspace(request: HttpRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST or None, instance=queries.workspace())
    if request.method == "POST" and _done(
        form, lambda: services.update_workspace(_admin(request), **form.cleaned_data)
    ):
        messages.success(request, _("The workspace is saved."))
        return redirect("team:workspace")
    return render(request, "team/workspace.html", {"form": form}, status=422 if form.errors else 200)


def _done(form: BaseForm, save: Callable[[], object]) -> bool:
    """Save a valid form; what the service refuses stands at its field."""
    if not form.is_valid():
        return False
    try:
        save()
    except TeamRefused as error:
        form.add_error(error.field if error.field in form.fields else None, error.message)
        return False
    return True


def _admin(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user
