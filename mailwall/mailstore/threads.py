"""Which thread a message belongs to, whatever the order of arrival and the account: union-find over message ids.

Newest first means that replies come before what they answer. Each message says that some ids are of one thread
(its References, In-Reply-To, Message-ID). What was learnt stands in ThreadAlias; the partition of messages into threads
is the same for every order of arrival.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import connection

from mailwall.mailstore import sql
from mailwall.mailstore.models import ThreadAlias
from mailwall.mime.threads import thread_key

_TABLES = ("mailstore_threadalias", "mailstore_message")  # aliases first: they then point to the end


class _Union:
    """Sets of keys in memory, each with one representative."""

    def __init__(self, known: dict[str, str]) -> None:
        self.parent = dict(known)

    def find(self, key: str) -> str:
        root = key
        while (above := self.parent.get(root, root)) != root:
            root = above
        while key != root:  # shorten the way for the next look-up
            self.parent[key], key = root, self.parent.get(key, root)
        return root

    def join(self, keys: Sequence[str]) -> None:
        first = self.find(keys[0])
        for key in keys[1:]:
            self.parent[self.find(key)] = first


def settle_threads(ids_of_messages: Sequence[Sequence[str]]) -> list[str]:
    """The thread key of each message, given its ids, root first (rules.thread_ids, never empty).

    Stored messages whose threads turn out to be one are moved. Six statements for the whole batch at most; in the
    caller's transaction.
    """
    keys = [[thread_key(name) for name in ids] for ids in ids_of_messages]
    mentioned = sorted({key for of_message in keys for key in of_message})
    known = _known(mentioned)
    union = _Union(known)
    for of_message in keys:
        union.join(of_message)
    seen = set(mentioned) | set(known.values())
    moved = {key: union.find(key) for key in seen if union.find(key) != key}
    _note({key: target for key, target in moved.items() if known.get(key) != target})
    _move(moved)
    return [union.find(of_message[0]) for of_message in keys]


def heal_threads() -> None:
    """Move messages that a concurrent batch stored under a key that had just become an alias. Harmless at any time."""
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"{_follow(table)} WHERE thread_key IN (SELECT key FROM mailstore_threadalias)")  # noqa: S608


def _known(keys: Sequence[str]) -> dict[str, str]:
    return dict(ThreadAlias.objects.filter(key__one_of=keys).values_list("key", "thread_key"))


def _note(aliases: dict[str, str]) -> None:
    conflict = "ON CONFLICT (key) DO UPDATE SET thread_key = excluded.thread_key"
    sql.insert_rows(ThreadAlias, ["key", "thread_key"], sorted(aliases.items()), conflict=conflict)


def _move(keys: Iterable[str]) -> None:
    """Give aliases and messages under any of the keys the thread that the key is an alias of.

    All keys of the batch are asked, not only those that changed now: that heals what two concurrent batches missed of
    each other.
    """
    listed = sql.values_of(keys)
    with connection.cursor() as cursor:
        for table in _TABLES:
            cursor.execute(f"{_follow(table)} WHERE {sql.one_of('thread_key')}", [listed])


def _follow(table: str) -> str:
    return (
        f"UPDATE {table} SET thread_key = "  # noqa: S608 -- our own table names
        f"(SELECT a.thread_key FROM mailstore_threadalias a WHERE a.key = {table}.thread_key)"
    )
