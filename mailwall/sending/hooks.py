"""Who must know, in the same transaction, what became of outgoing mail: sequences, to go on or to end.

Higher rooms register here in their AppConfig.ready() (docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

from collections.abc import Callable

OutgoingSettled = Callable[[int, str], None]

SENT, FAILED, BOUNCED, CANCELLED = "sent", "failed", "bounced", "cancelled"

_listeners: list[OutgoingSettled] = []


def on_outgoing_settled(listener: OutgoingSettled) -> None:
    """Have `listener(outgoing_id, outcome)` called: 'sent', 'failed' or 'cancelled' once, 'bounced' after 'sent'.

    A failed mail that somebody sends again is settled again. Of a mail that is neither automatic nor written as a draft
    nobody is told that it was sent: thousands may leave, and who wrote it knows it by its row.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def tell_outgoing_settled(outgoing_id: int, outcome: str) -> None:
    """Call every listener; to be called inside the transaction that wrote the outcome."""
    for listener in _listeners:
        listener(outgoing_id, outcome)
