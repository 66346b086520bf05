"""`mailwall sync [ACCOUNT_ID …] [--json]`: synchronise now, in the foreground. Exit status 1 if any failed."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from dataclasses import asdict, replace
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import services
from mailwall.sync.services import SyncOutcome

BUSY_WAIT_SECONDS = 150.0  # a killed worker's lease ends within it


class Command(BaseCommand):
    help = "Synchronise email accounts now: those given, or all that are not deactivated."
    requires_system_checks = ()  # they load every page

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account_id", nargs="*", type=int)
        parser.add_argument("--json", action="store_true", help="one JSON document instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted: list[int] = options["account_id"]
        accounts = EmailAccount.objects.connected().order_by("pk")
        accounts = accounts.filter(pk__in=wanted) if wanted else accounts.connecting().exclude(state=State.DEACTIVATED)
        ids = list(accounts.values_list("pk", flat=True))
        missing = sorted(set(wanted) - set(ids))
        if missing:
            raise CommandError(f"No such email account: {', '.join(map(str, missing))}")
        outcomes = []
        for account_id in ids:
            outcomes.append(_to_the_end(account_id))
            if not options["json"]:
                self.stdout.write(_line(outcomes[-1]))
        if options["json"]:
            self.stdout.write(json.dumps({"accounts": [_shape(outcome) for outcome in outcomes]}))
        if any(outcome.state != "done" for outcome in outcomes):
            raise SystemExit(1)


def _to_the_end(account_id: int) -> SyncOutcome:
    """Turn after turn until nothing is left; waits while another worker has the account."""
    new = assigned = 0
    give_up_at = time.monotonic() + BUSY_WAIT_SECONDS
    while True:
        outcome = services.sync_account(account_id)
        new, assigned = new + outcome.new, assigned + outcome.assigned
        if outcome.state == "busy" and time.monotonic() < give_up_at:
            time.sleep(0.5)
        elif not outcome.more:
            return replace(outcome, new=new, assigned=assigned)


def _line(outcome: SyncOutcome) -> str:
    if outcome.state == "done":
        return f"account {outcome.account_id}: {outcome.new} new, {outcome.assigned} assigned"
    return f"account {outcome.account_id}: {outcome.state}: {outcome.error_message or outcome.state}"


def _shape(outcome: SyncOutcome) -> dict[str, object]:
    shape = asdict(outcome)
    shape["id"] = shape.pop("account_id")
    del shape["more"], shape["host"]
    code, message = shape.pop("error_code"), shape.pop("error_message")
    shape["error"] = {"code": code, "message": message} if code else None
    return shape
