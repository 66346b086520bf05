"""The mark of unassigned mail: a row of Unassigned for every message that has no link and is not removed.

Its own narrow table, for a mark in the row of the message had PostgreSQL write that row anew into all its indexes
(docs/adr/0016). What a row says is never added to but looked up, so that doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection, transaction

from mailwall.assignment import senders
from mailwall.assignment.models import Unassigned
from mailwall.assignment.senders import Mark
from mailwall.mailstore import sql
from mailwall.mailstore.models import Message

HEAL_BATCH = 5_000
_KIND = (
    "CASE WHEN m.automatic = '' THEN 'people' WHEN m.automatic IN ('list', 'bulk') THEN 'newsletters' "
    "ELSE 'automatic' END"
)
_LINKED = "EXISTS (SELECT 1 FROM assignment_link l WHERE l.message_id = {})"
_RIGHT = (  # a row says what its message says
    "EXISTS (SELECT 1 FROM mailstore_message m WHERE m.id = assignment_unassigned.message_id "  # noqa: S608
    "AND m.removed_at IS NULL AND m.counterpart = assignment_unassigned.counterpart "
    f"AND m.only_owner = assignment_unassigned.only_owner AND {_KIND} = assignment_unassigned.kind)"
)


def settle(message_ids: Collection[int]) -> int:
    """Bring the marks of these messages, and the counts of triage, in line with links and messages.

    Gives how many lost their mark. Set-based and idempotent; in the transaction that changed links or messages, after
    it did.
    """
    if not message_ids:
        return 0
    with transaction.atomic():
        # who changes the links of a message at the same time waits here, and then sees what the first did: each
        # statement of PostgreSQL looks anew (READ COMMITTED)
        sql.lock_rows(Message, "id", message_ids, how="FOR UPDATE")
        gone = _changed(
            f"DELETE FROM assignment_unassigned WHERE {sql.one_of('message_id')} "  # noqa: S608 -- names of ours
            f"AND ({_LINKED.format('assignment_unassigned.message_id')} OR NOT {_RIGHT}) RETURNING {senders.COLUMNS}",
            message_ids,
        )
        come = _changed(
            "INSERT INTO assignment_unassigned (message_id, account_id, counterpart, only_owner, kind) "  # noqa: S608
            f"SELECT m.id, m.account_id, m.counterpart, m.only_owner, {_KIND} FROM mailstore_message m "
            f"WHERE {sql.one_of('m.id')} AND m.removed_at IS NULL AND NOT {_LINKED.format('m.id')} "
            f"ON CONFLICT DO NOTHING RETURNING {senders.COLUMNS}",
            message_ids,
        )
        senders.move(gone=gone, come=come)
    return len(gone)


def drop(message_ids: Collection[int]) -> int:
    """Take the marks of messages that the caller deletes or has linked, and count them out; in that transaction.

    Gives how many had one. Nothing is looked up, so the caller holds the messages: by deleting them, or by links whose
    foreign key is checked at once (services._link_missing).
    """
    if not message_ids:
        return 0
    gone = _changed(
        f"DELETE FROM assignment_unassigned WHERE {sql.one_of('message_id')} RETURNING {senders.COLUMNS}",  # noqa: S608
        message_ids,
    )
    senders.move(gone=gone)
    return len(gone)


def heal() -> None:
    """Settle what has both a mark and a link, or neither; nothing but looking when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.message_id FROM assignment_unassigned u WHERE EXISTS "  # noqa: S608 -- names of ours
            "(SELECT 1 FROM assignment_link l WHERE l.message_id = u.message_id) UNION ALL "
            f"SELECT m.id FROM mailstore_message m WHERE NOT {_LINKED.format('m.id')} "
            "AND NOT EXISTS (SELECT 1 FROM assignment_unassigned u WHERE u.message_id = m.id) "
            "AND m.id NOT IN (SELECT id FROM mailstore_message WHERE removed_at IS NOT NULL)"
        )
        ids = [message_id for (message_id,) in cursor.fetchall()]
    for start in range(0, len(ids), HEAL_BATCH):
        settle(ids[start : start + HEAL_BATCH])


def count(account_ids: Collection[int] | None) -> int:
    """How many messages are unassigned, in these accounts or in all."""
    rows = Unassigned.objects.all()
    return (rows if account_ids is None else rows.filter(account__in=account_ids)).count()


def _changed(statement: str, message_ids: Collection[int]) -> list[Mark]:
    """The rows that the statement changed."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [sql.values_of(message_ids)])
        return [Mark(*row) for row in cursor.fetchall()]
