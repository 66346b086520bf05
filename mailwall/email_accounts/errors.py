"""What can be wrong with connecting or changing an account, each with its code of the contract.

`msgid` and `params` let a page say the sentence in the reader's language: `sentence(error)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError


class AccountError(MailwallError):
    """Something about an account that the caller can act on; message = msgid % params, in English."""

    code = "account_error"
    MSGID = ""

    def __init__(self, msgid: str = "", params: Mapping[str, Any] | None = None) -> None:
        self.msgid = msgid or self.MSGID
        self.params = dict(params or {})
        super().__init__(self.msgid % self.params if self.params else self.msgid)


class NotAllowed(AccountError):
    """The caller lacks a right; the sentence says who can grant it."""

    code = "not_allowed"
    MSGID_CONNECT = _("You may not connect email accounts. An administrator can grant it: ask %(administrators)s.")
    MSGID_OTHERS = _("Only an administrator or a manager of that person's team may add an account for them.")
    MSGID_PRIVACY = _(
        "Only the owner of the account may change who sees it, what it stores and which folders it reads."
    )
    MSGID_HISTORY = _("Only the owner of the account may fetch its older messages.")


class AlreadyConnected(AccountError):
    """The address belongs to a connected account. account_id: only when the caller may see that account."""

    code = "already_connected"
    MSGID = _("%(address)s is already connected.")
    MSGID_BY = _("%(address)s is already connected by %(owner)s.")

    def __init__(self, msgid: str, params: Mapping[str, Any], *, account_id: int | None = None) -> None:
        super().__init__(msgid, params)
        self.account_id = account_id


class TooManyTrials(AccountError):
    """Too many connection tests in vain; nothing was dialled."""

    code = "too_many_tests"
    retryable = True
    MSGID = _("Too many connection tests failed. Wait ten minutes, then try again.")


class LimitReached(AccountError):
    """The owner has as many accounts as the package allows."""

    code = "account_limit_reached"
    MSGID = _(
        "%(owner)s has connected %(connected)d of %(limit)d email accounts. Delete one first, "
        "or ask an administrator to raise the limit."
    )


class DraftInvalid(AccountError):
    """Values that cannot be used. errors: (field, sentence) pairs; fields as in the contract (`imap.port`)."""

    code = "invalid"
    MSGID = _("Some values cannot be used.")

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.MSGID)
        self.errors = tuple(errors)


class AccountDeactivated(AccountError):
    """Nothing connects until somebody reactivates the account."""

    code = "account_deactivated"
    MSGID = _("This account is deactivated. Reactivate it first.")


class OwnerSwitchedOff(AccountError):
    """Nothing connects for a user who is switched off."""

    code = "owner_deactivated"
    MSGID = _("The owner of this account is deactivated, so nothing connects to it.")


class AccountNotActive(AccountError):
    """An account that does not run by itself cannot be paused."""

    code = "account_not_active"
    MSGID = _("Only an account that is working can be paused.")


class ConnectionFailed(AccountError):
    """The connection test failed; nothing was saved. code: the contract's (`imap_timeout`, `smtp_login_refused` …)."""

    code = "connection_failed"
    retryable = True

    def __init__(self, msgid: str, params: Mapping[str, Any], *, code: str, details: str = "") -> None:
        super().__init__(msgid, params)
        self.code, self.details = code, details


def sentence(error: MailwallError) -> str:
    """The error's sentence in the language of now; English where it has no msgid."""
    return translated(getattr(error, "msgid", ""), getattr(error, "params", {}), error.message)


def translated(msgid: str, params: Mapping[str, Any], fallback: str) -> str:
    """A stored sentence in the language of now. `fallback` stands in when msgid and params no longer fit."""
    if not msgid:
        return fallback
    try:
        return gettext(msgid) % params if params else gettext(msgid)
    except (KeyError, TypeError, ValueError):
        return fallback


class ImportRuleRefused(AccountError):
    """A rule about what is never imported that cannot be added or removed."""

    code = "import_rule_refused"
    MSGID_NO_ADDRESS = _("“%(value)s” is neither an email address nor a domain such as bank.example.")
    MSGID_NOT_YOURS = _("Only an administrator may change what holds for the whole workspace.")
    MSGID_GONE = _("There is no such rule any more.")
