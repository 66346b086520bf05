"""Which tables a database has: by the migrations that made it."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from mailwall.operations.errors import OperationRefused

Node = tuple[str, str]


def newest(alias: str) -> list[Node]:
    """The last migrations of a database that is up to date.

    :raises OperationRefused: it is not, or it is empty.
    """
    executor = MigrationExecutor(connections[alias])
    leaves = executor.loader.graph.leaf_nodes()
    if executor.migration_plan(leaves):
        raise OperationRefused("This database is not up to date. Run: mailwall migrate")
    return sorted(leaves)


def build(nodes: list[Node]) -> Any:
    """Make the tables as these migrations leave them in the empty database in use; gives the registry of their models.

    :raises OperationRefused: this Mailwall does not know all of them.
    """
    executor = MigrationExecutor(connections["default"])
    unknown = [f"{app}.{name}" for app, name in nodes if (app, name) not in executor.loader.graph.nodes]
    if unknown:
        raise OperationRefused(f"The data is of a newer Mailwall, or of another one (unknown: {', '.join(unknown)}).")
    executor.migrate(nodes)
    return registry(nodes)


def registry(nodes: list[Node]) -> Any:
    """Models as these migrations leave them: to write with, whatever the program's models say today."""
    return MigrationExecutor(connections["default"]).loader.project_state(nodes).apps


def bring_up_to_date() -> None:
    """The rest of the migrations."""
    call_command("migrate", interactive=False, verbosity=0)
