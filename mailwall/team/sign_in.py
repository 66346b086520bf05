"""How allauth signs our users in: by e-mail address; nobody signs up or changes their address by themselves."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.views import password_reset as allauth_password_reset
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url

from mailwall.team.models import User

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """allauth asks the request which site this is. We do not: a forged Host header would lead the links of our mails
    elsewhere, and would give every guess of a password a throttle of its own."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_reset_password_from_key_url(self, key: str) -> str:
        return settings.BASE_URL + urlsplit(super().get_reset_password_from_key_url(key)).path

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        site = SimpleNamespace(name="Mailwall", domain=urlsplit(settings.BASE_URL).netloc)
        ours = {"current_site": site, "signup_url": settings.BASE_URL + resolve_url(settings.LOGIN_URL)}
        super().send_mail(template_prefix, email, {**context, **ours})

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        return str(credentials.get("email", "")).strip().lower()


def display_name(user: User) -> str:
    return user.name or user.email


def sign_in_now(request: HttpRequest, user: User) -> None:
    """A session for somebody who has just proved who they are in another way (the set-up link)."""
    login(request, user, backend=BACKEND)


def has_two_steps(user: User) -> bool:
    return bool(is_mfa_enabled(user))


def password_reset(request: HttpRequest) -> HttpResponse:
    """allauth's form where system mail is configured; else the way to the administrator."""
    if settings.EMAIL_HOST:
        return allauth_password_reset(request)  # type: ignore[no-any-return]
    return render(request, "team/password_reset_by_admin.html")


def closed(request: HttpRequest, **options: Any) -> HttpResponse:
    """allauth's pages that we do not have: signing up, several addresses for one user."""
    raise Http404
