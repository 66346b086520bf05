"""Logs: constant event text, fields beside it, one line each on stderr; nothing secret, no mail text, no address."""

from __future__ import annotations

import logging
import logging.config
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

HIDDEN_KEYS = ("password", "secret", "token", "authorization", "cookie", "subject", "address", "email", "body")


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The last net: fields whose name tells of a secret or of mail never reach a log, whoever passed them."""
    event.pop("request", None)  # Django's own records: its repr is the whole address, with what was searched for
    for key in event:
        if key != "event" and any(word in key.lower() for word in HIDDEN_KEYS):
            event[key] = "[hidden]"
    return event


def configure() -> None:
    """Send all logging through structlog: coloured lines on a terminal, JSON lines elsewhere."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=True) if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    tail: list[Any] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if not sys.stderr.isatty():
        tail.append(structlog.processors.format_exc_info)
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "lines": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [*tail, renderer],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "lines"}},
            "root": {"handlers": ["stderr"], "level": "INFO"},
            "loggers": {
                "huey": {"level": "WARNING"},
                "imapclient": {"level": "WARNING"},
                "django.request": {"level": "ERROR"},
                "django.security.DisallowedHost": {"level": "CRITICAL"},
                "django.security.csrf": {"level": "CRITICAL"},  # would tell the address; web/views.py says it without
                "gunicorn": {"level": "WARNING"},
            },
        }
    )
