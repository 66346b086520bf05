"""What the database of the installation under test costs and holds; to be used inside the installation."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.db import connection

_TICKS = os.sysconf("SC_CLK_TCK")


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


def tree_cpu_seconds(pid: int) -> float:
    """Of a process, its children that live and those that were waited for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = _cpu_seconds(pid, reaped=True)
    for child in children:
        try:
            total += _cpu_seconds(int(child), reaped=True)
        except FileNotFoundError:
            continue  # it ended meanwhile and is counted with its parent next time
    return total


def _cpu_seconds(pid: int, *, reaped: bool) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICKS


def size_bytes() -> int:
    """All tables and indexes; on SQLite the file without its journal."""
    if is_postgresql():
        [(size,)] = rows("SELECT pg_database_size(current_database())")
        return int(str(size))
    return Path(str(settings.DATABASES["default"]["NAME"])).stat().st_size


def rss_mb(pid: int | str = "self") -> float:
    """Memory of its own, without pages of files that it only looks at (SQLite maps its database)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024
