"""What the pages of this room share: the signed-in request, positions and ids in addresses, full page or fragment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from mailwall.team.models import User
from mailwall.wall.queries import EMAIL_RANK, NOTE_RANK, POST_RANK, Position
from mailwall.web.rest import ApiProblem, decode_cursor, encode_cursor

MAX_ID = 2**63 - 1


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


def page_or_part(request: SignedIn, page: str, part: str, context: dict[str, Any]) -> HttpResponse:
    """The full page, or its fragment when htmx asks."""
    asks_for_part = request.htmx and not request.htmx.history_restore_request and not request.htmx.boosted
    response = render(request, part if asks_for_part else page, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def position_of(request: HttpRequest) -> Position | None:
    """Where the page begins, by `?before=`; what is none of ours begins at the top."""
    values = _values(request, (int, int, int))
    if values is None or values[1] not in (EMAIL_RANK, NOTE_RANK, POST_RANK) or not 0 <= values[0] < 2**33:
        return None
    return Position(second=values[0], rank=values[1], id=values[2])


def id_before(request: HttpRequest) -> int | None:
    """The id to go on below, by `?before=`."""
    values = _values(request, (int,))
    return values[0] if values else None


def _values(request: HttpRequest, kinds: tuple[type, ...]) -> list[Any] | None:
    try:
        return decode_cursor(request.GET.get("before"), kinds)
    except ApiProblem:
        return None


def write_position(position: Position | None) -> str:
    return encode_cursor(position.second, position.rank, position.id) if position else ""


def number(text: str | None) -> int | None:
    """A positive id typed into an address, else None."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
