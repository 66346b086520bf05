"""Who must know, in the same transaction, that an attempt failed or that a worker was overtaken: whoever counts.

Higher rooms register here in their AppConfig.ready() (docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

from collections.abc import Callable

from mailwall.errors import MailwallError

AttemptFailed = Callable[[int, MailwallError], None]
LeaseTakenOver = Callable[[int], None]

_failed: list[AttemptFailed] = []
_taken_over: list[LeaseTakenOver] = []


def on_attempt_failed(listener: AttemptFailed) -> None:
    """Have `listener(account_id, error)` called for every failed attempt to synchronise."""
    if listener not in _failed:
        _failed.append(listener)


def tell_attempt_failed(account_id: int, error: MailwallError) -> None:
    """Call every listener; to be called inside the transaction that noted the failure."""
    for listener in _failed:
        listener(account_id, error)


def on_lease_taken_over(listener: LeaseTakenOver) -> None:
    """Have `listener(account_id)` called when a worker takes an account whose last worker never gave it back."""
    if listener not in _taken_over:
        _taken_over.append(listener)


def tell_lease_taken_over(account_id: int) -> None:
    """Call every listener."""
    for listener in _taken_over:
        listener(account_id)
