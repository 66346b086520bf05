"""`mailwall backup FILE`: all data in one encrypted file, while Mailwall goes on working."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from mailwall.operations import asking, backup
from mailwall.operations.errors import OperationRefused


class Command(BaseCommand):
    help = "Write all data to one encrypted file. Keep secret.key of the data folder too, elsewhere."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        asking.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = asking.lock_from(options["passphrase_file"], options["key_file"], twice=True)
            copied = backup.write_backup(options["file"], lock)
        except OperationRefused as error:
            raise CommandError(error.message) from error
        except (OSError, DatabaseError) as error:
            raise CommandError(f"The backup was not made: {error}") from error
        self.stdout.write(f"{options['file']}: {copied.rows} rows of {copied.tables} tables, verified.")
        self.stdout.write(
            "Passwords of accounts are in it sealed: keep secret.key (and sealing.keys) elsewhere as well."
        )
