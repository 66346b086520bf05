"""Django's entry for this room: accounts rest while their owner is switched off."""

from __future__ import annotations

from django.apps import AppConfig


class EmailAccountsConfig(AppConfig):
    name = "mailwall.email_accounts"

    def ready(self) -> None:
        from mailwall.email_accounts import owners  # noqa: PLC0415 -- models exist only now
        from mailwall.team import hooks  # noqa: PLC0415

        hooks.on_user_switched(owners.owner_switched)
