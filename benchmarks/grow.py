"""Multiply what a PostgreSQL store holds, in SQL, so that a million messages take minutes; used by `ingest`.

Each copy is younger than the one before, in the same accounts and of the same senders, with identities of its own. The
words are those of the first messages: enough of them, and every list of the search index grows as in life.
"""

from __future__ import annotations

from django.db import connection

from mailwall.assignment import senders
from mailwall.assignment.models import Link, Unassigned
from mailwall.mailstore import search_index
from mailwall.mailstore.models import Message, MessageBody, Participant
from mailwall.sync.models import Placement

_NEW_KEY = "md5(copy.k || {0})"
_CHANGED = {
    Message: {
        "id": "id + copy.k * %(seconds)s * 1048576::bigint",
        "internaldate": "internaldate + copy.k * %(seconds)s * interval '1 second'",
        "date": "date + copy.k * %(seconds)s * interval '1 second'",
        "message_id": "copy.k || '-' || message_id",
        **{name: _NEW_KEY.format(name) for name in ("thread_key", "dedupe_key", "content_key")},
    },
    MessageBody: {"message_id": "message_id + copy.k * %(seconds)s * 1048576::bigint"},
    Participant: {"message_id": "message_id + copy.k * %(seconds)s * 1048576::bigint", "id": None},
    Unassigned: {"message_id": "message_id + copy.k * %(seconds)s * 1048576::bigint"},
    Link: {"message_id": "message_id + copy.k * %(seconds)s * 1048576::bigint", "id": None},
    Placement: {
        "message_id": "message_id + copy.k * %(seconds)s * 1048576::bigint",
        "uid": "uid + copy.k * 10000000",
        "id": None,
    },
}


def grow(to: int) -> None:
    """Until there are about so many messages. The index of words is built at the end, as after a restore."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), extract(epoch FROM max(internaldate) - min(internaldate)) FROM mailstore_message"
        )
        number, seconds = cursor.fetchone()
        span = {"seconds": int(seconds) + 1, "copies": round(to / number) - 1}
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(f"DROP INDEX {search_index.MESSAGES}_words")
        for model, changed in _CHANGED.items():
            columns = [
                field.column for field in model._meta.concrete_fields if changed.get(field.column, "") is not None
            ]
            names = ", ".join(f'"{column}"' for column in columns)
            values = ", ".join(changed.get(column) or f'"{column}"' for column in columns)
            table = model._meta.db_table
            cursor.execute(_copies(f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}"), span)
        table = search_index.MESSAGES
        ids = "id + copy.k * %(seconds)s * 1048576::bigint"
        copied = f"INSERT INTO {table} (id, document) SELECT {ids}, document FROM {table}"
        cursor.execute(_copies(copied), span)
        cursor.execute(f"CREATE INDEX {table}_words ON {table} USING gin (document)")
        senders.rebuild()
        cursor.execute("RESET maintenance_work_mem")
        cursor.execute("VACUUM ANALYZE")  # or autovacuum does it while others measure


def _copies(statement: str) -> str:
    return f"{statement}, generate_series(1, %(copies)s) AS copy(k)"
