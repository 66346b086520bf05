"""Django's entry for this room: it wants to know at once when contacts change, and knows our own addresses."""

from __future__ import annotations

from django.apps import AppConfig


class AssignmentConfig(AppConfig):
    name = "mailwall.assignment"

    def ready(self) -> None:
        from mailwall.assignment import marks, matching, services  # noqa: PLC0415 -- models exist only now
        from mailwall.contacts import hooks  # noqa: PLC0415
        from mailwall.mailstore import hooks as mail_hooks  # noqa: PLC0415

        hooks.on_addresses_changed(services.relink_addresses)
        hooks.on_contact_leaves(services.forget_contact)
        hooks.on_own_addresses_asked(matching.own_addresses_among)
        mail_hooks.on_messages_changed(marks.settle)
        mail_hooks.on_messages_leave(marks.drop)
