"""Who must act at once, in the same transaction, when addresses of contacts change; and who knows our own addresses.

Higher rooms register here in their AppConfig.ready(): explicit and in one direction, where a signal would be neither
(docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

AddressesChanged = Callable[[Sequence[str]], None]
ContactLeaves = Callable[[int], None]
ZoneChanged = Callable[[int], None]
OwnAddressCheck = Callable[[Sequence[str]], set[str]]

_listeners: list[AddressesChanged] = []
_leave_listeners: list[ContactLeaves] = []
_zone_listeners: list[ZoneChanged] = []
_own_address_checks: list[OwnAddressCheck] = []


def on_addresses_changed(listener: AddressesChanged) -> None:
    """Have `listener(addresses)` called with every address that was added to, moved between or taken from contacts."""
    if listener not in _listeners:
        _listeners.append(listener)


def tell_addresses_changed(addresses: Sequence[str]) -> None:
    """Call every listener; to be called inside the transaction that changes the addresses."""
    if addresses:
        for listener in _listeners:
            listener(addresses)


def on_contact_leaves(listener: ContactLeaves) -> None:
    """Have `listener(contact_id)` called just before a contact is deleted, while its links can still be read."""
    if listener not in _leave_listeners:
        _leave_listeners.append(listener)


def tell_contact_leaves(contact_id: int) -> None:
    """Call every listener; to be called inside the transaction that deletes the contact, before it does."""
    for listener in _leave_listeners:
        listener(contact_id)


def on_zone_changed(listener: ZoneChanged) -> None:
    """Have `listener(contact_id)` called when a contact's time zone or company changed."""
    if listener not in _zone_listeners:
        _zone_listeners.append(listener)


def tell_zone_changed(contact_id: int) -> None:
    """Call every listener; to be called inside the transaction that changes it, after it did."""
    for listener in _zone_listeners:
        listener(contact_id)


def on_own_addresses_asked(check: OwnAddressCheck) -> None:
    """Have `check(addresses)` name those that are our own (of connected accounts), which never assign mail."""
    if check not in _own_address_checks:
        _own_address_checks.append(check)


def own_addresses_among(addresses: Sequence[str]) -> set[str]:
    """Those of the normal addresses that some room knows as our own."""
    return set().union(*(check(addresses) for check in _own_address_checks)) if addresses else set()
