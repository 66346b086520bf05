"""Django's entry for this room: it fetches attachments for whoever asks."""

from __future__ import annotations

from django.apps import AppConfig


class SyncConfig(AppConfig):
    name = "mailwall.sync"

    def ready(self) -> None:
        from mailwall.mailstore import hooks  # noqa: PLC0415 -- models exist only now
        from mailwall.sync import attachments  # noqa: PLC0415

        hooks.on_attachments_asked(attachments.read_attachments)
