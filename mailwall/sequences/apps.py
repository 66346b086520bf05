"""Django's entry for this room."""

from __future__ import annotations

from django.apps import AppConfig


class SequencesConfig(AppConfig):
    name = "mailwall.sequences"
