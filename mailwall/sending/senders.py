"""Reads of the accounts that a user can send from, and of who will see what is sent."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from mailwall.email_accounts import queries as accounts
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mime.addresses import fold_address
from mailwall.sending.errors import SendingInactive
from mailwall.team import queries as team_queries
from mailwall.team.models import User

MAX_READERS_NAMED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Senders:
    """accounts: those that send now, the default first.

    broken: one that should send and cannot, or with no account that sends the one to fix; reason: why, in words.
    """

    accounts: list[EmailAccount]
    reason: str = ""
    broken: EmailAccount | None = None

    def chosen(self, account_id: int | None) -> EmailAccount | None:
        """The account of this id if it sends, else the default."""
        found = next((account for account in self.accounts if account.pk == account_id), None)
        return found or (self.accounts[0] if self.accounts else None)


def senders(viewer: User) -> Senders:
    """The viewer's accounts that can send."""
    own = list(EmailAccount.objects.connected().filter(owner=viewer).order_by("-is_default", "address"))
    package = team_queries.workspace().package
    for account in own:
        account.owner = viewer  # what is asked later needs no query
    active = [account for account in own if _sends(account, package)]
    stopped = (one for one in own if one.smtp_host and one.sending_active and _has_trouble(one))
    broken = next(stopped, None)
    if not active and broken is None:
        broken = next((account for account in own if account.smtp_host), own[0] if own else None)
    return Senders(accounts=active, reason=_why_not(broken) if broken else "", broken=broken)


def posted(viewer: User, account_id: int | None) -> EmailAccount | None:
    """The account that the writer chose, also when it cannot send any more: that is told, not changed in silence."""
    own = EmailAccount.objects.connected().filter(owner=viewer, pk=account_id).first() if account_id else None
    return own or senders(viewer).chosen(None)


def _has_trouble(account: EmailAccount) -> bool:
    """Whether somebody must act before it sends again."""
    return bool(account.sending_error) or account.state == State.DEACTIVATED


def _sends(account: EmailAccount, package: str) -> bool:
    return not account.sending_error and not account_rules.sending_obstacle(account, package)


def _why_not(account: EmailAccount) -> str:
    words = {"address": account.address}
    if not account.smtp_host:
        return _(SendingInactive.MSGID_NO_SMTP) % words
    if account.state == State.DEACTIVATED:
        return _(SendingInactive.MSGID_DEACTIVATED) % words
    if account.sending_error:
        return _(SendingInactive.MSGID_REFUSED) % {**words, "reason": account.sending_error}
    return _(SendingInactive.MSGID) % words


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Who will see what is sent from an account: names, the sender first, and how many more."""

    names: list[str]
    more: int


def readers_of(viewer: User, account: EmailAccount) -> Readers:
    """Who will see a mail that the viewer sends from this account of theirs."""
    people = accounts.readers_by_visibility(viewer)[account.visibility]
    names = [str(person) for person in people[: MAX_READERS_NAMED + 1]]
    if len(names) > MAX_READERS_NAMED:
        return Readers(names=names[:MAX_READERS_NAMED], more=len(people) - MAX_READERS_NAMED)
    return Readers(names=names, more=0)


def own_addresses(viewer: User) -> set[str]:
    """The writer's own addresses, folded: their user's and their accounts', aliases too."""
    found = {fold_address(viewer.email)}
    rows = EmailAccount.objects.connected().filter(owner=viewer)
    for address, aliases in rows.values_list("address", "aliases"):
        found |= {fold_address(address), *(fold_address(alias) for alias in aliases)}
    return found - {""}
