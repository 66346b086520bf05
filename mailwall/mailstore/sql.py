"""The few places where SQLite and PostgreSQL want other words: lists as one parameter, many rows at once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection, models


def one_of(column: str) -> str:
    """Condition "column is in the list"; its one parameter is made by `values_of`. No limit on the list's length."""
    if connection.vendor == "postgresql":
        return f"{column} = ANY(%s)"
    return f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608 -- a column of ours


def values_of(values: Iterable[int | str]) -> Any:
    """The list as the parameter of `one_of`."""
    listed = list(values)
    return listed if connection.vendor == "postgresql" else json.dumps(listed)


@models.ForeignKey.register_lookup  # a relation asks its own list of look-ups alone
@models.Field.register_lookup
class OneOf(models.Lookup):  # type: ignore[type-arg]  # not subscriptable at run time
    """`filter(id__one_of=ids)`: as `__in`, with the list as one parameter, so it may have any length."""

    lookup_name = "one_of"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        return one_of(column), (*params, values_of(self.rhs))


def fixed_join() -> str:
    """An inner join whose left side comes first. SQLite takes CROSS JOIN as an order; PostgreSQL knows statistics."""
    return "JOIN" if connection.vendor == "postgresql" else "CROSS JOIN"


EACH = "\0each"  # no text in the database holds a NUL


def for_each(statement: str, parameters: Sequence[Any], values: Sequence[str]) -> list[tuple[Any, ...]]:
    """Ask once for each of the values, which EACH stands for among the parameters: (value, *columns) of all, in one go.

    PostgreSQL plans the statement once (LATERAL), SQLite gets it as often as there are values.
    """
    if not values:
        return []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            pieces = statement.split("%s")
            marks = ["each.value" if value == EACH else "%s" for value in parameters]
            asked = "".join(piece + mark for piece, mark in zip(pieces, [*marks, ""], strict=True))
            given = [list(values), *(value for value in parameters if value != EACH)]
            lateral = f"SELECT each.value, found.* FROM unnest(%s::text[]) each(value), LATERAL ({asked}) found"  # noqa: S608
            cursor.execute(lateral, given)
        else:
            each = [(value, *(value if given == EACH else given for given in parameters)) for value in values]
            once = f"SELECT %s, found.* FROM ({statement}) AS found"  # noqa: S608
            cursor.execute(" UNION ALL ".join([once] * len(each)), [value for row in each for value in row])
        return cursor.fetchall()


def insert_rows(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, conflict: str = ""
) -> None:
    """Insert many rows in one go: executemany on SQLite, unnest on PostgreSQL; four times faster than bulk_create.

    columns: names of fields as the database has them. Values are converted by their fields. conflict: for example
    'ON CONFLICT DO NOTHING'.
    """
    if not rows:
        return
    fields = [next(f for f in model._meta.concrete_fields if f.column == column) for column in columns]
    table, names = model._meta.db_table, ", ".join(f'"{column}"' for column in columns)
    prepared = [_prepared(field, [row[index] for row in rows]) for index, field in enumerate(fields)]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_type_of(field)}[]" for field in fields)
            cursor.execute(f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) {conflict}", prepared)  # noqa: S608
        else:
            marks = ", ".join(["%s"] * len(fields))
            statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}"  # noqa: S608
            cursor.executemany(statement, list(zip(*prepared, strict=True)))


def update_rows(
    model: type[models.Model], columns: Sequence[str], rows: Sequence[Sequence[Any]], *, where: str = "TRUE"
) -> None:
    """Give many rows values of their own in one go; twenty times faster than bulk_update.

    rows: the primary key, then a value for each column. where: a further condition on the row as it is now.
    """
    if not rows:
        return
    key = model._meta.pk
    fields = [key, *(next(f for f in model._meta.concrete_fields if f.column == column) for column in columns)]
    prepared = [_prepared(field, [row[index] for row in rows]) for index, field in enumerate(fields)]
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            arrays = ", ".join(f"%s::{_type_of(field)}[]" for field in fields)
            names = ", ".join(f'"{field.column}"' for field in fields)
            values = ", ".join(f'"{column}" = v."{column}"' for column in columns)
            own = f'{table}."{key.column}" = v."{key.column}"'
            cursor.execute(
                f"UPDATE {table} SET {values} FROM unnest({arrays}) AS v({names}) WHERE {own} AND {where}",  # noqa: S608
                prepared,
            )
        else:
            values = ", ".join(f'"{column}" = %s' for column in columns)
            statement = f'UPDATE {table} SET {values} WHERE "{key.column}" = %s AND {where}'  # noqa: S608
            cursor.executemany(statement, [(*row[1:], row[0]) for row in zip(*prepared, strict=True)])


def look_anew(*models_: type[models.Model]) -> None:
    """Have PostgreSQL count what is in these tables now: what it planned for a few rows it would do for many, in each
    foreign key's check, until autovacuum comes by. SQLite's joins are fixed."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ANALYZE {', '.join(model._meta.db_table for model in models_)}")


def lock_rows(model: type[models.Model], column: str, values: Iterable[int | str], *, how: str) -> None:
    """Hold the rows with these values until the commit, in the order of their ids, so that no two wait for each other.

    how: FOR UPDATE, which waits for checks of foreign keys too, or FOR NO KEY UPDATE. SQLite has one writer at a time.
    """
    if connection.vendor == "postgresql":
        rows = f"SELECT 1 FROM {model._meta.db_table} WHERE {one_of(column)} ORDER BY id {how}"  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT COUNT(*) FROM ({rows}) AS held", [values_of(values)])  # noqa: S608


def check_at_once(model: type[models.Model], target: type[models.Model]) -> None:
    """Each statement of this transaction checks the foreign keys of its rows from `model` to `target`, not the commit.

    On PostgreSQL the check also holds the rows pointed to (FOR KEY SHARE), in the order of writing. SQLite has one
    writer at a time.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT string_agg(quote_ident(conname), ', ') FROM pg_constraint "
                "WHERE contype = 'f' AND conrelid = %s::regclass AND confrelid = %s::regclass",
                [model._meta.db_table, target._meta.db_table],
            )
            [names] = cursor.fetchone()
            cursor.execute(f"SET CONSTRAINTS {names} IMMEDIATE")


def _prepared(field: models.Field[Any, Any], values: list[Any]) -> list[Any]:
    if isinstance(field, models.JSONField):
        return [json.dumps(value) for value in values]
    if isinstance(field, models.DateTimeField):
        return [connection.ops.adapt_datetimefield_value(value) for value in values]
    return values


def _type_of(field: models.Field[Any, Any]) -> str:
    target = field.target_field if isinstance(field, models.ForeignKey) else field
    return str(target.rel_db_type(connection) if isinstance(field, models.ForeignKey) else field.db_type(connection))
