"""`mailwall move-database`: every row from one database to another; goes on where it was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from mailwall.operations import databases, restore, tables, versions
from mailwall.operations.errors import OperationRefused
from mailwall.operations.tables import Checksum, Table
from mailwall.team.models import User

SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Settings of both databases; marker: a file that stands as long as the move to this target is not finished."""

    source: dict[str, Any]
    target: dict[str, Any]
    marker: Path


def move(wanted: Move, *, tell: Callable[[str], object] = lambda _line: None) -> Checksum:
    """Copy, and check every table in the target against the source; gives the sum of all.

    The caller holds the data folder alone. The source is only read. After an interruption call it again: batches
    commit, what is in the target is not copied twice.
    :raises OperationRefused: the target has data of its own, is the source, or differs from it at the end.
    """
    with databases.pointed_at(wanted.target), databases.alias(SOURCE, wanted.source):
        _refuse_same(wanted)
        nodes = versions.newest(SOURCE)
        versions.bring_up_to_date()
        known = tables.all_tables(versions.registry(nodes))
        tables.keep_times(known)
        _begin(wanted, known)
        total = Checksum()
        for table in known:
            found = _move_table(table)
            tell(f"{table.label}: {found.rows} rows")
            total.rows, total.sum = total.rows + found.rows, (total.sum + found.sum) % 2**256
        with transaction.atomic():
            connection.check_constraints()
        tables.set_counters(known, "default")
        restore.index_search()
    wanted.marker.unlink()
    return total


def _refuse_same(wanted: Move) -> None:
    if (wanted.source["ENGINE"], str(wanted.source["NAME"]), wanted.source.get("HOST"), wanted.source.get("PORT")) == (
        wanted.target["ENGINE"], str(wanted.target["NAME"]), wanted.target.get("HOST"), wanted.target.get("PORT")
    ):  # fmt: skip
        raise OperationRefused("--from and --to are the same database.")


def _begin(wanted: Move, known: list[Table]) -> None:
    """An interrupted move to the same target goes on; any other target must be empty."""
    name = f"{wanted.target['NAME']} at {wanted.target.get('HOST') or 'this machine'}"
    if wanted.marker.exists() and wanted.marker.read_text(encoding="utf-8") == name:
        return
    if User.objects.exists():
        raise OperationRefused(f"The target, {name}, has users already. Name an empty database.")
    tables.clear(known, "default")
    wanted.marker.write_text(name, encoding="utf-8")


def _move_table(table: Table) -> Checksum:
    """All of one table; of numbered ones only what comes after the last row that arrived."""
    rows = table.model._base_manager.using("default")
    in_pieces = table.is_numbered and not table.points_at_itself
    last = rows.order_by("-pk").values_list("pk", flat=True).first() if in_pieces else None
    if in_pieces:
        for batch in tables.in_batches(table.lines(SOURCE, after=last)):
            with transaction.atomic():
                table.insert("default", batch)
    elif rows.count() != table.model._base_manager.using(SOURCE).count():
        with transaction.atomic():
            rows._raw_delete("default")
            for batch in tables.in_batches(table.lines(SOURCE)):
                table.insert("default", batch)
    with transaction.atomic():
        found = table.checksum("default")
    if found.as_text() != table.checksum(SOURCE).as_text():
        raise OperationRefused(f"{table.label} differs in the target. Empty the target database and begin anew.")
    return found
