"""`mailwall restore FILE`: all data as it was when the backup was made; on any failure all stays as it is."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from mailwall.email_accounts import resealing
from mailwall.operations import asking, restore, running
from mailwall.operations.errors import OperationRefused


class Command(BaseCommand):
    help = "Replace all data by a backup. Mailwall must not run; a failure changes nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        asking.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            lock = asking.lock_from(options["passphrase_file"], options["key_file"], twice=False)
            running.hold_alone()
            done = restore.restore(options["file"], lock)
        except OperationRefused as error:
            raise CommandError(f"{error.message} Nothing was changed.") from error
        except (OSError, DatabaseError) as error:
            raise CommandError(f"The backup was not restored, nothing was changed: {error}") from error
        self._tell(done)

    def _tell(self, done: restore.Restored) -> None:
        made_at = f"{done.copied.made_at:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(
            f"Restored and checked: {done.copied.rows} rows of {done.copied.tables} tables, as of {made_at}."
        )
        self.stdout.write(f"What was here before is kept: {done.restore_point}")
        if done.mails_to_review:
            self.stdout.write(
                f"{done.mails_to_review} mails may have left since: they wait in the Outbox for a decision."
            )
        if done.sequences_paused:
            self.stdout.write(f"{done.sequences_paused} sequences are paused, so that nobody gets a step twice.")
        if unreadable := resealing.count_unreadable():
            self.stdout.write(
                f"{unreadable} stored passwords do not open with the key of this data folder. Put back the secret.key "
                "(and sealing.keys) that belonged to this data; or their owners type the passwords again."
            )
