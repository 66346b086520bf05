"""The straight line: server → messages on walls. `sync_account` walks it from top to bottom."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from mailwall.email_accounts import leases, places
from mailwall.email_accounts import services as account_services
from mailwall.email_accounts.errors import OwnerSwitchedOff
from mailwall.email_accounts.lines import Line
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.imap.errors import ImapUnreachable
from mailwall.imap.session import ImapSession
from mailwall.sync import backfill, runs
from mailwall.sync.batches import Work
from mailwall.sync.models import SyncRun
from mailwall.sync.passes import Pass
from mailwall.sync.runs import request_download
from mailwall.sync.turns import Turn
from mailwall.web import clock
from mailwall.web.run_ids import logged_as

__all__ = ["SyncOutcome", "request_download", "sync_account", "wait_for_run"]

logger = logging.getLogger(__name__)

SLICE_SECONDS = 30.0
SLICE_MESSAGES = 500
JOB_DEADLINE_SECONDS = 100.0  # of one connection; with the wait for its place less than a lease, renewed before each
PLACE_SECONDS = 2.0  # for a connection that others have; then later, so that a thread is free
PERSON_WAITS_SECONDS = 10.0
AGAIN_WITHIN = timedelta(seconds=5)
NEXT_SLICE_WITHIN = timedelta(seconds=30)  # when the task that continues got lost, the tick finds the account

_POLL_SECONDS = (0.05, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOutcome:
    """What a call of sync_account did. state: 'done', 'failed', 'busy' (another worker has the account), 'inactive'.

    more: the turn was over before the work; call again. more_history: only a backfill is left for the next turn. host:
    the mail host that was asked.
    new, assigned: messages of this call, without those of a backfill.
    """

    account_id: int
    state: str
    more: bool = False
    more_history: bool = False
    new: int = 0
    assigned: int = 0
    error_code: str = ""
    error_message: str = ""
    host: str = ""


@logged_as("sync")
def sync_account(
    account_id: int,
    *,
    seconds: float = SLICE_SECONDS,
    messages: int = SLICE_MESSAGES,
    others_wait: Callable[[], bool] = lambda: False,
    stopping: Callable[[], bool] = lambda: False,
) -> SyncOutcome:
    """Synchronise an account for one turn: new mail, then what failed, comparisons, the first import newest first.

    plan → fetch → parse → store → place → match → link; batches commit together with the cursor. May run twice, or be
    killed anywhere: nothing is lost or doubled. Server trouble is recorded with the account, never raised. Not inside
    a transaction. others_wait: asked after `messages`; stopping: the process is to end, asked between batches.
    """
    token = leases.take_lease(account_id)
    if token is None:
        return SyncOutcome(account_id=account_id, state="busy")
    account = EmailAccount.objects.select_related("owner").get(pk=account_id)
    if not account.owner.is_active or (account.state == State.DEACTIVATED and not account.only_network_errors):
        leases.release_lease(account_id, token)
        if not account.owner.is_active and runs.has_open(account_id):
            runs.fail(account_id, OwnerSwitchedOff(), started_at=clock.now())
        return SyncOutcome(account_id=account_id, state="inactive")
    work = Work(account=account, token=token)
    turn = Turn(seconds=seconds, messages=messages, others_wait=others_wait, stopping=stopping)
    started_at = clock.now()
    try:
        complete = _take_turn(work, turn)
        return _end_well(work, turn, started_at=started_at, complete=complete)
    except places.NoPlace:
        again_at = clock.now() + AGAIN_WITHIN if account.state == State.ACTIVE else None
        leases.release_lease(account_id, token, again_at)
        return SyncOutcome(account_id=account_id, state="busy", new=turn.counts.new, assigned=turn.counts.assigned)
    except leases.LeaseLost:
        logger.warning("lease was lost", extra={"account_id": account_id})
        return SyncOutcome(account_id=account_id, state="busy", new=turn.counts.new, assigned=turn.counts.assigned)
    except MailwallError as error:
        return _end_badly(work, turn, error, started_at=started_at)
    except BaseException:
        leases.release_lease(account_id, token)
        raise


def _take_turn(work: Work, turn: Turn) -> bool:
    """Pass until nobody waits: who asks during a pass must see what was there before the click. True: all done.

    Each pass begins with no folder open, for a server may tell old numbers of one that is (RFC 9051 §6.3.11).
    """
    turn.for_person = runs.has_open(work.account.pk)
    complete = _pass(work, turn, list_folders=turn.for_person or _must_list_folders(work.account))
    while complete and runs.has_waiting(work.account.pk) and not turn.is_over:
        turn.for_person = True
        complete = _pass(work, turn, list_folders=False)
    return complete


def _pass(work: Work, turn: Turn, *, list_folders: bool) -> bool:
    """Connect and pass once. What was cut while reading is done once more; a kept connection may have died before."""
    if turn.for_person:
        runs.begin_pass(work.account.pk)
    cut = anew = False
    while True:
        leases.fence(work.account.pk, work.token)  # each connection has a whole lease before it
        wait_seconds = PERSON_WAITS_SECONDS if turn.for_person else PLACE_SECONDS
        line = Line(
            account=work.account,
            job_seconds=JOB_DEADLINE_SECONDS,
            wait_seconds=wait_seconds,
            for_person=turn.for_person,
            anew=anew,
        )
        try:
            with line as session:
                complete = Pass(session, work, turn, now=clock.now()).run(list_folders=list_folders)
                turn.more_history = complete and _fetch_history(session, work, turn)
            return complete
        except MailwallError as error:
            error.stage = "read" if line.signed_in else ""
            anew = True
            if line.slept_too_long:
                continue
            if not line.signed_in or cut or not isinstance(error, ImapUnreachable):
                raise
            cut = True
            logger.info("connection was cut, one more try", extra={"account_id": work.account.pk})


def _fetch_history(session: ImapSession, work: Work, turn: Turn) -> bool:
    """A step of the backfill, while nobody waits; gives whether another can follow."""
    wanted = backfill.runnable(work.account.pk, clock.now())
    if wanted is None or turn.is_over or runs.has_open(work.account.pk):
        return wanted is not None
    return backfill.take_step(session, work, turn, wanted)


def _must_list_folders(account: EmailAccount) -> bool:
    """Once an hour, besides whenever somebody waits: a folder may have come, gone, or changed its name."""
    last = account.last_synchronized_at
    if last is None:
        return True
    return last.replace(minute=0, second=0, microsecond=0) != clock.now().replace(minute=0, second=0, microsecond=0)


def _end_well(work: Work, turn: Turn, *, started_at: datetime, complete: bool) -> SyncOutcome:
    """Note the success, answer who waits, give the account free: one transaction, ordered with request_download."""
    account_id, counts = work.account.pk, turn.counts
    now = clock.now()
    with transaction.atomic():
        leases.fence(account_id, work.token)
        asked_at = EmailAccount.objects.values_list("next_sync_at", flat=True).get(pk=account_id)
        unfinished = not complete or runs.has_waiting(account_id)
        next_sync_at = None
        if not unfinished or work.account.failed_attempts or work.account.state not in (State.ACTIVE, State.PAUSED):
            attempt = account_services.record_success(account_id, work.token, now, news=bool(counts.new))
            next_sync_at = attempt.next_sync_at if attempt is not None else None
        if unfinished or not turn.for_person:
            runs.note_scheduled(account_id, started_at=started_at, new=counts.new, assigned=counts.assigned)
        else:
            runs.finish(account_id, started_at=started_at, new=counts.new, assigned=counts.assigned)
        if work.account.state == State.ACTIVE:
            next_slice_at = now + NEXT_SLICE_WITHIN if unfinished or turn.more_history else None
            made_due = asked_at if asked_at != work.account.next_sync_at else None  # by news that came meanwhile
            next_sync_at = _soonest(next_sync_at, next_slice_at, backfill.resumes_at(account_id, now), made_due)
        leases.release_lease(account_id, work.token, next_sync_at)
    if counts.new:
        logger.info("messages came", extra={"new": counts.new, "assigned": counts.assigned, "more": unfinished})
    return SyncOutcome(
        account_id=account_id,
        state="done",
        host=work.account.imap_host,
        more=unfinished,
        more_history=turn.more_history,
        new=counts.new,
        assigned=counts.assigned,
    )


def _soonest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _end_badly(work: Work, turn: Turn, error: MailwallError, *, started_at: datetime) -> SyncOutcome:
    account_id, counts = work.account.pk, turn.counts
    with transaction.atomic():
        if leases.renew_lease(account_id, work.token):
            account_services.record_failure(account_id, work.token, error, clock.now())
            runs.fail(account_id, error, started_at=started_at, new=counts.new, assigned=counts.assigned)
            leases.release_lease(account_id, work.token)
    return SyncOutcome(
        account_id=account_id,
        state="failed",
        host=work.account.imap_host,
        new=counts.new,
        assigned=counts.assigned,
        error_code=error.code,
        error_message=error.message,
    )


def wait_for_run(run_id: int, seconds: float) -> SyncRun:
    """Wait until a run has ended, at most so long; gives it as it is then. Not inside a transaction."""
    end = time.monotonic() + seconds
    pause, longest = _POLL_SECONDS
    while True:
        run = SyncRun.objects.get(pk=run_id)
        left = end - time.monotonic()
        if run.state in (SyncRun.State.DONE, SyncRun.State.FAILED) or left <= 0:
            return run
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
