"""Taking back a rule before storing: what it kept out of the import window is fetched again."""

from __future__ import annotations

from django.db import transaction

from mailwall.email_accounts import importing
from mailwall.sync import folders
from mailwall.sync.models import LedgerEntry
from mailwall.team.models import User


def remove_rule(viewer: User, rule_id: int) -> int:
    """Remove a rule, and have the accounts where it kept mail out read again; gives how many mails it kept out.

    :raises mailwall.email_accounts.errors.ImportRuleRefused: it is not there, or not the viewer's to change.
    """
    with transaction.atomic():
        rule = importing.remove_rule(viewer, rule_id)
        accounts = list(importing.accounts_under(rule))
        skipped = LedgerEntry.objects.filter(folder__account__in=accounts, rule=rule.kind)
        number, affected = skipped.count(), set(skipped.values_list("folder__account_id", flat=True))
        for account in accounts:
            if account.pk in affected:
                folders.read_window_again(account)
    return number
