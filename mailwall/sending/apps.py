"""Django's entry for this room."""

from __future__ import annotations

from django.apps import AppConfig


class SendingConfig(AppConfig):
    name = "mailwall.sending"

    def ready(self) -> None:
        from mailwall.sending import departures, hooks  # noqa: PLC0415 -- models exist only now

        hooks.on_outgoing_settled(departures.forget_when_sent)
