"""What the database of the installation under test costs and holds; to be used inside the installation."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import connection

from benchmarks.measure import tree_cpu_seconds


def rows(statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


def server_cpu_seconds() -> float:
    """Of PostgreSQL with all its processes, also those that ended; 0 on SQLite, whose work is our own process's."""
    if not is_postgresql():
        return 0.0
    [(lines,)] = rows("SELECT pg_read_file('postmaster.pid')")
    return tree_cpu_seconds(int(str(lines).split()[0]))


def size_bytes() -> int:
    """All tables and indexes; on SQLite the file without its journal."""
    if is_postgresql():
        [(size,)] = rows("SELECT pg_database_size(current_database())")
        return int(str(size))
    return Path(str(settings.DATABASES["default"]["NAME"])).stat().st_size
