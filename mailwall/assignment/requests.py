"""What the pages of triage share: the signed-in request, the state in the address, full page or fragment."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.middleware import HtmxDetails

from mailwall.assignment.models import MailKind
from mailwall.assignment.triage import TriageFilter
from mailwall.team.models import User
from mailwall.web.rest import ApiProblem, decode_cursor, encode_cursor

IGNORED = "ignored"
TABS = (*MailKind.values, IGNORED)
MAX_CHOSEN = 200


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


def tab_of(request: HttpRequest) -> str:
    tab = request.GET.get("tab", "")
    return tab if tab in TABS else MailKind.PEOPLE


def filter_of(request: HttpRequest) -> TriageFilter:
    """What the address asks for; a tab of senders that is none means people."""
    tab = tab_of(request)
    domain = request.GET.get("domain", "")[:320]
    return TriageFilter(
        kind=tab if tab in MailKind.values else MailKind.PEOPLE,
        by_domain=request.GET.get("by") == "domain" and not domain,
        domain=domain,
    )


def triage_url(wanted: TriageFilter, *, tab: str = "", before: int | None = None) -> str:
    values = {
        "tab": tab or ("" if wanted.kind == MailKind.PEOPLE else wanted.kind),
        "by": "domain" if wanted.by_domain else "",
        "domain": wanted.domain,
        "before": encode_cursor(before) if before is not None else "",
    }
    query = urlencode({name: value for name, value in values.items() if value})
    return reverse("assignment:triage") + (f"?{query}" if query else "")


def before_of(request: HttpRequest) -> int | None:
    """The message below which the page begins; a cursor that is not ours means the first page."""
    try:
        values = decode_cursor(request.GET.get("before"), (int,))
    except ApiProblem:
        return None
    return values[0] if values else None


def back_of(request: HttpRequest) -> str:
    """Where the deed was asked for: an address of ours, else triage itself."""
    back = request.POST.get("back") or request.GET.get("back") or ""
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return back if is_ours else reverse("assignment:triage")


def asks_for_part(request: SignedIn) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request and not request.htmx.boosted


def page_or_part(
    request: SignedIn, page: str, part: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The full page, or its fragment when htmx asks."""
    response = render(request, part if asks_for_part(request) else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
