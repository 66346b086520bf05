"""Other databases than the one in use: a snapshot to read from, a fresh one beside it, and how they change places."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from mailwall.operations.errors import OperationRefused

LEAVING_SECONDS = 3.0
FRESH_SCHEMA = "mailwall_restoring"


def is_sqlite() -> bool:
    return connection.vendor == "sqlite"


@contextlib.contextmanager
def snapshot() -> Iterator[str]:
    """An alias that sees the database as it is at this moment for as long as it is open; writers are not held up."""
    known = _copied()
    if is_sqlite():
        known["OPTIONS"]["transaction_mode"] = "DEFERRED"  # a reader's transaction: in WAL it sees one moment
    with alias("snapshot", known) as name, transaction.atomic(using=name):
        with connections[name].cursor() as cursor:
            if not is_sqlite():
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            cursor.execute("SELECT count(*) FROM django_migrations")  # the moment is that of the first read
        yield name


@contextlib.contextmanager
def fresh() -> Iterator[None]:
    """Everything that asks the database meanwhile, migrations too, gets an empty new one beside the old one.

    Leaves it there when the block ends well; take_place() makes it the installation's.
    """
    forget_fresh()
    if is_sqlite():
        known = {**_copied(), "NAME": _fresh_file()}
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE SCHEMA {FRESH_SCHEMA}")
        known = _copied()
        known["OPTIONS"]["options"] = f"-c search_path={FRESH_SCHEMA}"
    with pointed_at(known):
        yield


def take_place() -> str:
    """Let the fresh database change places with the old one, at once or not at all; gives where the old one is."""
    stamp = f"{datetime.now(UTC):%Y%m%d_%H%M%S}"
    return _swap_files(stamp) if is_sqlite() else _swap_schemas(f"before_restore_{stamp}")


def forget_fresh() -> None:
    """Remove what an interrupted restore left."""
    if is_sqlite():
        for ending in ("", "-wal", "-shm", "-journal"):
            Path(f"{_fresh_file()}{ending}").unlink(missing_ok=True)
        return
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {FRESH_SCHEMA} CASCADE")


def refuse_strangers() -> None:
    """On PostgreSQL: nobody else may be connected while the database is changed whole.

    The server takes a moment to forget who has just left, and its own workers (autovacuum) do not count.

    :raises OperationRefused: with how many there are.
    """
    if is_sqlite():
        return
    deadline = time.monotonic() + LEAVING_SECONDS
    while others := _other_clients():
        if time.monotonic() > deadline:
            raise OperationRefused(
                f"{others} other connections to this database are open. Stop Mailwall on every machine, then try again."
            )
        time.sleep(0.1)


def _other_clients() -> int:
    """Counted over a connection of its own: our pool may hold more than one, and is no stranger."""
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    with connection.Database.connect(**connection.get_connection_params()) as asking:  # type: ignore[attr-defined]
        row = asking.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(row[0])


@contextlib.contextmanager
def pointed_at(known: dict[str, Any]) -> Iterator[None]:
    """Let the connection that all code uses be another database's for a while."""
    before = connections.databases[DEFAULT_DB_ALIAS]
    _replace_connection(known)
    try:
        yield
    finally:
        _replace_connection(before)


@contextlib.contextmanager
def alias(name: str, known: dict[str, Any]) -> Iterator[str]:
    """Another database under a name of Django's, as long as the block lasts."""
    connections.databases[name] = {**connection.settings_dict, **known}
    try:
        yield name
    finally:
        connections[name].close()
        if connections[name].vendor == "postgresql":
            connections[name].close_pool()  # type: ignore[attr-defined]
        del connections[name]
        del connections.databases[name]


def _copied() -> dict[str, Any]:
    known = deepcopy(dict(connection.settings_dict))
    known["OPTIONS"].pop("pool", None)
    return known


def _replace_connection(known: dict[str, Any]) -> None:
    """A new one, for the engine may be another."""
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # type: ignore[attr-defined]
    connections.databases[DEFAULT_DB_ALIAS] = known
    del connections[DEFAULT_DB_ALIAS]


def _fresh_file() -> Path:
    return Path(f"{connection.settings_dict['NAME']}.restoring").resolve()


def _swap_files(stamp: str) -> str:
    path, new = Path(connection.settings_dict["NAME"]), _fresh_file()
    old = path.with_name(f"{path.name}.before-restore-{stamp}")
    connection.close()
    for file in (path, new):
        if file.exists() and not _is_alone(file):
            raise OperationRefused("Another program has the database open. Stop it, then try again.")
    if path.exists():
        old.hardlink_to(path)
    new.replace(path)
    return str(old) if old.exists() else "there was nothing"


def _is_alone(file: Path) -> bool:
    """Make the database one file that can be moved, which works for its only user; the next start turns it back."""
    with contextlib.closing(sqlite3.connect(file)) as each:
        each.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        [mode] = each.execute("PRAGMA journal_mode=DELETE").fetchone()
    return bool(mode == "delete")


def _swap_schemas(old: str) -> str:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        [current] = cursor.fetchone()
        cursor.execute(f'ALTER SCHEMA "{current}" RENAME TO {old}')
        cursor.execute(f'ALTER SCHEMA {FRESH_SCHEMA} RENAME TO "{current}"')
    return f"schema {old}"
