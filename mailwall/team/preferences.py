"""Language and theme: for everybody in a cookie, for signed-in people also with their user."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from mailwall.team import services

YEAR_SECONDS = 365 * 24 * 3600
THEMES = ("", "light", "dark")


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Choose the language, back to the page the form stood on. An unknown language changes nothing."""
    response = HttpResponseRedirect(safe_next(request))
    chosen = request.POST.get("language", "")
    if chosen in dict(settings.LANGUAGES):
        if request.user.is_authenticated:
            services.update_profile(request.user, language=chosen)
        set_cookie(response, settings.LANGUAGE_COOKIE_NAME, chosen)
    return response


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Choose light, dark, or '' for what the system says."""
    response = HttpResponseRedirect(safe_next(request))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        if request.user.is_authenticated:
            services.update_profile(request.user, theme=chosen)
        set_cookie(response, "mailwall_theme", chosen)
    return response


def set_cookie(response: HttpResponse, name: str, value: str) -> None:
    secure = settings.SESSION_COOKIE_SECURE
    response.set_cookie(name, value, max_age=YEAR_SECONDS, secure=secure, httponly=True, samesite="Lax")


def safe_next(request: HttpRequest, default: str = "/") -> str:
    """The address in the form's `next` when it is a page of ours, else `default`."""
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if is_ours else default
