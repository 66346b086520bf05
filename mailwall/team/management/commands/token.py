"""`mailwall token create EMAIL`: an API token, alone on standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from mailwall.team import rules, services
from mailwall.team.errors import TeamRefused
from mailwall.team.models import User


class Command(BaseCommand):
    help = "Make an API token; it is shown this once."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a token for a user")
        create.add_argument("email")
        create.add_argument("--name", default="command line")
        create.add_argument("--scopes", nargs="+", help=f"of: {', '.join(rules.SCOPES)} (default: all)", default=[])

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = User.objects.filter(email=options["email"].strip().lower(), is_active=True).first()
            if user is None:
                raise CommandError(f"There is no active user {options['email']}.")
            scopes = [scope for item in options["scopes"] for scope in item.replace(",", " ").split()]
            self.stdout.write(services.create_token(user, name=options["name"][:200], scopes=scopes))
        except TeamRefused as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer as it should: {error}. Run `mailwall migrate`."
            ) from error
