"""Writes of accounts: one function per use case. The actor comes first; what an account's servers say is asked outside
of transactions, and what was asked is what is saved.
"""

from __future__ import annotations

from copy import copy

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.email_accounts import changes, connection, defaults, errors, queries, rules
from mailwall.email_accounts.attempts import Attempt, record_failure, record_success
from mailwall.email_accounts.connection import Servers, imap_settings, smtp_settings
from mailwall.email_accounts.drafts import AccountChanges, AccountDraft, Checker
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.team import queries as team_queries
from mailwall.team import rules as team_rules
from mailwall.team import services as team_services
from mailwall.team.models import User

__all__ = ["Attempt", "imap_settings", "record_failure", "record_success", "smtp_settings"]


def create_account(actor: User, draft: AccountDraft, *, verify: bool = True) -> EmailAccount:
    """Connect an account; its first synchronisation is due at once.

    verify: sign in to its servers first; without, the hosts are still checked against the network policy. Twice the
    same address, at the same moment even, gives one account.

    :raises NotAllowed, DraftInvalid, AlreadyConnected, LimitReached, ConnectionFailed: nothing is saved.
    """
    account = draft_account(actor, draft)
    _refuse_connected(actor, account.address)
    _refuse_over_limit(account.owner)
    connection.require(actor, account, Servers(imap=True, smtp=bool(account.smtp_host)), verify=verify)
    try:
        with transaction.atomic():
            defaults.lock_owner(account.owner_id)  # two at once must not both be the third
            _refuse_over_limit(account.owner)
            account.next_sync_at = timezone.now()
            account.save()
            defaults.settle_default(account.owner_id)
            team_services.audit(actor, "email_account.connected", f"email_account:{account.pk}", owner=account.owner_id)
    except IntegrityError:
        _refuse_connected(actor, account.address)
        raise
    return queries.get_account(actor, account.pk)


def draft_account(actor: User, draft: AccountDraft) -> EmailAccount:
    """The account of a draft, not saved; nothing is dialled.

    :raises NotAllowed, DraftInvalid: with all that is wrong.
    """
    owner = _owner_of(actor, draft.owner_id)
    account = EmailAccount(owner=owner, sending_active=draft.smtp is not None)
    checker = Checker()
    account.import_since = checker.import_since(draft.import_since, owner)
    wanted = AccountChanges(
        address=draft.address, aliases=draft.aliases, imap=draft.imap, smtp=draft.smtp, store=draft.store,
        visibility=draft.visibility, on_dashboard=draft.on_dashboard,
    )  # fmt: skip
    checked = changes.checked(wanted, checker=checker)
    if not draft.imap.password:
        checker.wrong("imap.password", _("Enter the password."))
    checker.finish()
    changes.put(account, checked)
    return account


def update_account(actor: User, account_id: int, wanted: AccountChanges, *, verify: bool = True) -> EmailAccount:
    """Change an account. Servers, user names and passwords are tested before they are saved; an account that waited for
    the right password, or was deactivated, works again when its test is green.

    :raises Http404, NotAllowed, DraftInvalid, AlreadyConnected, ConnectionFailed: nothing is saved.
    """
    account = queries.get_account(actor, account_id)
    changes.require_allowed(actor, account, wanted)
    checked = changes.checked(wanted)
    before, trial = account, copy(account)
    changes.put(trial, checked)
    changes.require_typed_passwords(actor, before, trial, checked)
    if trial.address != before.address:
        _refuse_connected(actor, trial.address)
    changed = changes.servers_changed(before, trial)
    connection.require(actor, trial, changed, verify=verify)
    try:
        with transaction.atomic():
            account = _locked(account)
            changes.put(account, checked)
            if changed.imap:
                _start_anew(account, tested=verify)
            account.save()
            if checked.is_default is True and not account.is_default:
                defaults.make_default(account)
            elif checked.is_default is False and account.is_default:
                defaults.give_up_default(account)
            defaults.settle_default(account.owner_id)
            _note_changes(actor, before, account, changed)
    except IntegrityError:
        _refuse_connected(actor, trial.address)
        raise
    return queries.get_account(actor, account_id)


def _note_changes(actor: User, before: EmailAccount, account: EmailAccount, changed: Servers) -> None:
    """For the activity log: who led the account elsewhere, or showed its messages to others."""
    target = f"email_account:{account.pk}"
    if changed.imap or changed.smtp:
        team_services.audit(actor, "email_account.servers", target, imap=changed.imap, smtp=changed.smtp)
    if account.visibility != before.visibility:
        details = {"from": before.visibility, "to": account.visibility}
        team_services.audit(actor, "email_account.visibility", target, **details)
    if account.on_dashboard != before.on_dashboard:
        team_services.audit(actor, "email_account.dashboard", target, on=account.on_dashboard)


def changed_account(actor: User, account: EmailAccount, wanted: AccountChanges) -> EmailAccount:
    """The account as it would be with these changes, not saved: for a connection test.

    :raises NotAllowed, DraftInvalid: with all that is wrong.
    """
    changes.require_allowed(actor, account, wanted)
    checked, trial = changes.checked(wanted), copy(account)
    changes.put(trial, checked)
    changes.require_typed_passwords(actor, account, trial, checked)
    return trial


def reactivate(actor: User, account_id: int) -> EmailAccount:
    """Test the account with what is stored, then let it work again with no failed attempts.

    :raises Http404, ConnectionFailed: it stays as it was.
    """
    account = queries.get_account(actor, account_id)
    connection.require(actor, account, Servers(imap=True, smtp=False), verify=True)
    with transaction.atomic():
        account = _locked(account)
        _start_anew(account, tested=True)
        account.save()
        defaults.settle_default(account.owner_id)
        team_services.audit(actor, "email_account.reactivated", f"email_account:{account.pk}")
    return queries.get_account(actor, account_id)


def pause(actor: User, account_id: int) -> EmailAccount:
    """Nothing connects by itself until resume(). Again does nothing.

    :raises Http404, AccountNotActive: it waits for a password or is deactivated.
    """
    account = queries.get_account(actor, account_id)
    with transaction.atomic():
        account = _locked(account)
        if account.state not in (State.ACTIVE, State.PAUSED):
            raise errors.AccountNotActive
        account.state, account.next_sync_at = State.PAUSED, None
        account.save(update_fields=["state", "next_sync_at"])
    return queries.get_account(actor, account_id)


def resume(actor: User, account_id: int) -> EmailAccount:
    """A paused account works again, at once; one that failed is tested first, as by reactivate()."""
    account = queries.get_account(actor, account_id)
    if account.state in (State.NEEDS_SIGN_IN, State.DEACTIVATED):
        return reactivate(actor, account_id)
    EmailAccount.objects.connected().filter(pk=account_id, state=State.PAUSED).update(
        state=State.ACTIVE, next_sync_at=timezone.now()
    )
    return queries.get_account(actor, account_id)


def remove_account(actor: User, account_id: int, *, keep_messages: bool) -> EmailAccount:
    """End the connection for good: passwords wiped, the running synchronisation loses its lease.

    keep_messages: they stay on the walls, with the account's visibility, and its row with them. Otherwise nobody sees
    them from now on (`purging`), and sync.removal deletes them.

    :raises Http404: it is not there, or not the actor's to delete.
    """
    account = queries.get_account(actor, account_id)
    with transaction.atomic():
        account = _locked(account)
        account.sealed_imap_password = account.sealed_smtp_password = ""
        account.lease_token, account.lease_until, account.next_sync_at = "", None, None
        account.is_default = account.sending_active = False
        account.removed_at = timezone.now()
        account.purging = not keep_messages
        account.save()
        defaults.settle_default(account.owner_id)
        details = {"owner": account.owner_id, "messages": "keep" if keep_messages else "delete"}
        team_services.audit(actor, "email_account.removed", f"email_account:{account.pk}", **details)
    return account


def _owner_of(actor: User, owner_id: int | None) -> User:
    may_connect = team_rules.may_connect(actor, team_queries.workspace())
    if not may_connect:
        administrators = ", ".join(str(user) for user in team_queries.admins()[:5])
        raise errors.NotAllowed(errors.NotAllowed.MSGID_CONNECT, {"administrators": administrators})
    if owner_id is None or owner_id == actor.pk:
        return actor
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    managers = set(team_queries.managers_of(owner).values_list("pk", flat=True)) if owner else set()
    if owner is None or not rules.may_add_for(actor, owner.pk, managers, may_connect=may_connect):
        raise errors.NotAllowed(errors.NotAllowed.MSGID_OTHERS)
    return owner


def _refuse_connected(actor: User, address: str) -> None:
    account = EmailAccount.objects.connected().filter(address=address).select_related("owner__team").first()
    if account is None:
        return
    if queries.is_manageable(actor, account):
        params = {"address": address, "owner": str(account.owner)}
        raise errors.AlreadyConnected(errors.AlreadyConnected.MSGID_BY, params, account_id=account.pk)
    raise errors.AlreadyConnected(errors.AlreadyConnected.MSGID, {"address": address})


def _refuse_over_limit(owner: User) -> None:
    workspace = team_queries.workspace()
    limit = rules.account_limit(workspace.package, workspace.max_accounts_per_user)
    connected = _accounts_of(owner.pk).count()
    if limit is not None and connected >= limit:
        raise errors.LimitReached(
            errors.LimitReached.MSGID, {"owner": str(owner), "connected": connected, "limit": limit}
        )


def _accounts_of(owner_id: int) -> QuerySet[EmailAccount]:
    return EmailAccount.objects.connected().filter(owner_id=owner_id)


def _locked(account: EmailAccount) -> EmailAccount:
    defaults.lock_owner(account.owner_id)
    accounts = EmailAccount.objects.connected().select_for_update(of=("self",)).select_related("owner__team")
    return accounts.get(pk=account.pk)


def _start_anew(account: EmailAccount, *, tested: bool) -> None:
    """After new settings: forget the failures, connect at once, and let no worker go on with the old ones.

    A deactivated account needs a green test; without one it stays as it is.
    """
    account.lease_token, account.lease_until = "", None
    if account.state == State.PAUSED or (account.state == State.DEACTIVATED and not tested):
        return
    now = timezone.now()
    account.state, account.next_sync_at, account.deactivated_at = State.ACTIVE, now, None
    account.failed_attempts, account.only_network_errors = 0, True
    account.last_error_code = account.last_error_message = account.last_error_msgid = ""
    account.last_error_params, account.last_error_at = {}, None
