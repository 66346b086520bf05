"""Stored passwords under a new key: every column that holds a sealed secret is known here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailwall.email_accounts.models import EmailAccount
from mailwall.web import secrets

#: column → what it is bound to beside the row's secret_id
COLUMNS = {"sealed_imap_password": "imap", "sealed_smtp_password": "smtp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resealed:
    """Secrets that are under the newest key now, and those that no key here opens: they stay as they are."""

    done: int
    unreadable: int


def reseal_all() -> Resealed:
    """Seal everything with the newest key. A secret that is changed meanwhile is left to whoever changed it."""
    done = unreadable = 0
    for account, column, bound_to in _secrets():
        sealed = getattr(account, column)
        if secrets.is_sealed_with_newest(sealed):
            continue
        try:
            fresh = secrets.seal(secrets.unseal(sealed, bound_to=bound_to), bound_to=bound_to)
        except secrets.SecretUnreadable:
            unreadable += 1
            continue
        done += EmailAccount.objects.filter(pk=account.pk, **{column: sealed}).update(**{column: fresh})
    return Resealed(done=done, unreadable=unreadable)


def count_unreadable() -> int:
    """Stored secrets that do not open with the keys of this installation."""
    count = 0
    for account, column, bound_to in _secrets():
        try:
            secrets.unseal(getattr(account, column), bound_to=bound_to)
        except secrets.SecretUnreadable:
            count += 1
    return count


def _secrets() -> Iterator[tuple[EmailAccount, str, str]]:
    accounts = EmailAccount.objects.only("secret_id", *COLUMNS).order_by("pk")
    for account in accounts.iterator(chunk_size=500):
        for column, purpose in COLUMNS.items():
            if getattr(account, column):
                yield account, column, f"{account.secret_id}:{purpose}"
