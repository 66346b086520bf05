"""Due steps run: look for new mail first, then decide, then send each by a claim that only one worker wins.

1. A turn: one worker per account, by conditional UPDATE, for a lease at most.
2. The account is synchronised; a reply that was on the server ends its enrolment in that transaction. When the server
   does not answer, the steps wait.
3. `planning` decides for all due enrolments at once what goes now.
4. Per step one transaction: claim (the row must still be as planned), note the run, write the mail into the outbox. A
   worker that dies before the commit has done nothing; after it the outbox goes on. So no step is sent twice.
5. What comes next is planned when the outbox tells that the mail has left, so that a second mail never overtakes it.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mime.types import Address
from mailwall.sending import hooks as sending_hooks
from mailwall.sending import services as sending_services
from mailwall.sending.errors import LetterInvalid, SendingInactive
from mailwall.sending.models import Outgoing
from mailwall.sequences import endings, letters, opens, planning, queries
from mailwall.sequences.models import (
    Enrolment,
    EnrolmentState,
    Outcome,
    SequenceQuerySet,
    SequenceState,
    StepKind,
    StepRun,
    Task,
    Turn,
)
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.planning import Ready
from mailwall.sequences.timing import Backlog
from mailwall.smtp.errors import SmtpReceiversRefused
from mailwall.sync import services as sync_services

logger = logging.getLogger(__name__)

WORK_SECONDS = 40.0  # then the mail is looked at again, in another turn
SYNC_SECONDS = 20.0


def accounts_due(now: datetime) -> list[int]:
    """Accounts that have due steps and can send now; one probe of an index per running sequence."""
    if not queries.are_on():
        return []
    waiting = (EnrolmentState.ACTIVE, EnrolmentState.HELD)
    due = Enrolment.objects.filter(state__in=waiting, sequence=OuterRef("pk"), next_run_at__lte=now)
    taken = Turn.objects.filter(account=OuterRef("account"), until__gt=now)
    rows = _can_work(SequenceRow.objects.running(), now).filter(Exists(due)).exclude(Exists(taken))
    return list(rows.order_by("account").values_list("account", flat=True).distinct())


def _can_work(rows: SequenceQuerySet, now: datetime) -> SequenceQuerySet:
    """Sequences whose account sends, and whose server is not known to be in trouble until its next try is due."""
    healthy = Q(account__failed_attempts=0) | Q(account__next_sync_at__lte=now)
    return rows.filter(
        healthy,
        account__removed_at__isnull=True,
        account__state=State.ACTIVE,
        account__sending_active=True,
        account__sending_error="",
        account__owner=F("owner"),
    ).exclude(account__smtp_host="")


def end_orphans() -> int:
    """Stop who is on the way in a sequence whose account is gone; gives how many."""
    gone = Q(sequence__account__isnull=True) | Q(sequence__account__removed_at__isnull=False)
    rows = Enrolment.objects.filter(gone, state__in=(EnrolmentState.ACTIVE, EnrolmentState.HELD))
    ids = list(rows.exclude(sequence__state=SequenceState.DRAFT).values_list("pk", flat=True)[:500])
    with transaction.atomic():
        return len(endings.end(ids, state=EnrolmentState.STOPPED, reason="account_gone", only_open=True))


def run_due(account_id: int, wake: Callable[[Outgoing], None] = lambda outgoing: None) -> int:
    """Run the due steps of an account; gives how many ran. wake: called after the commit with each mail.

    May be called by any number of workers at once. Not inside a transaction.
    """
    token = _take_turn(account_id)
    if token is None:
        return 0
    try:
        return take_steps(account_id, wake) if _is_up_to_date(account_id) else 0
    finally:
        Turn.objects.filter(pk=account_id, token=token).update(until=timezone.now())


def _take_turn(account_id: int) -> str | None:
    now, token = timezone.now(), secrets.token_hex(16)
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    if Turn.objects.filter(pk=account_id, until__lte=now).update(until=until, token=token):
        return token
    if Turn.objects.filter(pk=account_id).exists() or not EmailAccount.objects.filter(pk=account_id).exists():
        return None
    try:
        with transaction.atomic():
            Turn.objects.create(pk=account_id, until=until, token=token)
    except IntegrityError:  # another worker was first
        return None
    return token


def _is_up_to_date(account_id: int) -> bool:
    """Whether all mail that was on the server a moment ago has been judged."""
    outcome = sync_services.sync_account(account_id, seconds=SYNC_SECONDS)
    if outcome.state == "done" and not outcome.more:
        return True
    logger.info("steps wait for the mail server", extra={"account_id": account_id, "sync": outcome.state})
    return False


def take_steps(account_id: int, wake: Callable[[Outgoing], None] = lambda outgoing: None) -> int:
    """Run what is due, new mail having been looked at; gives how many steps ran."""
    end_by, ran = time.monotonic() + WORK_SECONDS, 0
    backlogs: dict[int, Backlog] = defaultdict(Backlog)
    while time.monotonic() < end_by:
        now = timezone.now()
        running = _can_work(SequenceRow.objects.running(), now).filter(account=account_id)
        ready, is_more = planning.plan(account_id, list(running), now, backlogs)
        for item in ready:
            try:
                ran += _run(account_id, item, wake)
            except SendingInactive:
                logger.info("steps wait: sending is off", extra={"account_id": account_id})
                return ran
            if time.monotonic() > end_by:
                return ran
        if not is_more:
            break
    return ran


def _run(account_id: int, ready: Ready, wake: Callable[[Outgoing], None]) -> int:
    """One step; 1 when it ran."""
    if ready.step.kind == StepKind.TASK:
        return _run_task(account_id, ready)
    try:
        outgoing = _send(account_id, ready)
    except LetterInvalid:
        _pause(ready, "not_sent")
        return 0
    if outgoing is None:
        return 0
    wake(outgoing)
    return 1


def _claim(ready: Ready, *, position: int, next_run_at: datetime | None, now: datetime) -> bool:
    """Whether the step is ours: the enrolment must still be what was planned."""
    row = ready.enrolment
    same = Enrolment.objects.filter(
        Exists(SequenceRow.objects.running().filter(pk=OuterRef("sequence"))),  # not a join: the row is judged anew
        pk=row.pk,
        state=EnrolmentState.ACTIVE,
        version=row.version,
        position=row.position,
        next_run_at=row.next_run_at,
    )
    return same.update(position=position, next_run_at=next_run_at, last_run_at=now, not_before=None, reason="") == 1


def _run_task(account_id: int, ready: Ready) -> int:
    now = timezone.now()
    position, next_run_at = planning.next_after(ready, now)
    row = ready.enrolment
    with transaction.atomic():
        if row.contact_id is None or not _claim(ready, position=position, next_run_at=next_run_at, now=now):
            return 0
        owner = SequenceRow.objects.values_list("owner_id", flat=True).get(pk=row.sequence_id)
        Task.objects.create(
            owner_id=owner,
            contact_id=row.contact_id,
            sequence_id=row.sequence_id,
            title=ready.step.title,
            created_at=now,
        )
        _note_run(account_id, ready, Outcome.DONE, now)
        if next_run_at is None:
            endings.finish([row.pk], now)
    return 1


def _send(account_id: int, ready: Ready) -> Outgoing | None:
    """Claim, write the mail into the outbox, note it: all or nothing. None: not ours any more, or it has to pause."""
    row, now = ready.enrolment, timezone.now()
    account = EmailAccount.objects.select_related("owner").get(pk=account_id)
    contacts = Contact.objects.select_related("company").prefetch_related("addresses")
    contact = contacts.filter(pk=row.contact_id or 0).first()
    if contact is None:
        return None
    answers, subject = letters.thread_of(row.pk, account_id) if ready.step.same_thread else (None, "")
    written = letters.write(ready.step, contact, account, thread_subject=subject)
    if written.missing:
        _pause(ready, "missing_field")
        return None
    receiver = Address(name=contact.name, address=row.address)
    pixel = opens.link_for(row.pk, ready.step.key) if opens.are_measured(row.sequence_id) else ""
    letter = letters.letter_of(written, receiver, account, enrolment_id=row.pk, answers=answers, pixel=pixel)
    position, _later = planning.next_after(ready, now)
    with transaction.atomic():
        if not _claim(ready, position=position, next_run_at=None, now=now):
            return None
        outgoing = sending_services.queue_outgoing(
            account.owner, letter, automatic=True, headers=letters.headers_for(row.pk)
        )
        mail = {"outgoing": outgoing, "message_id": outgoing.message_id_header, "has_pixel": bool(pixel)}
        _note_run(account_id, ready, Outcome.QUEUED, now, **mail)
    return outgoing


def _note_run(account_id: int, ready: Ready, outcome: str, now: datetime, **mail: Any) -> None:
    row = ready.enrolment
    StepRun.objects.create(
        enrolment=row, sequence_id=row.sequence_id, step_key=ready.step.key, kind=ready.step.kind,
        account_id=account_id, contact_id=row.contact_id, domain=planning.domain_of(row.address), outcome=outcome,
        ran_at=now, **mail,
    )  # fmt: skip


def _pause(ready: Ready, reason: str) -> None:
    rows = Enrolment.objects.filter(pk=ready.enrolment.pk, state=EnrolmentState.ACTIVE)
    rows.update(state=EnrolmentState.PAUSED, reason=reason)


# -- what became of a mail


def note_settled(outgoing_id: int, outcome: str) -> None:
    """Listener of sending.hooks, inside the transaction that settled the mail."""
    run = StepRun.objects.select_related("enrolment", "sequence").filter(outgoing=outgoing_id).first()
    if run is None:
        return
    StepRun.objects.filter(pk=run.pk).update(outcome=outcome)
    if outcome == sending_hooks.SENT:
        _go_on(run)
    elif outcome == sending_hooks.BOUNCED or _was_refused(run):
        same = Enrolment.objects.listening(timezone.now()).filter(address=run.enrolment.address)
        endings.end(same.values_list("pk", flat=True), state=EnrolmentState.BOUNCED, reason=_bounce_reason(outcome))
    else:
        reason = "cancelled" if outcome == sending_hooks.CANCELLED else "not_sent"
        Enrolment.objects.open().filter(pk=run.enrolment_id).update(state=EnrolmentState.PAUSED, reason=reason)


def _bounce_reason(outcome: str) -> str:
    return "hard_bounce" if outcome == sending_hooks.BOUNCED else "refused"


def _was_refused(run: StepRun) -> bool:
    """Whether the receiver's server said for good that there is no such mailbox."""
    return Outgoing.objects.filter(pk=run.outgoing_id or 0, error_code=SmtpReceiversRefused.code).exists()


def _go_on(run: StepRun) -> None:
    """The mail has left: plan what comes next from now."""
    row, now = run.enrolment, timezone.now()
    going = Enrolment.objects.filter(pk=row.pk)
    going.filter(state=EnrolmentState.PAUSED, reason="not_sent").update(state=EnrolmentState.ACTIVE, reason="")
    steps = queries.steps_of(run.sequence, row.version)
    if row.position >= len(steps):
        endings.finish([row.pk], now)
        return
    calendar = queries.calendar_of(run.sequence, row.contact_id)
    ready = Ready(enrolment=row, step=steps[row.position], steps=steps, calendar=calendar)
    run_at = planning.time_of(ready, now)
    if row.not_before:
        run_at = max(run_at, row.not_before)
    going.open().filter(next_run_at__isnull=True).update(next_run_at=run_at, last_run_at=now)
