"""Who must know, in the same transaction, that mail arrived: bounces to settle, sequences to end.

Higher rooms register here in their AppConfig.ready(): explicit and in one direction, where a signal would be neither
(docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

MessagesArrived = Callable[[Sequence[int], bool], None]

_listeners: list[MessagesArrived] = []


def on_messages_arrived(listener: MessagesArrived) -> None:
    """Have `listener(message_ids, history)` called for every batch of messages that were not here before.

    history: they are old mail that somebody asked for, not news. A first import is no history; compare INTERNALDATE.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def tell_messages_arrived(message_ids: Sequence[int], *, history: bool) -> None:
    """Call every listener; to be called inside the transaction that stored the messages, once they are assigned."""
    if message_ids:
        for listener in _listeners:
            listener(message_ids, history)
