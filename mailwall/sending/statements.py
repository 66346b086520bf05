"""What every single mail costs the database, as SQL: claimed with others, ended, and the next one begun.

The ORM takes longer to make such statements than the database to run them, so they are written out, and go past it:
PostgreSQL gets a mail's end, its card and the next fence as one prepared statement, SQLite as three in one transaction.
Called by `attempts` alone, which says what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Model

from mailwall.mailstore.models import Message
from mailwall.sending.models import DraftMessage, Outgoing

LOOK_FIRST_AFTER = timedelta(seconds=30)  # while a worker lives, its own answer comes sooner


def _of(model: type[Model]) -> str:
    return str(model._meta.db_table)


#: as OutgoingQuerySet.due
_DUE = "state IN ('held', 'queued') AND due_at <= %s AND (lease_until IS NULL OR lease_until < %s)"
_CLAIM = f"""WITH due AS (
  SELECT id FROM {_of(Outgoing)} WHERE account_id = %s AND {_DUE} ORDER BY due_at, id LIMIT %s{{skip_locked}}
)
UPDATE {_of(Outgoing)} SET state = 'queued', lease_token = %s, lease_until = %s, attempts = attempts + 1
WHERE id IN (SELECT id FROM due)
RETURNING id, account_id, sender_id, message_id, state, due_at, receivers, refused, size_bytes, automatic, queued_at,
attempts, lease_token, accepted, sent_at,
EXISTS (SELECT 1 FROM {_of(DraftMessage)} d WHERE d.outgoing_id = {_of(Outgoing)}.id) AS is_draft"""  # noqa: S608
_BEGIN = f"""UPDATE {_of(Outgoing)} SET state = 'sending', data_started_at = %s, look_at = %s
WHERE id = %s AND lease_token = %s AND state = 'queued'"""  # noqa: S608
_SENT = f"""UPDATE {_of(Outgoing)} SET state = 'sent', sent_at = COALESCE(sent_at, %s), settled_at = %s,
accepted = %s, refused = %s, copy_at = CASE copy_state WHEN '' THEN %s ELSE copy_at END,
copy_state = CASE copy_state WHEN '' THEN 'wanted' ELSE copy_state END, lease_token = '', lease_until = NULL,
error_code = '', error_message = '', error_msgid = '', error_params = '{{}}'
WHERE id = %s AND lease_token = %s AND lease_token <> ''"""  # noqa: S608
_SHOW_SENT = f"UPDATE {_of(Message)} SET delivery_state = 'sent', delivery_reason = %s WHERE id = %s"  # noqa: S608
#: _SENT, _SHOW_SENT and _BEGIN as one, where a statement can change two tables
_ALL_AT_ONCE = f"""WITH settled AS ({_SENT} RETURNING message_id),
shown AS (UPDATE {_of(Message)} SET delivery_state = 'sent', delivery_reason = %s
  WHERE id IN (SELECT message_id FROM settled)),
begun AS ({_BEGIN} RETURNING id)
SELECT count(*) FROM begun"""  # noqa: S608
_NOBODY = (None, None, None, "")
_SENT_BY_SQLITE, _SHOW_SENT_BY_SQLITE, _BEGIN_BY_SQLITE = (
    each.replace("%s", "?") for each in (_SENT, _SHOW_SENT, _BEGIN)
)


def claim(account_id: int, now: datetime, until: datetime, token: str, at_once: int) -> list[Outgoing]:
    """Give the oldest that are due the token, and give them; `is_draft` says whether they were written as drafts."""
    # what somebody else has just locked is not waited for: it is being taken or withdrawn, else the next tick finds it
    statement = _CLAIM.format(skip_locked=" FOR UPDATE SKIP LOCKED" if connection.vendor == "postgresql" else "")
    at = stored(now)
    claimed = Outgoing.objects.raw(statement, (account_id, at, at, at_once, token, stored(until)))
    return sorted(claimed, key=lambda row: (row.due_at, row.pk))


def begin(row: Outgoing, now: datetime) -> bool:
    """Whether this try may begin; then it has."""
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, _begins(row, now))
        return bool(cursor.rowcount)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """A mail that was sent. refused: {address: the server's words}. reason: what its card says besides, or None."""

    row: Outgoing
    accepted: Sequence[str]
    refused: Mapping[str, str]
    reason: Mapping[str, Any] | None
    at: datetime

    def parameters(self) -> tuple[Any, ...]:
        """Of _SENT."""
        at = stored(self.at)
        lists = json.dumps(self.accepted), json.dumps(self.refused)
        return (at, at, *lists, at, self.row.pk, self.row.lease_token)

    def shown(self) -> str | None:
        return None if self.reason is None else json.dumps(self.reason)


def end(ended: End) -> bool:
    """Write it and show it on the card, if this try still has the mail; to be called in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_SENT, ended.parameters())
        if not cursor.rowcount:
            return False
        cursor.execute(_SHOW_SENT, (ended.shown(), ended.row.message_id))
        return True


def end_and_begin(ended: End, then: Outgoing | None) -> bool:
    """The same and the fence of the next mail in one commit; gives whether the next one may begin."""
    begins = _begins(then, ended.at) if then else None
    connection.ensure_connection()
    with connection.wrap_database_errors:
        if connection.vendor == "postgresql":
            # Django's own cursor does not prepare; psycopg is not loaded for SQLite
            with connection.Database.Cursor(connection.connection) as cursor:  # type: ignore[attr-defined]
                parameters = (*ended.parameters(), ended.shown(), *(begins or _NOBODY))
                return bool(cursor.execute(_ALL_AT_ONCE, parameters, prepare=True).fetchone()[0])
        with connection.connection as database:  # commits
            database.execute("BEGIN IMMEDIATE")
            if database.execute(_SENT_BY_SQLITE, ended.parameters()).rowcount:
                database.execute(_SHOW_SENT_BY_SQLITE, (ended.shown(), ended.row.message_id))
            return begins is not None and database.execute(_BEGIN_BY_SQLITE, begins).rowcount > 0


def _begins(row: Outgoing, now: datetime) -> tuple[Any, ...]:
    """Parameters of _BEGIN."""
    return (stored(now), stored(now + LOOK_FIRST_AFTER), row.pk, row.lease_token)


def stored(moment: datetime) -> Any:
    """A moment as the database has it."""
    return connection.ops.adapt_datetimefield_value(moment)
