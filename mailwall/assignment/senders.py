"""The counts of unassigned mail by sender (UnknownSender), moved with the marks in one transaction (docs/adr/0020).

What a statement deleted or inserted is exactly what the counts change by: a mail of a busy sender costs no more than
any other. The daily review counts everything anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django.db import connection, transaction

from mailwall.assignment.models import UnknownSender
from mailwall.mailstore import sql
from mailwall.mailstore.models import Address

_OF_ALL = (
    "INSERT INTO assignment_unknownsender (account_id, address, kind, only_owner, messages, newest_id) "
    "SELECT account_id, counterpart, kind, only_owner, COUNT(*), MAX(message_id) FROM assignment_unassigned "
    "WHERE counterpart <> '' GROUP BY account_id, counterpart, kind, only_owner"
)
_ADDED = (
    "ON CONFLICT (address, account_id, only_owner, kind) DO UPDATE SET "
    "messages = assignment_unknownsender.messages + excluded.messages, newest_id = CASE "
    "WHEN assignment_unknownsender.newest_id > excluded.newest_id THEN assignment_unknownsender.newest_id "
    "ELSE excluded.newest_id END"
)
_NEWEST_LEFT = (
    "SELECT s.id, COALESCE((SELECT MAX(u.message_id) FROM assignment_unassigned u WHERE u.counterpart = s.address "
    "AND u.account_id = s.account_id AND u.only_owner = s.only_owner AND u.kind = s.kind), s.newest_id) "
    "FROM assignment_unknownsender s WHERE {condition}"
)


#: address, account, only_owner, kind: what a row counts
Group = tuple[str, int, bool, str]


class Mark(NamedTuple):
    """A row of Unassigned, as it came or went."""

    address: str
    account_id: int
    only_owner: bool
    kind: str
    message_id: int

    @property
    def group(self) -> Group:
        return self[:4]


#: the columns of a mark, for RETURNING
COLUMNS = "counterpart, account_id, only_owner, kind, message_id"


def move(*, gone: Sequence[Mark] = (), come: Sequence[Mark] = ()) -> None:
    """Count what went and what came; each once, in the transaction that moved the marks, after it did."""
    gone, come = _with_address(gone), _with_address(come)
    if not gone and not come:
        return
    with transaction.atomic():
        # who counts the same address at the same time waits, and then sees what was changed meanwhile
        sql.lock_rows(Address, "address", {mark.address for mark in (*gone, *come)}, how="FOR NO KEY UPDATE")
        if gone:
            _take(gone)
        _add(come)


def rebuild() -> None:
    """Count everything anew: heals what a fault left behind."""
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("LOCK TABLE assignment_unknownsender IN EXCLUSIVE MODE")
        cursor.execute("DELETE FROM assignment_unknownsender")
        cursor.execute(_OF_ALL)


def _with_address(marks: Iterable[Mark]) -> list[Mark]:
    return [mark for mark in marks if mark.address]


def _add(come: Sequence[Mark]) -> None:
    numbers = Counter(mark.group for mark in come)
    newest = _newest(come)
    columns = ["address", "account_id", "only_owner", "kind", "messages", "newest_id"]
    rows = [(*group, number, newest[group]) for group, number in numbers.items()]
    sql.insert_rows(UnknownSender, columns, rows, conflict=_ADDED)


def _take(gone: Sequence[Mark]) -> None:
    """Rows of whom nothing is left go; where the newest mail went, the newest that is left is looked up."""
    numbers, newest = Counter(mark.group for mark in gone), _newest(gone)
    found = UnknownSender.objects.filter(address__one_of=sorted({mark.address for mark in gone})).values_list(
        "address", "account_id", "only_owner", "kind", "pk", "messages", "newest_id"
    )
    changed: dict[int, tuple[int, int]] = {}
    empty, stale = [], []
    for address, account_id, only_owner, kind, pk, messages, newest_id in found:
        group = (address, account_id, only_owner, kind)
        if group not in numbers:
            continue
        if messages <= numbers[group]:
            empty.append(pk)
            continue
        changed[pk] = (messages - numbers[group], newest_id)
        if newest[group] >= newest_id:
            stale.append(pk)
    if empty:
        UnknownSender.objects.filter(pk__one_of=empty).delete()
    for pk, newest_id in _newest_left(stale):
        changed[pk] = (changed[pk][0], newest_id)
    rows = [(pk, *values) for pk, values in changed.items()]
    sql.update_rows(UnknownSender, ["messages", "newest_id"], rows)


def _newest(marks: Iterable[Mark]) -> dict[Group, int]:
    newest: dict[Group, int] = {}
    for mark in marks:
        newest[mark.group] = max(mark.message_id, newest.get(mark.group, 0))
    return newest


def _newest_left(senders: Sequence[int]) -> list[tuple[int, int]]:
    if not senders:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST_LEFT.format(condition=sql.one_of("s.id")), [sql.values_of(senders)])
        return cursor.fetchall()
