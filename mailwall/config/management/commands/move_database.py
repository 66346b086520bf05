"""`mailwall move-database --to postgres://…`: from SQLite to PostgreSQL (or back), verified row by row."""

from __future__ import annotations

import copy
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from mailwall.config.settings import database_from
from mailwall.operations import moving, running
from mailwall.operations.errors import OperationRefused


class Command(BaseCommand):
    help = "Copy all data into another, empty database. Mailwall must not run; again after an interruption."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        where = "postgres://user:password@host:port/name, or sqlite for the file in the data folder"
        parser.add_argument("--from", dest="source", default="", help=f"{where}; by default the database in use")
        parser.add_argument("--to", dest="target", required=True, help=where)

    def handle(self, *args: Any, **options: Any) -> None:
        running.hold_alone()
        marker = Path(settings.DATA_DIR) / "move-database.unfinished"
        wanted = moving.Move(source=_known(options["source"]), target=_known(options["target"]), marker=marker)
        try:
            total = moving.move(wanted, tell=self.stdout.write)
        except OperationRefused as error:
            raise CommandError(error.message) from error
        except (OSError, DatabaseError) as error:
            raise CommandError(f"Interrupted, run the same again: {error}") from error
        self.stdout.write(f"{total.rows} rows are in the new database, each compared with the old one.")
        self.stdout.write(
            "Now set MAILWALL_DATABASE_URL to it on every machine (for SQLite: remove it), then start Mailwall."
        )


def _known(url: str) -> dict[str, Any]:
    """Settings of a database, with all that Django adds to those in use."""
    base = copy.deepcopy(dict(connection.settings_dict))
    if not url:
        base["OPTIONS"].pop("pool", None)
        return base
    named = database_from("" if url == "sqlite" else url, Path(settings.DATA_DIR))
    blank = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": ""}
    known = {**base, **blank, **named}
    known["OPTIONS"].pop("pool", None)
    return known
