"""Django's entry for this room: it counts what lower rooms tell."""

from __future__ import annotations

from django.apps import AppConfig


class HealthConfig(AppConfig):
    name = "mailwall.health"

    def ready(self) -> None:
        from mailwall.email_accounts import hooks as account_hooks  # noqa: PLC0415 -- models exist only now
        from mailwall.health import tallies  # noqa: PLC0415
        from mailwall.mailstore import hooks as mailstore_hooks  # noqa: PLC0415
        from mailwall.sending import hooks as sending_hooks  # noqa: PLC0415

        mailstore_hooks.on_messages_arrived(tallies.note_messages)
        sending_hooks.on_outgoing_settled(tallies.note_outgoing)
        account_hooks.on_attempt_failed(tallies.note_failed_attempt)
        account_hooks.on_lease_taken_over(tallies.note_lease_taken_over)
