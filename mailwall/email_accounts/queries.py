"""Reads of accounts; the viewer first."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import Http404

from mailwall.email_accounts import rules
from mailwall.email_accounts.errors import translated
from mailwall.email_accounts.models import EmailAccount, State, Visibility
from mailwall.mime.addresses import fold_address
from mailwall.team import queries as team_queries
from mailwall.team.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageEffect:
    """What a package would change of what is connected now. Nothing is deleted by any."""

    stop_sending: int
    start_sending: int
    owners_over_limit: int


def package_effect(package: str, max_accounts_per_user: int) -> PackageEffect:
    """Compare a package and a limit with those of now: who stops or starts sending, who has more accounts."""
    now, limit = team_queries.workspace().package, rules.account_limit(package, max_accounts_per_user)
    asked = ("owner", "smtp_host", "state", "sending_active", "is_default")
    accounts = list(EmailAccount.objects.connected().only(*asked))
    sends_now = {account.pk for account in accounts if not rules.sending_obstacle(account, now)}
    would_send = {account.pk for account in accounts if not rules.sending_obstacle(account, package)}
    owners = Counter(account.owner_id for account in accounts)
    return PackageEffect(
        stop_sending=len(sends_now - would_send),
        start_sending=len(would_send - sends_now),
        owners_over_limit=sum(1 for count in owners.values() if limit is not None and count > limit),
    )


def own_addresses() -> set[str]:
    """The addresses of all users and connected accounts, aliases included, folded: they never assign by themselves."""
    found = {fold_address(email) for email in User.objects.values_list("email", flat=True)}
    for address, aliases in EmailAccount.objects.connected().values_list("address", "aliases"):
        found.add(fold_address(address))
        found.update(fold_address(alias) for alias in aliases)
    return found - {""}


def accounts_for(viewer: User) -> QuerySet[EmailAccount]:
    """Connected accounts that the viewer manages: own ones, managers their team's, admins all. With owner and team."""
    accounts = EmailAccount.objects.connected().manageable_by(viewer)
    return accounts.select_related("owner__team").order_by("owner__name", "owner_id", "id")


def get_account(viewer: User, account_id: int) -> EmailAccount:
    """One account of accounts_for(viewer).

    :raises Http404: it is not there, or not the viewer's to see.
    """
    account = accounts_for(viewer).filter(pk=account_id).first()
    if account is None:
        raise Http404
    return account


def own_accounts(user: User) -> QuerySet[EmailAccount]:
    """Connected accounts that the user owns, in the order in which they were added."""
    return EmailAccount.objects.connected().filter(owner=user).order_by("id")


def get_own_account(user: User, account_id: int) -> EmailAccount:
    """A connected account that the user owns.

    :raises Http404: it is not there, or somebody else's: sending from an account is its owner's alone.
    """
    account = own_accounts(user).filter(pk=account_id).first()
    if account is None:
        raise Http404
    return account


def readable_account(viewer: User, account_id: int) -> EmailAccount:
    """One account of accounts_for(viewer) whose messages the viewer may see.

    :raises Http404: it is not there, or not the viewer's to see.
    """
    account = get_account(viewer, account_id)
    if not message_accounts(viewer, [account.pk]):
        raise Http404
    return account


def message_accounts(viewer: User, account_ids: list[int]) -> set[int]:
    """Those of the accounts whose messages the viewer may see."""
    accounts = EmailAccount.objects.messages_visible_to(viewer)
    return set(accounts.filter(pk__in=account_ids).values_list("pk", flat=True))


def readers_by_visibility(owner: User) -> dict[str, list[User]]:
    """For each kind of visibility: who would see the messages of an account of this owner, the owner first."""
    others = User.objects.filter(is_active=True).exclude(pk=owner.pk)
    return {
        Visibility.EVERYONE: [owner, *others],
        Visibility.OWNER_AND_MANAGERS: [owner, *team_queries.managers_of(owner)],
        Visibility.OWNER: [owner],
    }


def possible_owners(actor: User) -> QuerySet[User]:
    """For whom the actor may add an account: themselves, managers their teams' members, admins everybody."""
    users = User.objects.filter(is_active=True).select_related("team")
    if actor.is_admin:
        return users
    return users.filter(Q(pk=actor.pk) | Q(pk__in=team_queries.managed_by(actor).values("pk")))


def error_sentence(account: EmailAccount) -> str:
    """The account's last error in the language of now, '' when there is none."""
    return translated(account.last_error_msgid, account.last_error_params, account.last_error_message)


def probe_due(account: EmailAccount) -> bool:
    """Whether a deactivated account heals by itself: its hourly probe goes on."""
    return account.state == State.DEACTIVATED and account.only_network_errors and account.next_sync_at is not None


def is_manageable(viewer: User, account: EmailAccount) -> bool:
    """Whether the viewer may manage this one account; for lists use accounts_for."""
    managers = team_queries.managers_of(account.owner).values_list("pk", flat=True)
    return rules.may_manage(viewer, account, set(managers))
