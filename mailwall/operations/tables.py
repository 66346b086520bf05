"""All tables, whatever rooms they are of, and their rows in a form that no database has for itself.

A row is a JSON array of its columns; what JSON has no word for is text, as the column's kind says. The sum over the
hashes of all rows is a table's checksum: it does not depend on their order, which databases see differently.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from itertools import islice
from typing import Any

from django.core.management.color import no_style
from django.db import connections, models, transaction

from mailwall.operations.errors import OperationRefused

#: migrate makes these anew; who was signed in signs in again
SKIPPED_APPS = frozenset({"contenttypes", "auth", "sessions"})
BATCH_ROWS = 1_000
_SUM_END = 2**256

_TO_TEXT: dict[str, Callable[[Any], Any]] = {
    "DateTimeField": datetime.isoformat,
    "DateField": date.isoformat,
    "TimeField": time.isoformat,
    "BinaryField": lambda raw: base64.b64encode(bytes(raw)).decode(),
    "UUIDField": str,
    "DecimalField": str,
}
_FROM_TEXT: dict[str, Callable[[Any], Any]] = {
    "DateTimeField": datetime.fromisoformat,
    "DateField": date.fromisoformat,
    "TimeField": time.fromisoformat,
    "BinaryField": base64.b64decode,
    "UUIDField": uuid.UUID,
    "DecimalField": Decimal,
}


@dataclass(slots=True)
class Checksum:
    """How many rows, and the sum of their hashes."""

    rows: int = 0
    sum: int = 0

    def add(self, line: str) -> None:
        self.rows += 1
        self.sum = (self.sum + int.from_bytes(hashlib.sha256(line.encode()).digest(), "big")) % _SUM_END

    def as_text(self) -> str:
        return f"{self.rows}:{self.sum:064x}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A model's table: columns are attribute names with their fields' kinds."""

    model: type[models.Model]
    label: str
    names: tuple[str, ...]
    kinds: tuple[str, ...] = field(repr=False)

    def encode(self, row: Sequence[Any]) -> str:
        values = [
            value if value is None or kind not in _TO_TEXT else _TO_TEXT[kind](value)
            for value, kind in zip(row, self.kinds, strict=True)
        ]
        return json.dumps(values, sort_keys=True, separators=(",", ":"))

    def decode(self, line: str) -> list[Any]:
        return [
            value if value is None or kind not in _FROM_TEXT else _FROM_TEXT[kind](value)
            for value, kind in zip(json.loads(line), self.kinds, strict=True)
        ]

    def lines(self, alias: str, *, after: Any = None) -> Iterator[str]:
        """Every row, encoded, by primary key; after: only those beyond it."""
        rows = self.model._base_manager.using(alias).order_by("pk")
        if after is not None:
            rows = rows.filter(pk__gt=after)
        for row in rows.values_list(*self.names).iterator(chunk_size=BATCH_ROWS):
            yield self.encode(row)

    def checksum(self, alias: str) -> Checksum:
        found = Checksum()
        for line in self.lines(alias):
            found.add(line)
        return found

    def insert(self, alias: str, lines: Iterable[str]) -> None:
        rows = [self.model(**dict(zip(self.names, self.decode(line), strict=True))) for line in lines]
        self.model._base_manager.using(alias).bulk_create(rows, batch_size=BATCH_ROWS)

    @property
    def is_numbered(self) -> bool:
        """Whether rows are ordered alike by every database."""
        return _kind(self.model._meta.pk) not in ("CharField", "TextField", "UUIDField")

    @property
    def points_at_itself(self) -> bool:
        return any(each.related_model is self.model for each in self.model._meta.concrete_fields)


def all_tables(registry: Any) -> list[Table]:
    """Of an app registry (the program's, or that of a state of migrations): a table after those that it points at."""
    left = {
        model
        for model in registry.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and model._meta.app_label not in SKIPPED_APPS
    }
    ordered: list[Table] = []
    while left:
        ready = sorted((model for model in left if not _parents(model) & left), key=lambda model: model._meta.label)
        if not ready:
            raise OperationRefused(f"Tables point at each other in a circle: {sorted(m._meta.label for m in left)}")
        ordered += [_table(model) for model in ready]
        left -= set(ready)
    return ordered


def keep_times(tables: Iterable[Table]) -> None:
    """Let rows keep their own times when they are inserted; only for models of a state of migrations."""
    for table in tables:
        for each in table.model._meta.concrete_fields:
            if isinstance(each, models.DateField | models.TimeField):
                each.auto_now = each.auto_now_add = False


def clear(tables: Sequence[Table], alias: str) -> None:
    """Delete what migrations put there."""
    with transaction.atomic(using=alias):
        for table in reversed(tables):
            table.model._base_manager.using(alias)._raw_delete(alias)


def set_counters(tables: Iterable[Table], alias: str) -> None:
    """New rows get numbers beyond the copied ones."""
    connection = connections[alias]
    statements = connection.ops.sequence_reset_sql(no_style(), [table.model for table in tables])
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def in_batches(lines: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(lines)
    while batch := list(islice(iterator, BATCH_ROWS)):
        yield batch


def _table(model: type[models.Model]) -> Table:
    fields = sorted(model._meta.concrete_fields, key=lambda each: each.attname)  # migrations know another order
    return Table(
        model=model,
        label=model._meta.label,
        names=tuple(each.attname for each in fields),
        kinds=tuple(_kind(each) for each in fields),
    )


def _kind(each: Any) -> str:
    while each.remote_field:
        each = each.target_field
    return str(each.get_internal_type())


def _parents(model: type[models.Model]) -> set[Any]:
    return {each.related_model for each in model._meta.concrete_fields if each.related_model} - {model}
