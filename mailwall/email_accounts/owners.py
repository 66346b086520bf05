"""What happens to the accounts of a user who is switched off, and on again."""

from __future__ import annotations

from django.utils import timezone

from mailwall.email_accounts.models import EmailAccount, State


def owner_switched(user_id: int, is_active: bool) -> None:
    """Off: whoever works on an account of theirs may write no more. On: what works goes on at once.

    Accounts keep their state: EmailAccountQuerySet.connecting() leaves them out as long as the owner is off.
    """
    accounts = EmailAccount.objects.connected().filter(owner=user_id)
    if is_active:
        accounts.filter(state=State.ACTIVE).update(next_sync_at=timezone.now())
    else:
        accounts.update(lease_token="", lease_until=None)
