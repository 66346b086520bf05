"""What happened with an account: synchronisations, failures, older history, and who changed what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount, Visibility
from mailwall.sync import history, overview, queries
from mailwall.sync.models import SyncRun
from mailwall.team.models import AuditEntry, User

LIMIT = 60
ACTIONS = {
    "email_account.connected": gettext_lazy("Connected the account"),
    "email_account.reactivated": gettext_lazy("Reactivated the account"),
    "email_account.servers": gettext_lazy("Changed the servers or a password"),
    "email_account.visibility": gettext_lazy("Changed who sees the messages"),
    "email_account.dashboard": gettext_lazy("Changed whether messages are on the Dashboard"),
    "email_account.folders": gettext_lazy("Changed the folders that are read"),
    "message.thread_narrowed": gettext_lazy("Made a thread visible to themselves only"),
    "message.thread_widened": gettext_lazy("Made a thread as visible as the account again"),
    "message.removed": gettext_lazy("Removed a message from Mailwall"),
    "message.restored": gettext_lazy("Brought a removed message back"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """kind: 'run', 'failure', 'history' or 'change'. who: of a change, '' when they have left."""

    at: datetime
    kind: str
    text: str
    who: str = ""


def events(viewer: User, account: EmailAccount) -> list[Event]:
    """The newest events. Counts of messages only for those who see them, changes for the owner and administrators."""
    may_read = bool(account_queries.message_accounts(viewer, [account.pk]))
    found = list(_runs(account, may_read=may_read))
    if may_read:
        found += _histories(account)
    if viewer.pk == account.owner_id or viewer.is_admin:
        found += _changes(account)
    return sorted(found, key=lambda event: event.at, reverse=True)[:LIMIT]


def _runs(account: EmailAccount, *, may_read: bool) -> Iterator[Event]:
    for run in queries.last_runs(account, LIMIT):
        at = run.finished_at or run.requested_at
        if run.state == SyncRun.State.FAILED:
            yield Event(at=at, kind="failure", text=overview.run_error(run))
        elif run.state == SyncRun.State.DONE:
            new = ngettext("%(n)d new message", "%(n)d new messages", run.new) % {"n": run.new}
            yield Event(at=at, kind="run", text=new if may_read else _("Synchronized"))


def _histories(account: EmailAccount) -> Iterator[Event]:
    for asked in history.former(account):
        stored = ngettext("%(n)d older message, since %(day)s", "%(n)d older messages, since %(day)s", asked.stored)
        text = stored % {"n": asked.stored, "day": date_format(asked.since, "DATE_FORMAT")}
        yield Event(at=asked.finished_at or asked.created_at, kind="history", text=text)


def _changes(account: EmailAccount) -> Iterator[Event]:
    written = AuditEntry.objects.filter(target=f"email_account:{account.pk}", action__in=ACTIONS)
    for entry in written.select_related("actor").order_by("-id")[:LIMIT]:
        text = str(ACTIONS[entry.action])
        if entry.action == "email_account.visibility":
            text += f": {Visibility(entry.details['from']).label} → {Visibility(entry.details['to']).label}"
        elif "messages" in entry.details:
            number = entry.details["messages"]
            text += ": " + ngettext("%(n)d message", "%(n)d messages", number) % {"n": number}
        yield Event(at=entry.at, kind="change", text=text, who=str(entry.actor or ""))
