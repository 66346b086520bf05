"""Who works on an account: one worker at a time, by conditional UPDATEs with the database's clock.

A lease ends by itself after LEASE_SECONDS, so a killed worker blocks nothing for long. Its token fences: a worker that
was paused and overtaken finds its token gone, and every write of a run renews the lease first, in the same transaction.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now

from mailwall.email_accounts import hooks
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError


class LeaseLost(MailwallError):
    """Another worker took the account over; nothing may be written any more."""

    code = "lease_lost"
    retryable = True


def take_lease(account_id: int) -> str | None:
    """Take the account for LEASE_SECONDS and give the token, or None while another worker holds it."""
    token = secrets.token_hex(16)
    mine = {"lease_token": token, "lease_until": _end()}
    account = EmailAccount.objects.connected().filter(pk=account_id)
    if account.filter(lease_until__isnull=True).update(**mine):
        return token
    if account.filter(lease_until__lt=Now()).update(**mine):
        hooks.tell_lease_taken_over(account_id)
        return token
    return None


def renew_lease(account_id: int, token: str) -> bool:
    """Hold the account for another LEASE_SECONDS. False: it was lost, or the account is gone; write nothing then.

    Inside a transaction it also locks the row until the end, so nobody can overtake between this and the commit. A
    lease that ran out while nobody else wanted it is still ours.
    """
    return EmailAccount.objects.connected().filter(pk=account_id, lease_token=token).update(lease_until=_end()) == 1


def fence(account_id: int, token: str) -> None:
    """As renew_lease(), raising LeaseLost; the first statement of every transaction of a run."""
    if not renew_lease(account_id, token):
        raise LeaseLost("Another worker has taken over this account.")


def release_lease(account_id: int, token: str, next_sync_at: datetime | None = None) -> bool:
    """Give the account free and, unless None, say when it is due next. False: it was no longer ours."""
    values: dict[str, object] = {"lease_token": "", "lease_until": None}
    if next_sync_at is not None:
        values["next_sync_at"] = next_sync_at
    return EmailAccount.objects.filter(pk=account_id, lease_token=token).update(**values) == 1


def _end() -> object:
    return Now() + timedelta(seconds=settings.LEASE_SECONDS)
