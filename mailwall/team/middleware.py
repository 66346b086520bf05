"""Language and time zone of a page: the user's, else the browser's."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.utils import timezone, translation
from django.utils.functional import SimpleLazyObject

from mailwall.team import queries

GetResponse = Callable[[HttpRequest], HttpResponse]


class LanguageMiddleware:
    """The language of the cookie, else of the browser; UserPreferencesMiddleware then prefers the user's own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with translation.override(translation.get_language_from_request(request)):
            response = self.get_response(request)
            response.headers.setdefault("Content-Language", translation.get_language() or settings.LANGUAGE_CODE)
            return response


class UserPreferencesMiddleware:
    """The signed-in user's language and time zone for the rest of the request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        language = getattr(user, "language", "")
        if language:
            translation.activate(language)
        request.LANGUAGE_CODE = translation.get_language()
        request.workspace = SimpleLazyObject(queries.workspace)  # type: ignore[attr-defined]
        try:
            zone = zoneinfo.ZoneInfo(getattr(user, "time_zone", "") or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            zone = zoneinfo.ZoneInfo("UTC")
        with timezone.override(zone):
            return _whole_page_for_sign_in(request, self.get_response(request))


def _whole_page_for_sign_in(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """When the session has ended, htmx would put the sign-in page into a fragment: have it load the page instead."""
    target = response.headers.get("Location", "")
    if "HX-Request" not in request.headers or not target.startswith(resolve_url(settings.LOGIN_URL)):
        return response
    page = urlsplit(request.headers.get("HX-Current-URL", "/"))
    back = quote(page.path + (f"?{page.query}" if page.query else ""))
    return HttpResponse(status=204, headers={"HX-Redirect": f"{target.partition('?')[0]}?next={back}"})
