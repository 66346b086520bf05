"""What a change of an account comes to: its form, who may make it, how it is put on the row, what must be tested."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.utils.translation import gettext as _

from mailwall.email_accounts import rules
from mailwall.email_accounts.connection import Servers
from mailwall.email_accounts.drafts import UNSET, AccountChanges, Checker, ServerDraft
from mailwall.email_accounts.errors import DraftInvalid, NotAllowed
from mailwall.email_accounts.models import EmailAccount, Store, Visibility
from mailwall.team.models import User
from mailwall.web import secrets


def checked(wanted: AccountChanges, *, checker: Checker | None = None) -> AccountChanges:
    """The same in normal form.

    :raises DraftInvalid: with all that is wrong; with a checker of the caller's, that one collects it instead.
    """
    collect = checker or Checker()
    address = wanted.address if wanted.address is UNSET else collect.address("address", wanted.address)
    own = address if isinstance(address, str) else ""
    found = replace(
        wanted,
        address=address,
        aliases=wanted.aliases if wanted.aliases is UNSET else collect.aliases(wanted.aliases, own),
        imap=wanted.imap if wanted.imap is UNSET else collect.server("imap", wanted.imap),
        smtp=collect.server("smtp", wanted.smtp) if isinstance(wanted.smtp, ServerDraft) else wanted.smtp,
    )
    if found.store is not UNSET:
        collect.choice("store", found.store, Store)
    if found.visibility is not UNSET:
        collect.choice("visibility", found.visibility, Visibility)
    if checker is None:
        collect.finish()
    return found


def require_allowed(actor: User, account: EmailAccount, wanted: AccountChanges) -> None:
    """Refuse what this actor, or nobody, may change.

    :raises NotAllowed: visibility or direction by another than the owner. :raises DraftInvalid: owner, window, sending.
    """
    privacy = (wanted.store not in (UNSET, account.store), wanted.visibility not in (UNSET, account.visibility))
    if any(privacy) and not rules.may_change_privacy(actor, account):
        raise NotAllowed(NotAllowed.MSGID_PRIVACY)
    if wanted.owner_id not in (UNSET, account.owner_id):
        # a new owner would see what the old one kept to themselves
        raise DraftInvalid([("owner", _("The owner of an account cannot be changed."))])
    if wanted.import_since is not UNSET and not _is_same_moment(wanted.import_since, account.import_since):
        raise DraftInvalid([("import_since", _("What is imported is settled. Older messages are fetched separately."))])
    has_smtp = bool(account.smtp_host if wanted.smtp is UNSET else wanted.smtp)
    if wanted.sending_active is True and not has_smtp:
        raise DraftInvalid([("sending_active", _("This account only receives: it has no server for sending."))])


def put(account: EmailAccount, wanted: AccountChanges) -> None:
    """Set the values of a change in normal form on the row, passwords sealed. Saves nothing."""
    if wanted.address is not UNSET:
        account.address = wanted.address
    if wanted.aliases is not UNSET:
        account.aliases = list(wanted.aliases)
    if wanted.imap is not UNSET:
        _put_imap(account, wanted.imap)
    if wanted.smtp is not UNSET:
        _put_smtp(account, wanted.smtp)
    if wanted.store is not UNSET:
        account.store = wanted.store
    if wanted.visibility is not UNSET:
        account.visibility = wanted.visibility
    if wanted.on_dashboard is not UNSET:
        account.on_dashboard = wanted.on_dashboard
    if wanted.sending_active is not UNSET:
        account.sending_active = wanted.sending_active and bool(account.smtp_host)
    if any(each is not UNSET for each in (wanted.imap, wanted.smtp, wanted.sending_active)):
        account.sending_error = ""  # somebody acted: what waits to be sent is tried again


def servers_changed(before: EmailAccount, after: EmailAccount) -> Servers:
    """Which servers must be asked before the change is saved."""
    imap = _imap_of(before) != _imap_of(after)
    borrowed = after.smtp_same_password and _borrowed_of(before) != _borrowed_of(after)
    return Servers(imap=imap, smtp=bool(after.smtp_host) and (_smtp_of(before) != _smtp_of(after) or borrowed))


def require_typed_passwords(actor: User, before: EmailAccount, after: EmailAccount, wanted: AccountChanges) -> None:
    """A stored password goes to the server it was typed for, unless its owner says otherwise.

    :raises DraftInvalid: a manager or an admin names another server without typing a password for it.
    """
    if actor.pk == before.owner_id:
        return
    checker = Checker()
    typed_imap = isinstance(wanted.imap, ServerDraft) and bool(wanted.imap.password)
    typed_smtp = isinstance(wanted.smtp, ServerDraft) and bool(wanted.smtp.password)
    if _imap_of(before)[:-1] != _imap_of(after)[:-1] and not typed_imap:
        checker.wrong("imap.password", _("Enter the password again: the stored one belongs to another server."))
    moved_smtp = after.smtp_host and _smtp_of(before)[:-1] != _smtp_of(after)[:-1]
    if moved_smtp and not typed_smtp and not (after.smtp_same_password and typed_imap):
        checker.wrong("smtp.password", _("Enter the password again: the stored one belongs to another server."))
    checker.finish()


def _is_same_moment(text: str | None, moment: datetime) -> bool:
    try:
        return text is not None and datetime.fromisoformat(text) == moment
    except (ValueError, TypeError):
        return False


def _put_imap(account: EmailAccount, draft: ServerDraft) -> None:
    account.imap_host, account.imap_security = draft.host, draft.security
    account.imap_port = draft.port or 0
    account.imap_username = draft.username or account.address
    if draft.password:
        account.sealed_imap_password = secrets.seal(draft.password, bound_to=f"{account.secret_id}:imap")


def _put_smtp(account: EmailAccount, draft: ServerDraft | None) -> None:
    if draft is None:
        account.smtp_host, account.smtp_port, account.smtp_security, account.smtp_username = "", None, "", ""
        account.sealed_smtp_password, account.smtp_same_password = "", True
        account.sending_active = account.is_default = False
        return
    if not account.smtp_host:
        account.sending_active = True
    account.smtp_host, account.smtp_port, account.smtp_security = draft.host, draft.port, draft.security
    account.smtp_username = draft.username
    if draft.password is not None:
        account.smtp_same_password = not draft.password
        account.sealed_smtp_password = secrets.seal(draft.password, bound_to=f"{account.secret_id}:smtp")


def _imap_of(account: EmailAccount) -> tuple[object, ...]:
    return (
        account.imap_host, account.imap_port, account.imap_security, account.imap_username,
        account.sealed_imap_password,
    )  # fmt: skip


def _borrowed_of(account: EmailAccount) -> tuple[str, str]:
    """What SMTP takes from IMAP."""
    return account.imap_username, account.sealed_imap_password


def _smtp_of(account: EmailAccount) -> tuple[object, ...]:
    return (
        account.smtp_host, account.smtp_port, account.smtp_security, account.smtp_username,
        account.smtp_same_password, account.sealed_smtp_password,
    )  # fmt: skip
