"""Who must act at once, in the same transaction, when a user is switched off or on again.

Higher rooms register here in their AppConfig.ready() (docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

from collections.abc import Callable

UserSwitched = Callable[[int, bool], None]

_listeners: list[UserSwitched] = []


def on_user_switched(listener: UserSwitched) -> None:
    """Have `listener(user_id, is_active)` called when a user is switched off, or on again."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell_user_switched(user_id: int, is_active: bool) -> None:
    """Call every listener; to be called inside the transaction that switches."""
    for listener in _listeners:
        listener(user_id, is_active)
