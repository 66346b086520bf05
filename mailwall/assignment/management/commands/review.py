"""`mailwall review`: re-reviews unassigned messages now."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from mailwall.assignment import services
from mailwall.assignment.models import Review


class Command(BaseCommand):
    help = "Review all unassigned messages now and link those that match a contact."
    requires_system_checks = ()  # they load every page

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print {reviewed, assigned}")

    def handle(self, *args: Any, **options: Any) -> None:
        review = services.review_unassigned(trigger=Review.Trigger.MANUAL)
        if options["json"]:
            self.stdout.write(json.dumps({"reviewed": review.reviewed, "assigned": review.assigned}))
        else:
            self.stdout.write(f"Reviewed {review.reviewed} unassigned messages, assigned {review.assigned}.")
