"""The doors: metrics for a program with a token, System status for administrators."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from mailwall.health import metrics, pages
from mailwall.team import queries as team_queries
from mailwall.web import clock

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


@require_safe
def metrics_text(request: HttpRequest) -> HttpResponse:
    """For Prometheus. Without MAILWALL_METRICS_TOKEN there is no such page; without the token nobody reads it."""
    if not settings.METRICS_TOKEN:
        raise Http404
    sent = request.headers.get("Authorization", "").partition(" ")
    if sent[0].lower() != "bearer" or not constant_time_compare(sent[2].strip(), settings.METRICS_TOKEN):
        return HttpResponse(
            "Send the token: Authorization: Bearer …\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
        )
    try:
        return HttpResponse(metrics.text(clock.now()), content_type=PROMETHEUS, headers={"Cache-Control": "no-store"})
    except DatabaseError:
        return HttpResponse("The database does not answer.\n", status=503, content_type="text/plain; charset=utf-8")


@require_safe
@login_required
def system(request: HttpRequest) -> HttpResponse:
    """System status: how the installation does, in words and small charts."""
    if not getattr(request.user, "is_admin", False):
        names = ", ".join(team_queries.admins().values_list("name", flat=True)[:5])
        raise PermissionDenied(_("Only administrators see the system status. Ask: %(names)s.") % {"names": names})
    return render(request, "health/system.html", pages.system_page(clock.now()))
