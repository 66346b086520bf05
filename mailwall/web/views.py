"""Error pages in the product's look. htmx gets one sentence for #alert, programs of the API their own form."""

from __future__ import annotations

import logging
import secrets
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from mailwall.web.rest import problem_response

logger = logging.getLogger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = _("The browser sent something that we do not understand. Nothing was changed.")
    return error_page(request, 400, _("This request cannot be read"), text)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = str(exception) or _("Your account has no permission for this page. An administrator can grant it.")
    return error_page(request, 403, _("You may not do this"), text)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Instead of Django's page: the form is older than the sign-in, or cookies are off."""
    logger.warning("form refused: csrf", extra={"csrf_reason": reason})
    text = _("This form has expired, or your browser refuses cookies. Go back, reload the page and send it again.")
    return error_page(request, 403, _("The form has expired"), text)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    text = _("There is no such page, or what it showed is gone or not yours to see.")
    return error_page(request, 404, _("Page not found"), text)


def server_error(request: HttpRequest) -> HttpResponse:
    """Needs neither database nor session; the log has the traceback under the reference that the page shows."""
    reference = secrets.token_hex(4)
    route = getattr(request.resolver_match, "route", "")
    logger.error("page failed", exc_info=True, extra={"reference": reference, "route": route})
    text = _("Something went wrong on our side. Nothing you stored is lost. Please try again in a moment.")
    if request.path.startswith("/api/"):
        response = problem_response(500, "error", f"Something went wrong on our side (reference {reference}).")
    else:
        context = {"status": 500, "heading": _("Our fault"), "text": text, "reference": reference}
        page = HttpResponse(render_to_string("web/error.html", context), status=500)
        response = with_words(page, f"{text} ({reference})")
    response._has_been_logged = True  # type: ignore[attr-defined]  # else Django logs it again, with the whole address
    return response


def error_page(request: HttpRequest, status: int, heading: str, text: str) -> HttpResponse:
    """The page, or RFC 9457 under /api/; the sentence also in a header, which app.js shows after an htmx request."""
    if request.path.startswith("/api/"):
        codes = {400: "invalid", 403: "not_allowed", 404: "not_found"}
        return problem_response(status, codes[status], text)
    context = {"status": status, "heading": heading, "text": text, "back_url": own_page(request)}
    known = request if hasattr(request, "user") else None  # a refused host name comes before sessions
    page = render_to_string("web/error.html", context, known)
    return with_words(HttpResponse(page, status=status), text)


def with_words(response: HttpResponse, text: str) -> HttpResponse:
    response.headers["X-Mailwall-Error"] = quote(text)
    return response


def own_page(request: HttpRequest) -> str:
    """The page of ours that led here, '' when it was another site's or this one."""
    host = request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME", "")  # get_host() refuses a foreign host
    ours = f"{request.scheme}://{host}"
    referer = request.headers.get("Referer", "")
    return referer if referer.startswith(f"{ours}/") and referer != ours + request.get_full_path() else ""
