"""Browser door of the home screen."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailwall.dashboard import queries, rules
from mailwall.team.models import User

HIDDEN_COOKIE = "mailwall_checklist"
A_YEAR = 365 * 24 * 3600


class SignedIn(HttpRequest):
    """A request that has passed login_required."""

    user: User


@login_required
@require_safe
def home(request: SignedIn) -> HttpResponse:
    """What is new, what waits, what is broken; for a new installation, what to do first."""
    now = timezone.now()
    unassigned = queries.unassigned(request.user)
    is_hidden = request.COOKIES.get(HIDDEN_COOKIE) == "hidden"
    context = {
        "greeting": _greeting(request.user),
        "cards": queries.feed(request.user),
        "waiting": queries.waiting(request.user, now),
        "problems": queries.problems(request.user),
        "unassigned": unassigned,
        "steps": [] if is_hidden else queries.checklist(request.user, unassigned),
    }
    return render(request, "dashboard/home.html", context)


def _greeting(user: User) -> str:
    words = {
        "morning": _("Good morning, %(name)s"),
        "day": _("Good afternoon, %(name)s"),
        "evening": _("Good evening, %(name)s"),
    }
    return words[rules.time_of_day(timezone.localtime().hour)] % {"name": rules.first_name(str(user))}


@login_required
@require_POST
def hide_checklist(request: SignedIn) -> HttpResponse:
    """Leave the checklist out from now on, in this browser."""
    response = redirect("dashboard:home")
    response.set_cookie(
        HIDDEN_COOKIE, "hidden", max_age=A_YEAR, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    return response
