"""What every template gets."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """`theme`: '' (as the system), 'light' or 'dark', chosen by the user or by a cookie before sign-in."""
    theme = getattr(request.user, "theme", "") or request.COOKIES.get("mailwall_theme", "")
    return {"theme": theme if theme in ("light", "dark") else ""}
