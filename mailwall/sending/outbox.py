"""Which accounts have something due in the outbox: cheap indexed queries, asked every few seconds by every worker."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Q

from mailwall.sending import attempts, rules
from mailwall.sending.errors import SendingInactive
from mailwall.sending.models import CopyState, Outgoing, OutgoingState

MAILS_A_TASK = 25
TASKS_AN_ACCOUNT = 4  # as many connections to one server at once


def accounts_to_deliver(now: datetime) -> list[int]:
    """Accounts with mails that are due; one with many stands there several times, for several workers."""
    due = Outgoing.objects.due(now).filter(account__sending_error="").order_by()
    counted = due.values_list("account_id").annotate(Count("pk"))
    return [pk for pk, count in counted for _ in range(min(TASKS_AN_ACCOUNT, 1 + count // MAILS_A_TASK))]


def accounts_to_file(now: datetime) -> list[int]:
    """Accounts in whose Sent folder something is to be filed or looked for."""
    sought = Q(state=OutgoingState.SENDING, look_at__lte=now)
    wanted = Q(copy_state=CopyState.WANTED, copy_at__lte=now)
    found = {
        pk
        for due in (sought, wanted)  # one by one: each has its index
        for pk in Outgoing.objects.filter(due).order_by().values_list("account_id", flat=True).distinct()
    }
    return sorted(found)


def give_up_blocked(now: datetime) -> int:
    """Tell mails as failed that waited a day for a server which refuses to sign in; gives how many."""
    late = Outgoing.objects.due(now).filter(queued_at__lt=now - rules.GIVE_UP_AFTER).exclude(account__sending_error="")
    given_up = 0
    for account_id in list(late.order_by().values_list("account_id", flat=True).distinct()):
        for row in attempts.claim(account_id, now):
            params = {"address": row.account.address, "reason": row.account.sending_error}
            attempts.failed(row, SendingInactive(SendingInactive.MSGID_REFUSED, params))
            given_up += 1
    return given_up
