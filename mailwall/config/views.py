"""Health answers and the API's documentation page."""

from __future__ import annotations

import logging
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.config.api import api
from mailwall.health import queries as health
from mailwall.health.checks import pending_migrations
from mailwall.web import clock

logger = logging.getLogger(__name__)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process lives, whatever else is down."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when database (migrated) and queue answer, else 503 with the reason of each.

    workers: told beside it, for a page can be served while none runs.
    """
    checks = {"database": _database_problem(), "queue": _queue_problem()}
    ready = not any(checks.values())
    told = {name: problem or "ok" for name, problem in checks.items()}
    if not checks["database"]:
        told["workers"] = "ok" if health.has_worker(clock.now()) else "none was heard of for a minute"
    return JsonResponse({"status": "ready" if ready else "not ready", **told}, status=200 if ready else 503)


@require_safe
def api_docs(request: HttpRequest) -> HttpResponse:
    """Every REST call, read from the OpenAPI document: no script, nothing from elsewhere."""
    return render(request, "config/api_docs.html", {"groups": _calls_by_tag(api.get_openapi_schema())})


def _calls_by_tag(schema: dict[str, Any]) -> list[tuple[str, list[dict[str, Any]]]]:
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, methods in schema["paths"].items():
        for method, call in methods.items():
            shown = {
                "method": method.upper(),
                "path": path,
                "summary": call.get("summary", ""),
                "description": call.get("description", ""),
                "parameters": [parameter["name"] for parameter in call.get("parameters", [])],
                "fields": _body_fields(schema, call),
                "statuses": [str(status) for status in call["responses"]],
            }
            groups.setdefault(call.get("tags", ["API"])[0], []).append(shown)
    return list(groups.items())


def _body_fields(schema: dict[str, Any], call: dict[str, Any]) -> list[str]:
    body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = body.get("$ref", "").rpartition("/")[2]
    return list(schema["components"]["schemas"].get(name, {}).get("properties", {}))


def _database_problem() -> str:
    try:
        if _is_migrated():
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return ""
    except DatabaseError:
        logger.warning("database does not answer")
        return "no answer"
    return "migrations are pending"


_migrated_databases: set[object] = set()


def _is_migrated() -> bool:
    """What was migrated stays so while this program runs; reading all migrations costs a tenth of a second."""
    name = connection.settings_dict["NAME"]
    if name not in _migrated_databases and not pending_migrations():
        _migrated_databases.add(name)
    return name in _migrated_databases


def _queue_problem() -> str:
    try:
        queue.fast.pending_count()
    except (RedisError, OSError):
        logger.warning("queue does not answer")
        return "no answer"
    return ""
