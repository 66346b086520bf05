"""What is left to do when an account was removed with its messages: email_accounts knows no messages."""

from __future__ import annotations

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore_services


def accounts_to_purge() -> list[int]:
    """Removed accounts whose messages are still to be deleted."""
    return list(EmailAccount.objects.filter(purging=True).values_list("pk", flat=True))


def purge(account_id: int) -> None:
    """Delete a removed account's messages in short transactions, then its row. May be called again after a crash."""
    account = EmailAccount.objects.filter(pk=account_id, purging=True).first()
    if account is None:
        return
    mailstore_services.delete_account_messages(account_id)
    account.delete()
