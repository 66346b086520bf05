"""Older history, when somebody asks for it: planned from dates on the server, read newest first in small steps.

A step follows a pass, on its session: so new mail always comes first, and at most STEP_SECONDS later. What is planned
stands in the database as uid sets; the cursor moves with every batch, so a step may be killed anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from datetime import time as clock_time
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from mailwall.email_accounts import connection, leases
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.imap.commands import uid_sets
from mailwall.imap.session import ImapSession, open_session
from mailwall.sync import comparing, folders, rules
from mailwall.sync.batches import Counts, Work, uidvalidity_of
from mailwall.sync.interpreting import Reading
from mailwall.sync.models import Backfill, BackfillFolder, Folder, LedgerEntry, Placement
from mailwall.sync.turns import Turn
from mailwall.sync.walking import Walk
from mailwall.team.models import User

STEP_SECONDS = 5.0
ESTIMATE_DEADLINE_SECONDS = 40.0
ACTIVE = (Backfill.State.WAITING, Backfill.State.RUNNING, Backfill.State.PAUSED)
_MINUTE = timedelta(minutes=1)


class BackfillActive(MailwallError):
    """One at a time; it can be stopped."""

    code = "backfill_active"
    MSGID = _("Older messages are being fetched already. Stop that first, or wait until it is done.")

    def __init__(self) -> None:
        self.msgid, self.params = self.MSGID, dict[str, object]()
        super().__init__(self.MSGID)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillProgress:
    """How far it is, in messages. state: 'waiting' also while its hours are over. stored: of those done, kept here.

    eta_at: None when unknown or not running.
    """

    backfill: Backfill
    state: str
    total: int
    done: int
    stored: int
    eta_at: datetime | None


# -- what the owner does


def start(
    account: EmailAccount,
    by: User,
    *,
    since: datetime,
    until: datetime | None = None,
    between: tuple[clock_time, clock_time] | None = None,
    per_minute: int = 0,
) -> Backfill:
    """Ask for the messages with INTERNALDATE from since to before until. The caller may start tasks.download after.

    :raises BackfillActive: another one waits, runs or is paused.
    """
    begins, ends = between or (None, None)
    try:
        with transaction.atomic():
            backfill = Backfill.objects.create(
                account=account,
                requested_by=by,
                since=since,
                until=until,
                begins=begins,
                ends=ends,
                zone=account.owner.time_zone,
                per_minute=per_minute,
            )
            _make_due(account.pk)
    except IntegrityError as error:
        raise BackfillActive from error
    return backfill


def pause(account: EmailAccount) -> bool:
    """Hold it until resume(); a step in progress ends with its batch. False: none is active."""
    return _active(account).update(state=Backfill.State.PAUSED) == 1


def resume(account: EmailAccount) -> bool:
    """Go on where it was. False: none is paused."""
    if not _active(account).filter(state=Backfill.State.PAUSED).update(state=Backfill.State.WAITING):
        return False
    _make_due(account.pk)
    return True


def stop(account: EmailAccount) -> bool:
    """End it; what was stored stays. False: none is active."""
    return _active(account).update(state=Backfill.State.STOPPED, finished_at=timezone.now()) == 1


def latest(account: EmailAccount) -> BackfillProgress | None:
    """The newest backfill of the account and how far it is."""
    backfill = _with_sums(Backfill.objects.filter(account=account)).order_by("-id").first()
    return None if backfill is None else _progress(backfill, timezone.now())


def active(account_ids: Collection[int]) -> dict[int, BackfillProgress]:
    """Those that are not over, by their accounts; one query."""
    rows = _with_sums(Backfill.objects.filter(account__in=account_ids, state__in=ACTIVE))
    now = timezone.now()
    return {backfill.account_id: _progress(backfill, now) for backfill in rows}


def _with_sums(rows: QuerySet[Backfill]) -> QuerySet[Any]:
    return rows.annotate(total=Coalesce(Sum("folders__total"), 0), done=Coalesce(Sum("folders__done"), 0))


def _progress(backfill: Any, now: datetime) -> BackfillProgress:
    total, done = backfill.total, backfill.done
    state, eta_at = backfill.state, None
    if state == Backfill.State.RUNNING and not is_its_hour(backfill, now):
        state = Backfill.State.WAITING
    if state == Backfill.State.RUNNING and done and backfill.working_seconds:
        seconds = backfill.working_seconds / done
        if backfill.per_minute:
            seconds = max(seconds, 60 / backfill.per_minute)
        eta_at = now + timedelta(seconds=seconds * (total - done))
    return BackfillProgress(
        backfill=backfill, state=state, total=total, done=done, stored=backfill.stored, eta_at=eta_at
    )


def estimate(account: EmailAccount, *, since: datetime, until: datetime | None = None) -> int:
    """About how many messages of the folders that are read lie in that range; asked from the server now.

    :raises mailwall.imap.errors.ImapError: the server cannot be reached.
    """
    end = min(until or account.import_since, account.import_since)
    server = connection.imap_settings(account)
    number = 0
    with open_session(server, job_deadline_seconds=ESTIMATE_DEADLINE_SECONDS) as session:
        for folder in folders.to_read(account.pk):
            session.examine(bytes(folder.raw_name))
            number += len(session.search_since(since.date())) - len(session.search_since(end.date()))
    return max(0, number)


def _active(account: EmailAccount):  # type: ignore[no-untyped-def]
    return Backfill.objects.filter(account=account, state__in=ACTIVE)


def _make_due(account_id: int) -> None:
    accounts = EmailAccount.objects.connected().filter(pk=account_id, state=State.ACTIVE)
    accounts.update(next_sync_at=timezone.now())


# -- what a worker does


def runnable(account_id: int, now: datetime) -> Backfill | None:
    """The backfill that may take a step now: not paused, within its hours, below its limit of this minute."""
    backfill = Backfill.objects.filter(account_id=account_id, account__state=State.ACTIVE, state__in=ACTIVE[:2]).first()
    if backfill is None or not is_its_hour(backfill, now):
        return None
    return backfill if _allowance(backfill, now) else None


def is_its_hour(backfill: Backfill, now: datetime) -> bool:
    """Whether its hours of the day allow it to run."""
    return rules.is_within_hours(now, backfill.zone, backfill.begins, backfill.ends)


def resumes_at(account_id: int, now: datetime) -> datetime | None:
    """When a backfill that is held by its limit of messages per minute may go on; None when there is none."""
    backfill = Backfill.objects.filter(account_id=account_id, state__in=ACTIVE[:2]).first()
    if backfill is None or backfill.minute_began_at is None or _allowance(backfill, now):
        return None
    return backfill.minute_began_at + _MINUTE


def take_step(session: ImapSession, work: Work, turn: Turn, backfill: Backfill) -> bool:
    """Read for some seconds; gives whether there is more to do at once. Raises ImapError or LeaseLost."""
    begin = time.monotonic()
    own_turn = replace(turn, seconds=STEP_SECONDS, counts=Counts())
    walk = Walk(session, replace(work, counted=False), own_turn)
    _claim(work, backfill)
    to_read = [f for f in folders.to_read(work.account.pk) if f.uidvalidity is not None and f.import_done]
    if backfill.folders.count() < len(to_read):  # the progress is of the whole from the beginning
        for folder in to_read:
            walk.guarded(folder, lambda folder=folder: _plan(walk, backfill, folder))  # type: ignore[misc]
    done = True
    for folder in to_read:
        done = walk.guarded(folder, lambda folder=folder: _read(walk, backfill, folder)) and done  # type: ignore[misc]
        if own_turn.is_over:
            done = False
            break
    _note(work, backfill, done=done, seconds=time.monotonic() - begin)
    return not done and runnable(work.account.pk, timezone.now()) is not None


def _claim(work: Work, backfill: Backfill) -> None:
    with transaction.atomic():
        leases.fence(work.account.pk, work.token)
        Backfill.objects.filter(pk=backfill.pk, state=Backfill.State.WAITING).update(state=Backfill.State.RUNNING)


def _note(work: Work, backfill: Backfill, *, done: bool, seconds: float) -> None:
    with transaction.atomic():
        leases.fence(work.account.pk, work.token)
        mine = Backfill.objects.filter(pk=backfill.pk)
        mine.update(working_seconds=F("working_seconds") + seconds)
        if done:
            mine.filter(state=Backfill.State.RUNNING).update(state=Backfill.State.DONE, finished_at=timezone.now())


def _plan(walk: Walk, backfill: Backfill, folder: Folder) -> bool:
    walk.examine(folder)
    _planned(walk, backfill, folder)
    return True


def _read(walk: Walk, backfill: Backfill, folder: Folder) -> bool:
    """Read what is left of one folder until the turn, the allowance or the folder is over."""
    walk.examine(folder)
    part = _planned(walk, backfill, folder)
    left = [uid for uid in reversed(rules.uids_of_set(part.uids)) if uid < part.low_uid]
    scope = replace(walk.scope(folder), since=backfill.since)
    while left:
        backfill.refresh_from_db()
        size = min(len(left), rules.BATCH_MESSAGES, _allowance(backfill, timezone.now()))
        if backfill.state != Backfill.State.RUNNING or not size or walk.turn.is_over:
            return False
        read, new = walk.turn.counts.read, walk.turn.counts.new
        piece, left = left[:size], left[size:]
        whole = walk.store(folder, piece, lambda batch: _moved(part, batch), scope=scope)
        _count(backfill, walk.turn.counts.read - read, walk.turn.counts.new - new)
        if not whole:
            return False
    walk.update(folder, out_of_window=comparing.unknown(folder))
    return True


def _planned(walk: Walk, backfill: Backfill, folder: Folder) -> BackfillFolder:
    """The plan of one folder, made now when there is none, or when the server numbered the folder anew."""
    uidvalidity = uidvalidity_of(folder)
    part = BackfillFolder.objects.filter(backfill=backfill, folder=folder, uidvalidity=uidvalidity).first()
    if part is not None:
        return part
    end = min(backfill.until or walk.work.account.import_since, walk.work.account.import_since)
    mine = {"folder": folder, "uidvalidity": uidvalidity}
    known = set(Placement.objects.filter(**mine).values_list("uid", flat=True))
    settled = LedgerEntry.objects.filter(**mine).exclude(rule__in=rules.MAY_BE_READ_AGAIN)
    known |= set(settled.values_list("uid", flat=True))
    asked = [uid for uid in walk.session.search_since(rules.search_day(backfill.since)) if uid not in known]
    wanted = [seen.uid for seen in walk.session.fetch_overviews(asked) if backfill.since <= seen.internaldate < end]
    with transaction.atomic():
        leases.fence(walk.work.account.pk, walk.work.token)
        BackfillFolder.objects.filter(backfill=backfill, folder=folder).delete()
        return BackfillFolder.objects.create(
            backfill=backfill,
            **mine,
            uids=b",".join(uid_sets(wanted)).decode(),
            low_uid=max(wanted, default=0) + 1,
            total=len(wanted),
        )


def _moved(part: BackfillFolder, batch: Sequence[Reading]) -> dict[str, object]:
    """The cursor, in the batch's transaction. It is no column of the folder."""
    low_uid = min(item.uid for item in batch)
    BackfillFolder.objects.filter(pk=part.pk).update(low_uid=low_uid, done=F("done") + len(batch))
    return {}


def _allowance(backfill: Backfill, now: datetime) -> int:
    """How many messages may be read in the minute that runs."""
    if not backfill.per_minute:
        return rules.BATCH_MESSAGES
    if backfill.minute_began_at is None or now - backfill.minute_began_at >= _MINUTE:
        return backfill.per_minute
    return max(0, backfill.per_minute - backfill.minute_done)


def _count(backfill: Backfill, read: int, stored: int) -> None:
    now = timezone.now()
    mine = Backfill.objects.filter(pk=backfill.pk)
    if backfill.minute_began_at is None or now - backfill.minute_began_at >= _MINUTE:
        mine.update(minute_began_at=now, minute_done=read, stored=F("stored") + stored)
    else:
        mine.update(minute_done=F("minute_done") + read, stored=F("stored") + stored)
