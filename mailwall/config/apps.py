"""Django's entry for this room: logging is set up before anything else speaks."""

from __future__ import annotations

from django.apps import AppConfig

from mailwall.config import logging


class ConfigConfig(AppConfig):
    name = "mailwall.config"

    def ready(self) -> None:
        logging.configure()
