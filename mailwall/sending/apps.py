"""Django's entry for this room: it reads the bounces among mail that arrives, and drops drafts that were sent."""

from __future__ import annotations

from django.apps import AppConfig


class SendingConfig(AppConfig):
    name = "mailwall.sending"

    def ready(self) -> None:
        from mailwall.mailstore import hooks as mailstore_hooks  # noqa: PLC0415 -- models exist only now
        from mailwall.sending import bounces, departures, hooks  # noqa: PLC0415

        mailstore_hooks.on_messages_arrived(bounces.on_messages_arrived)
        mailstore_hooks.on_answers_found(bounces.on_messages_arrived)
        hooks.on_outgoing_settled(departures.forget_when_sent)
