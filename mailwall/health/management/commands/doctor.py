"""`mailwall doctor`: is everything as it should be? One line per check, each with its remedy."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mailwall.health import checks
from mailwall.health.checks import Finding


class Command(BaseCommand):
    help = "Check database, queue, workers, tick, key, clock, disk and mail hosts."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-network", action="store_true", help="leave out the mail hosts")

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for check in checks.LOCAL + (() if options["no_network"] else checks.REMOTE):
            for finding in check():
                wrong += bool(finding.problem) and not finding.by_choice
                self.stdout.write(_line(finding))
        if wrong:
            raise SystemExit(1)


def _line(finding: Finding) -> str:
    if finding.problem:
        return f"✖ {finding.name}: {finding.problem} → {finding.remedy}"
    return f"✔ {finding.name}" + (f" ({finding.detail})" if finding.detail else "")
