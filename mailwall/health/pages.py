"""What the page System status shows, in the reader's language and time zone."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import DatabaseError
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.utils.translation import pgettext as _p

from mailwall.email_accounts.models import State
from mailwall.health import charts, checks, queries, rules, tallies

HOURS = 24
OVERDUE_SHOWN = 20
#: without those that open every password or call every mail host: they are the command line's
CHECKED = (
    checks.database, checks.task_queue, checks.running_workers, checks.accounts_in_time, checks.own_clock, checks.disk,
)  # fmt: skip


def system_page(now: datetime) -> dict[str, Any]:
    findings = [finding for check in CHECKED for finding in check()]
    context = {"findings": findings, "problems": [finding for finding in findings if finding.problem]}
    try:
        return context | _figures(now)
    except DatabaseError:  # the findings say so
        return context


def _figures(now: datetime) -> dict[str, Any]:
    fleet = queries.fleet(now)
    messages = [(_hour(hour), number) for hour, number in tallies.by_hour(tallies.MESSAGES, HOURS, now)]
    return {
        "fleet": fleet,
        "states": [(label, fleet.states[state]) for state, label in State.choices],
        "lag_chart": charts.bar_chart(list(zip(_lag_labels(), fleet.by_lag, strict=True))),
        "message_chart": charts.bar_chart(messages),
        "overdue": queries.overdue_accounts(now, OVERDUE_SHOWN),
        "errors": _errors(now),
        "sending": _sending(now),
        "depths": _depths(),
        "taken_over": sum(tallies.lately(tallies.TAKEN_OVER, HOURS, now).values()),
        "workers": queries.workers(now),
    }


def _lag_labels() -> list[str]:
    """Up to which age, in words."""
    labels = []
    for seconds in rules.LAG_SECONDS:
        minutes, hours = seconds // 60, seconds // 3600
        if hours:
            labels.append(ngettext("to %(number)d h", "to %(number)d h", hours) % {"number": hours})
        else:
            labels.append(ngettext("to %(number)d min", "to %(number)d min", minutes) % {"number": minutes})
    return [*labels, _("longer")]


def _hour(moment: datetime) -> str:
    return formats.date_format(timezone.localtime(moment), "H:i")


def _errors(now: datetime) -> list[dict[str, Any]]:
    stages = {
        "name": _("finding the server"),
        "connect": _("connecting"),
        "encryption": _("encryption"),
        "greeting": _("greeting"),
        "sign_in": _("signing in"),
        "read": _("reading"),
        "key": _("opening the password"),
    }
    rows = []
    for key, number in sorted(tallies.lately(tallies.IMAP_ERROR, HOURS, now).items(), key=lambda row: -row[1]):
        stage, _space, code = key.partition(" ")
        rows.append({"stage": stages.get(stage, _p("stage", "other")), "code": code, "number": number})
    return rows


def _depths() -> list[tuple[str, int | str]]:
    labels = {"fast": _("Tasks that people wait for"), "bulk": _("Other tasks")}
    depths = queries.queue_depths()
    return [(label, _("no answer") if (depth := depths[name]) is None else depth) for name, label in labels.items()]


def _sending(now: datetime) -> list[tuple[str, int]]:
    waiting = queries.outgoing_waiting()
    lately = tallies.lately(tallies.OUTGOING, HOURS, now)
    return [
        (_("Waiting or queued"), waiting["held"] + waiting["queued"]),
        (_("On their way now"), waiting["sending"]),
        (_("Unknown whether they were sent"), waiting["needs_review"]),
        (_("Sent in the last 24 hours"), lately.get("sent", 0)),
        (_("Not delivered in the last 24 hours"), lately.get("failed", 0) + lately.get("bounced", 0)),
    ]
