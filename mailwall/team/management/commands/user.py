"""`mailwall user add|list|set-password`: users without a browser."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, transaction

from mailwall.team import queries, services
from mailwall.team.errors import TeamRefused
from mailwall.team.models import Role, Team, User


class Command(BaseCommand):
    help = "Add and list users, set passwords."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        add = actions.add_parser("add", help="add a user")
        add.add_argument("email")
        add.add_argument("--name", default="")
        add.add_argument("--role", choices=Role.values, default=Role.USER)
        add.add_argument("--team", default="", help="made when it does not exist; a manager is put in charge of it")
        add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
        actions.add_parser("list", help="list all users")
        password = actions.add_parser("set-password", help="give a user a new password; their sessions end")
        password.add_argument("email")
        password.add_argument("--password-stdin", action="store_true", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        doing = {"add": self.add, "list": self.list, "set-password": self.set_password}[options["action"]]
        try:
            doing(options)
        except TeamRefused as error:
            raise CommandError(error.message) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database does not answer as it should: {error}. Run `mailwall migrate`."
            ) from error

    def add(self, options: dict[str, Any]) -> None:
        password = _password() if options["password_stdin"] else ""
        fields = {"email": options["email"], "name": options["name"], "role": options["role"], "password": password}
        with transaction.atomic():
            team = _team(options["team"])
            user = services.create_user(None, team=team, **fields)
            if team and user.role == Role.MANAGER:
                services.update_team(None, team, managers=[*team.managers.all(), user])
        self.stdout.write(f"{user.email} can sign in." if password else f"{user.email} was added, without a password.")

    def list(self, options: dict[str, Any]) -> None:
        for user in queries.users():
            team = user.team.name if user.team else "-"
            state = "active" if user.is_active else "deactivated"
            self.stdout.write(f"{user.pk}\t{user.email}\t{user.name}\t{user.role}\t{team}\t{state}")

    def set_password(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(email=options["email"].strip().lower()).first()
        if user is None:
            raise CommandError(f"There is no user {options['email']}.")
        services.set_password(None, user, _password())
        self.stdout.write(f"{user.email} has a new password.")


def _password() -> str:
    """One line of standard input."""
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise CommandError("No password came in on standard input.")
    return password


def _team(name: str) -> Team | None:
    name = name.strip()
    if not name:
        return None
    return Team.objects.filter(name=name).first() or services.create_team(None, name=name)
