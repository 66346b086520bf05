"""The wish for a synchronisation and what became of it.

waiting → running at the beginning of a pass, running → done at its end: so a run only counts as done when a whole pass
began after the wish. A wish during a pass makes the run wait again, and the worker that holds the account goes round
once more. Counts grow with every batch. Runs of the schedule leave a row only when they brought something or failed.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Case, DateTimeField, F, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone

from mailwall.email_accounts.errors import AccountDeactivated, OwnerSwitchedOff
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.sync.models import SyncRun

KEEP_RUNS_FOR = timedelta(days=30)
_OPEN = (SyncRun.State.WAITING, SyncRun.State.RUNNING)


def request_download(account: EmailAccount) -> SyncRun:
    """Note the wish for a synchronisation now, whatever pause is on; joins a run that is not finished.

    The caller starts `tasks.download(account.pk)` after the commit.
    :raises AccountDeactivated, OwnerSwitchedOff: nothing connects until somebody acts.
    """
    if not account.owner.is_active:
        raise OwnerSwitchedOff
    now = timezone.now()
    with transaction.atomic():
        # the row's lock orders us with the end of a run in progress: it sees this wish, or the account is free
        sooner = Case(
            When(state=State.ACTIVE, then=Value(now)), default=F("next_sync_at"), output_field=DateTimeField()
        )
        connected = EmailAccount.objects.connected().filter(pk=account.pk).exclude(state=State.DEACTIVATED)
        if not connected.update(next_sync_at=sooner):
            raise AccountDeactivated
        run = manual_runs(account.pk).filter(state__in=_OPEN).first()
        if run is None:
            return SyncRun.objects.create(
                account=account, kind=SyncRun.Kind.MANUAL, state=SyncRun.State.WAITING, requested_at=now
            )
        run.state, run.requested_at = SyncRun.State.WAITING, now
        run.save(update_fields=["state", "requested_at"])
        return run


def begin_pass(account_id: int) -> None:
    """What was wished for until now is answered by the pass that begins."""
    manual_runs(account_id).filter(state=SyncRun.State.WAITING).update(
        state=SyncRun.State.RUNNING, started_at=Coalesce("started_at", Value(timezone.now()))
    )


def count(account_id: int, *, new: int, assigned: int) -> None:
    """Let open runs tell what has come so far; inside the batch's transaction."""
    if new or assigned:
        manual_runs(account_id).filter(state__in=_OPEN).update(new=F("new") + new, assigned=F("assigned") + assigned)


def has_waiting(account_id: int) -> bool:
    """Whether somebody wished for a synchronisation since the pass began."""
    return manual_runs(account_id).filter(state=SyncRun.State.WAITING).exists()


def has_open(account_id: int) -> bool:
    """Whether somebody waits for this account."""
    return manual_runs(account_id).filter(state__in=_OPEN).exists()


def finish(account_id: int, *, started_at: datetime, new: int, assigned: int) -> None:
    """A pass has done all there was to do."""
    now = timezone.now()
    answered = manual_runs(account_id).filter(state=SyncRun.State.RUNNING)
    if not answered.update(state=SyncRun.State.DONE, finished_at=now):
        note_scheduled(account_id, started_at=started_at, new=new, assigned=assigned)


def note_scheduled(account_id: int, *, started_at: datetime, new: int, assigned: int) -> None:
    """A slice of the schedule that brought something."""
    if new:
        SyncRun.objects.create(
            account_id=account_id,
            kind=SyncRun.Kind.SCHEDULED,
            state=SyncRun.State.DONE,
            requested_at=started_at,
            started_at=started_at,
            finished_at=timezone.now(),
            new=new,
            assigned=assigned,
        )


def fail(account_id: int, error: MailwallError, *, started_at: datetime, new: int = 0, assigned: int = 0) -> None:
    """The attempt failed; whoever waits is told why."""
    told = {
        "state": SyncRun.State.FAILED,
        "finished_at": timezone.now(),
        "error_code": error.code,
        "error_message": error.message,
    }
    if not manual_runs(account_id).filter(state__in=_OPEN).update(**told):
        SyncRun.objects.create(
            account_id=account_id,
            kind=SyncRun.Kind.SCHEDULED,
            requested_at=started_at,
            started_at=started_at,
            new=new,
            assigned=assigned,
            **told,
        )


def forget_old(now: datetime) -> int:
    """Drop finished runs of long ago; gives how many."""
    old = SyncRun.objects.filter(finished_at__lt=now - KEEP_RUNS_FOR)
    return old.delete()[0]


def manual_runs(account_id: int) -> QuerySet[SyncRun]:
    return SyncRun.objects.filter(account_id=account_id, kind=SyncRun.Kind.MANUAL)
