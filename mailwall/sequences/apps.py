"""Django's entry for this room: it wants to know of mail that arrives or left, and of contacts that change."""

from __future__ import annotations

from django.apps import AppConfig


class SequencesConfig(AppConfig):
    name = "mailwall.sequences"

    def ready(self) -> None:
        from mailwall.contacts import hooks as contact_hooks  # noqa: PLC0415 -- models exist only now
        from mailwall.mailstore import hooks as mailstore_hooks  # noqa: PLC0415
        from mailwall.sending import hooks as sending_hooks  # noqa: PLC0415
        from mailwall.sequences import endings, moving, running  # noqa: PLC0415

        mailstore_hooks.on_messages_arrived(endings.note_arrivals)
        mailstore_hooks.on_answers_found(endings.note_arrivals)
        contact_hooks.on_addresses_changed(endings.note_addresses)
        contact_hooks.on_zone_changed(moving.replan_contact)
        contact_hooks.on_contact_leaves(endings.note_contact_leaves)
        sending_hooks.on_outgoing_settled(running.note_settled)
