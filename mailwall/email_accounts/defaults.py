"""Which of a user's accounts mail leaves from unless they choose another. One at most; the rule is in rules.py."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.utils.translation import gettext as _

from mailwall.email_accounts import rules
from mailwall.email_accounts.errors import DraftInvalid
from mailwall.email_accounts.models import EmailAccount
from mailwall.team.models import User


def settle_default(owner_id: int) -> None:
    """After an account of the user came, went, or can send no more: move the default where it belongs."""
    with transaction.atomic():
        lock_owner(owner_id)
        accounts = list(EmailAccount.objects.connected().filter(owner_id=owner_id).order_by("id"))
        _put_default(accounts, rules.default_account(accounts))


def make_default(account: EmailAccount) -> None:
    """The user's mail leaves from this account. Inside a transaction, the owner locked.

    :raises DraftInvalid: it cannot send.
    """
    if rules.sending_obstacle(account, "automation"):
        sentence = _("Only an account that can send can be the default one.")
        raise DraftInvalid([("is_default", sentence)])
    _put_default(EmailAccount.objects.connected().filter(owner_id=account.owner_id), account.pk)


def give_up_default(account: EmailAccount) -> None:
    """Another account of the user becomes the default. Inside a transaction, the owner locked.

    :raises DraftInvalid: no other can send.
    """
    others = EmailAccount.objects.connected().filter(owner_id=account.owner_id).exclude(pk=account.pk).order_by("id")
    heir = rules.default_account(list(others))
    if heir is None:
        sentence = _("It is the only account that can send, so it stays the default one.")
        raise DraftInvalid([("is_default", sentence)])
    _put_default([account, *others], heir)


def lock_owner(owner_id: int) -> None:
    """Whoever changes a user's accounts waits here: before the accounts' own rows, so that nobody waits in a circle."""
    User.objects.select_for_update(no_key=True).get(pk=owner_id)


def _put_default(accounts: Iterable[EmailAccount], chosen: int | None) -> None:
    """First the old one goes: the database allows one."""
    for account in accounts:
        if account.is_default and account.pk != chosen:
            EmailAccount.objects.filter(pk=account.pk).update(is_default=False)
    if chosen is not None:
        EmailAccount.objects.filter(pk=chosen, is_default=False).update(is_default=True)
