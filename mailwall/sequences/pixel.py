"""The picture in a mail whose opens are measured. It asks for no sign-in, sets no cookie, and is the same for all."""

from __future__ import annotations

import logging

from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from mailwall.sequences import opens

logger = logging.getLogger(__name__)

#: one transparent dot
_GIF = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)
_PREFETCH = ("Purpose", "Sec-Purpose", "X-Purpose", "X-Moz")


@require_safe
def opened(request: HttpRequest, token: str) -> HttpResponse:
    """Count the opening, unless somebody of ours looks. A made-up token gets the same answer as a real one."""
    if not request.user.is_authenticated:
        says = " ".join(request.headers.get(name, "") for name in _PREFETCH).lower()
        is_prefetch = request.method == "HEAD" or "prefetch" in says or "preview" in says
        try:
            opens.note_opening(token, agent=request.headers.get("User-Agent", ""), is_prefetch=is_prefetch)
        except DatabaseError:
            logger.warning("database does not answer, an opening is not counted")
    headers = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", "Cross-Origin-Resource-Policy": "cross-origin"}
    return HttpResponse(_GIF, content_type="image/gif", headers=headers)
