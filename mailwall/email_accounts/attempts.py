"""What a synchronisation's end does to the account: success resets, failures grow, ten of them deactivate.

Called by services; every write carries the lease's token, so that an overtaken worker changes nothing (fencing).
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from mailwall.email_accounts import defaults, hooks, notices, rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What the account's row says after an attempt. next_sync_at None: nothing connects by itself."""

    state: str
    failed_attempts: int
    next_sync_at: datetime | None


def record_success(account_id: int, token: str | None, now: datetime, *, news: bool = False) -> Attempt | None:
    """Note a success: no failed attempts, no error, `needs_sign_in` and `deactivated` become active again.

    token: the lease's, None when no lease is held. news: it brought new messages, so that the next one comes sooner.
    None when the lease is another's by now: nothing was written.
    """
    with transaction.atomic():
        account = _locked(account_id, token)
        if account is None:
            return None
        before = account.state
        account.last_news_at = now if news else account.last_news_at
        _apply(account, rules.after_success(_standing(account), now=now, interval=_interval(account, now)))
        account.last_error_message, account.last_error_msgid, account.last_error_params = "", "", {}
        account.last_synchronized_at = now
        account.deactivated_at = None
        account.save(update_fields=[*_WRITTEN, "last_synchronized_at", "last_news_at"])
        if before == State.DEACTIVATED:
            notices.tell_reactivated(account)
    _settle_default(account, before)
    return _attempt(account)


def record_failure(account_id: int, token: str | None, error: MailwallError, now: datetime) -> Attempt | None:
    """Note a failed attempt: count, pause or deactivate; owner and managers hear of what needs them.

    token: the lease's, None when no lease is held. None when the lease is another's by now: nothing was written.
    """
    with transaction.atomic():
        account = _locked(account_id, token)
        if account is None:
            return None
        before = account.state
        standing = rules.after_failure(
            _standing(account),
            error.code,
            counts=error.counts_as_failed_attempt,
            now=now,
            max_failed_attempts=settings.MAX_FAILED_ATTEMPTS,
        )
        _apply(account, standing)
        account.last_error_message = error.message
        account.last_error_msgid = getattr(error, "msgid", "")
        account.last_error_params = getattr(error, "params", {})
        if account.state == State.DEACTIVATED and before != State.DEACTIVATED:
            account.deactivated_at = now
        account.save(update_fields=_WRITTEN)
        if account.state != before:
            notices.tell_needs_you(account)
        hooks.tell_attempt_failed(account_id, error)
    _settle_default(account, before)
    logger.info("attempt failed", extra={"account_id": account_id, "code": error.code, "state": account.state})
    return _attempt(account)


def _interval(account: EmailAccount, now: datetime) -> timedelta:
    longest = timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)
    quiet = None if account.last_news_at is None else now - account.last_news_at
    share = random.random()  # noqa: S311 -- spreads the load, guards nothing
    return rules.spread(rules.poll_interval(quiet, longest), share, first=account.last_synchronized_at is None)


def _settle_default(account: EmailAccount, before: str) -> None:
    """A deactivated account does not send. Its row's lock is gone by now: see defaults.lock_owner."""
    if State.DEACTIVATED in (before, account.state) and before != account.state:
        defaults.settle_default(account.owner_id)


_WRITTEN = (
    "state", "failed_attempts", "only_network_errors", "next_sync_at", "last_error_code", "last_error_message",
    "last_error_msgid", "last_error_params", "last_error_at", "deactivated_at",
)  # fmt: skip


def _locked(account_id: int, token: str | None) -> EmailAccount | None:
    accounts = EmailAccount.objects.connected().select_for_update(of=("self",)).select_related("owner")
    account = accounts.filter(pk=account_id).first()
    if account is None or (token is not None and account.lease_token != token):
        return None
    return account


def _standing(account: EmailAccount) -> rules.Standing:
    return rules.Standing(
        state=account.state,
        failed_attempts=account.failed_attempts,
        only_network_errors=account.only_network_errors,
        next_sync_at=account.next_sync_at,
        last_error_code=account.last_error_code,
        last_error_at=account.last_error_at,
    )


def _apply(account: EmailAccount, standing: rules.Standing) -> None:
    account.state = standing.state
    account.failed_attempts = standing.failed_attempts
    account.only_network_errors = standing.only_network_errors
    account.next_sync_at = standing.next_sync_at
    account.last_error_code = standing.last_error_code
    account.last_error_at = standing.last_error_at


def _attempt(account: EmailAccount) -> Attempt:
    return Attempt(state=account.state, failed_attempts=account.failed_attempts, next_sync_at=account.next_sync_at)
