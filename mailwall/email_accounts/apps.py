"""Django's entry for this room."""

from __future__ import annotations

from django.apps import AppConfig


class EmailAccountsConfig(AppConfig):
    name = "mailwall.email_accounts"
