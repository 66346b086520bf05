"""What is left to do when an account was removed with its messages, or a message by its owner: lower rooms know no
folders.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore_services
from mailwall.sync import rules
from mailwall.sync.models import LedgerEntry, Placement


def bury_removed(now: datetime) -> int:
    """Delete for good what owners removed a while ago; the ledger keeps account of it. Gives how many messages."""
    ids = mailstore_services.removed_ids(now)
    if not ids:
        return 0
    placements = Placement.objects.filter(message__in=ids).select_related("message").only(
        "folder_id", "uidvalidity", "uid", "message__internaldate", "message__size_bytes"
    )  # fmt: skip
    with transaction.atomic():
        LedgerEntry.objects.bulk_create(
            [
                LedgerEntry(
                    folder_id=placement.folder_id, uidvalidity=placement.uidvalidity, uid=placement.uid,
                    outcome=LedgerEntry.Outcome.SKIPPED, rule=rules.REMOVED_HERE,
                    internaldate=placement.message.internaldate, size_bytes=placement.message.size_bytes,
                )
                for placement in placements
            ],
            ignore_conflicts=True,
        )  # fmt: skip
        mailstore_services.bury(ids)
    return len(ids)


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
