"""`mailwall demo load|clear`: sample people and mail beside, or instead of, one's own. `serve` is what `up` starts."""

from __future__ import annotations

import asyncio
import logging
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailwall.demo import server, services
from mailwall.demo.wording import people_lines


class Command(BaseCommand):
    help = "Load sample people with lively mail, or clear exactly what was loaded."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deed", choices=["load", "clear", "serve"])
        parser.add_argument("--force", action="store_true", help="load also where somebody works already")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['deed']}")(options)
        except services.DemoRefused as error:
            raise CommandError(error.message) from error

    def _load(self, options: dict[str, Any]) -> None:
        demo = services.load(into_other_data=options["force"])
        for line in people_lines(demo):
            self.stdout.write(line)
        self.stdout.write("Start Mailwall (again) to read their mail. To remove it all: mailwall demo clear")

    def _clear(self, options: dict[str, Any]) -> None:
        for name in services.clear():
            self.stdout.write(
                f"{name} owns things that were added later, so the user stays, without being able to sign in."
            )
        self.stdout.write("The demo is cleared. Start Mailwall again if it runs.")

    def _serve(self, options: dict[str, Any]) -> None:
        demo = services.loaded()
        if demo is None:
            raise CommandError("No demo is loaded here.")
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's, one line per command
        demo = services.find_ports(demo)
        asyncio.run(
            server.serve(
                services.mail_folder(), password=demo.mail_password, imap_port=demo.imap_port, smtp_port=demo.smtp_port
            )
        )
