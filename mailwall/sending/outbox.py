"""Which accounts have something due in the outbox: cheap indexed queries, asked every few seconds by every worker."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Count, Q

from mailwall.sending import attempts, rules
from mailwall.sending.errors import SenderRests, SendingError, SendingInactive
from mailwall.sending.models import CopyState, Outgoing, OutgoingState

MAILS_A_TASK = 25
TASKS_AN_ACCOUNT = 4  # as many connections to one server at once


def accounts_to_deliver(now: datetime) -> list[int]:
    """Accounts with mails that are due; one with many stands there several times, for several workers."""
    due = Outgoing.objects.due(now).filter(account__sending_error="").order_by()
    due = due.exclude(sender__is_active=False, error_msgid=SenderRests.MSGID)  # told already
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
    """Tell mails as failed that waited a day: the server refuses to sign in, or the sender rests; gives how many."""
    is_blocked = ~Q(account__sending_error="") | Q(sender__is_active=False)
    since = now - rules.GIVE_UP_AFTER
    late = Outgoing.objects.due(now).filter(is_blocked, queued_at__lt=since)
    given_up = 0
    for account_id in list(late.order_by().values_list("account_id", flat=True).distinct()):
        rows = attempts.claim(account_id, now)
        attempts.release(row for row in rows if row.queued_at >= since)
        for row in (row for row in rows if row.queued_at < since):
            attempts.failed(row, _obstacle(row))
            given_up += 1
    return given_up


def _obstacle(row: Outgoing) -> SendingError:
    if not row.account.sending_error:
        return SenderRests(SenderRests.MSGID_TOO_LONG)
    params = {"address": row.account.address, "reason": row.account.sending_error}
    return SendingInactive(SendingInactive.MSGID_REFUSED, params)
