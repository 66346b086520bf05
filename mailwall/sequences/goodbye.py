"""The page behind the link in every mail. It asks for no sign-in; GET never acts, for scanners open links."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from mailwall.sequences import suppressions


@csrf_exempt  # RFC 8058: mail programs post without a cookie; the signed token is the permission
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows a button, POST unsubscribes; as often as one likes."""
    enrolment = suppressions.enrolment_for(token)
    if enrolment is None:
        raise Http404
    if request.method == "POST":
        suppressions.unsubscribe(enrolment)
    context = {"is_done": suppressions.is_suppressed(enrolment.address)}
    response = render(request, "sequences/unsubscribe.html", context)
    response["X-Robots-Tag"] = "noindex"
    response["Referrer-Policy"] = "no-referrer"
    return response
