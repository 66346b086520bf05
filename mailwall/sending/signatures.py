"""Which signature goes with a mail."""

from __future__ import annotations

from mailwall.email_accounts.models import EmailAccount
from mailwall.team.models import User


def signature_for(user: User, account: EmailAccount) -> str:
    """The signature as cleaned HTML: the account's own where it has one, else the user's; '' without any."""
    return ""
