"""`mailwall rotate-key`: every stored password under a new key, the old one useless. Again after a crash."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailwall.email_accounts import resealing
from mailwall.web import secrets


class Command(BaseCommand):
    help = "Seal every stored password with a new key; afterwards the old key opens nothing."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--new-key-only", action="store_true", help="make the key and stop, to copy it elsewhere first"
        )
        parser.add_argument(
            "--force", action="store_true", help="also when some passwords do not open with any key here"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not secrets.is_rotating():
            secrets.add_key()
        if options["new_key_only"]:
            self.stdout.write(
                "The new key is in sealing.keys. Copy it to the data folder of every machine, then run again."
            )
            return
        while (resealed := resealing.reseal_all()).done:
            self.stdout.write(f"{resealed.done} passwords are under the new key.")
        if resealed.unreadable and not options["force"]:
            raise CommandError(
                f"{resealed.unreadable} passwords do not open with any key here; the old keys are kept. "
                "Bring back their key file and run this again, or give those passwords up with --force."
            )
        secrets.drop_old_keys()
        self.stdout.write(
            "Done: only the new key, in sealing.keys of the data folder, opens stored passwords. Keep a copy."
        )
