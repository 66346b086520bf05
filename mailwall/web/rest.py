"""The one form of REST answers: problems (RFC 9457), pages by cursor. Every room's api.py uses it."""

from __future__ import annotations

import base64
import binascii
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import AuthenticationError, HttpError, ValidationError

logger = logging.getLogger(__name__)

T = TypeVar("T")
MAX_LIMIT = 200
DEFAULT_LIMIT = 50


class FieldError(Schema):
    field: str
    message: str


class Problem(Schema):
    """application/problem+json (RFC 9457) with a stable `code` for programs."""

    type: str = "about:blank"
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None


class Page(Schema, Generic[T]):
    items: list[T]
    next_cursor: str | None = None


#: for `response={200: X, **PROBLEMS}`: so that the OpenAPI document says what every call may answer
PROBLEMS: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 422, 429}): Problem}


class ApiProblem(Exception):
    """Raise it in an api.py to answer with a problem; `extra` (such as `contact`) stands beside the usual fields."""

    def __init__(
        self, status: int, code: str, detail: str, *, errors: Sequence[tuple[str, str]] = (), **extra: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.errors, self.extra = status, code, detail, errors, extra


def problem_response(
    status: int, code: str, detail: str, *, errors: Sequence[tuple[str, str]] = (), **extra: Any
) -> HttpResponse:
    titles = {
        400: "Bad request", 401: "Sign in", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
        409: "Conflict", 410: "Gone", 413: "Too large", 415: "Unsupported media type", 422: "Not possible",
        429: "Too many requests", 500: "Our fault", 502: "Mail server unreachable", 503: "Not ready", 504: "Time-out",
    }  # fmt: skip
    body: dict[str, Any] = {
        "type": "about:blank", "title": titles.get(status, "Error"), "status": status, "code": code, "detail": detail,
    }  # fmt: skip
    if errors:
        body["errors"] = [{"field": field, "message": message} for field, message in errors]
    body.update(extra)
    return HttpResponse(json.dumps(body, default=str), status=status, content_type="application/problem+json")


def install_error_handlers(api: NinjaAPI) -> None:
    """Have every way to fail answer in the same form."""

    def on_validation(request: HttpRequest, error: Exception) -> HttpResponse:
        assert isinstance(error, ValidationError)
        errors = [(_field_name(item.get("loc", ())), str(item.get("msg", ""))) for item in error.errors]
        return problem_response(422, "invalid", "The request has values that cannot be used.", errors=errors)

    def on_http_error(request: HttpRequest, error: Exception) -> HttpResponse:
        assert isinstance(error, HttpError)
        status = error.status_code
        return problem_response(status, "invalid" if status == 400 else "error", str(error))

    def on_problem(request: HttpRequest, error: Any) -> HttpResponse:
        return problem_response(error.status, error.code, error.detail, errors=error.errors, **error.extra)

    handlers: dict[type[Exception], Callable[[HttpRequest, Any], HttpResponse]] = {
        ApiProblem: on_problem,
        ValidationError: on_validation,
        HttpError: on_http_error,
        AuthenticationError: lambda request, error: problem_response(
            401, "sign_in", "Send a valid token: Authorization: Bearer TOKEN."
        ),
        Http404: lambda request, error: problem_response(
            404, "not_found", "There is no such thing, or it is not yours to see."
        ),
        PermissionDenied: lambda request, error: problem_response(
            403, "not_allowed", str(error) or "You may not do this."
        ),
    }
    for kind, handler in handlers.items():
        api.add_exception_handler(kind, handler)


def problems_for_wrong_methods(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[..., HttpResponse]:
    """Middleware: a method that an address of the API does not know is refused in the API's own form."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if response.status_code != 405 or not request.path.startswith("/api/v1/"):
            return response
        allowed = ", ".join(sorted(response.headers.get("Allow", "").split(", ")))  # ninja tells them in any order
        problem = problem_response(405, "method_not_allowed", f"This address answers {allowed}.")
        problem.headers["Allow"] = allowed
        return problem

    return middleware


def _field_name(location: Sequence[Any]) -> str:
    """('body', 'payload', 'imap', 'port') → 'imap.port'."""
    parts = [str(part) for part in location]
    if parts and parts[0] in ("body", "query", "path", "form", "header"):
        parts = parts[1:]
    if len(parts) > 1 and parts[0] in ("payload", "body"):
        parts = parts[1:]
    return ".".join(parts)


def encode_cursor(*values: int | str) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, kinds: Sequence[type]) -> list[Any] | None:
    """The values of a cursor of ours, None where there is none.

    :raises ApiProblem: 422 `cursor_invalid` when it was not made by encode_cursor with values of these kinds.
    """
    if not cursor:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, UnicodeError, RecursionError):
        values = None
    if (
        not isinstance(values, list)
        or len(values) != len(kinds)
        or any(type(value) is not kind for value, kind in zip(values, kinds, strict=True))
        or any(isinstance(value, int) and abs(value) >= 2**63 for value in values)
    ):
        raise ApiProblem(
            422, "cursor_invalid", "This cursor is not one of ours.", errors=[("cursor", "unknown cursor")]
        )
    return values


def clamp_limit(limit: int) -> int:
    return max(1, min(limit, MAX_LIMIT))
