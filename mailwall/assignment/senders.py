"""The counts of unassigned mail by sender (UnknownSender), kept in line in the transaction that moves messages.

Counts are never added to: what is touched is counted anew from an index of Unassigned, so that doing it twice changes
nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, transaction

from mailwall.mailstore import sql

_COUNT = (
    "INSERT INTO assignment_unknownsender (account_id, address, kind, only_owner, messages, newest_id) "
    "SELECT account_id, counterpart, kind, only_owner, COUNT(*), MAX(message_id) FROM assignment_unassigned "
    "WHERE counterpart <> '' {condition} GROUP BY account_id, counterpart, kind, only_owner"
)


def refresh(counterparts: Collection[str]) -> None:
    """Count the unassigned mail with these addresses anew; in the caller's transaction, after it changed marks."""
    addresses = sql.values_of(sorted(set(counterparts) - {""}))
    if not counterparts:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # who counts the same address at the same time waits, and then sees what was changed meanwhile
            cursor.execute(
                f"SELECT 1 FROM mailstore_address WHERE {sql.one_of('address')} ORDER BY id FOR NO KEY UPDATE",  # noqa: S608
                [addresses],
            )
        cursor.execute(f"DELETE FROM assignment_unknownsender WHERE {sql.one_of('address')}", [addresses])  # noqa: S608
        cursor.execute(_COUNT.format(condition=f"AND {sql.one_of('counterpart')}"), [addresses])


def rebuild() -> None:
    """Count everything anew: heals what a fault left behind."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("LOCK TABLE assignment_unknownsender IN EXCLUSIVE MODE")
        cursor.execute("DELETE FROM assignment_unknownsender")
        cursor.execute(_COUNT.format(condition=""))
