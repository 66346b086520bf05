"""Rows for `./bench sync` in the installation under test: a user, an account, 500 contacts. Or counts messages."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
django.setup()

from mailwall.contacts.models import Contact, ContactAddress  # noqa: E402 -- needs the line above
from mailwall.email_accounts.models import EmailAccount  # noqa: E402
from mailwall.mailstore.models import Message  # noqa: E402
from mailwall.team.models import User  # noqa: E402
from mailwall.web import secrets  # noqa: E402


def seed(port: int, user: str, password: str) -> None:
    owner = User.objects.create(email="owner@bench.example", name="Owner")
    account = EmailAccount(
        owner=owner, address=user, imap_host="127.0.0.1", imap_port=port, imap_security="none", imap_username=user,
        visibility="everyone", import_since=datetime.now(UTC) - timedelta(days=14), next_sync_at=datetime.now(UTC),
    )  # fmt: skip
    account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
    account.save()
    contacts = Contact.objects.bulk_create([Contact(kind="person", name=f"Kunde {i}") for i in range(500)])
    ContactAddress.objects.bulk_create(
        [ContactAddress(contact=c, kind="person", address=f"kunde{i}@kwiat.example") for i, c in enumerate(contacts)]
    )


if sys.argv[1] == "count":
    print(Message.objects.count())
else:
    seed(int(sys.argv[1]), sys.argv[2], sys.argv[3])
