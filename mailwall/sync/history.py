"""Older history as its owner asks for it: the range in words, how much it is, what was fetched before, what to offer.

The fetching itself is in backfill.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from math import ceil

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.drafts import Checker, zone_of
from mailwall.email_accounts.errors import AccountDeactivated, NotAllowed
from mailwall.email_accounts.models import EmailAccount, State, Store
from mailwall.sync import backfill, folders, rules
from mailwall.sync.backfill import BackfillProgress
from mailwall.sync.connections import download_slot
from mailwall.sync.models import Backfill, BackfillFolder, LedgerEntry
from mailwall.team.models import User

ESTIMATE_WAIT_SECONDS = 20.0
TIME_LEFT_FROM = 0.05  # of the whole: before that any estimate is a guess
MAX_PER_MINUTE = 100_000
_LATEST = datetime(9998, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A range that can be fetched. until: exclusive, None up to the window. per_minute: 0 without limit."""

    since: datetime
    until: datetime | None = None
    between: tuple[time, time] | None = None
    per_minute: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What was passed over and could be fetched now. since: how far back history was fetched, None: nowhere.

    skipped: messages of a direction that is stored now; folders: chosen after older history was fetched.
    """

    skipped: int
    folders: tuple[str, ...]
    since: datetime | None

    def __bool__(self) -> bool:
        return bool(self.skipped or self.folders)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The backfill that is active, as people see it. waits: why it stands still: 'hours', 'account', 'begins' or ''."""

    progress: BackfillProgress
    waits: str

    @property
    def percent(self) -> int:
        return 100 * self.progress.done // self.progress.total if self.progress.total else 0

    @property
    def minutes_left(self) -> int | None:
        """Of fetching, once it can be told."""
        progress = self.progress
        if progress.eta_at is None or progress.done < progress.total * TIME_LEFT_FROM:
            return None
        return max(1, ceil((progress.eta_at - timezone.now()).total_seconds() / 60))


def standing(account: EmailAccount) -> Standing | None:
    """The active backfill of the account."""
    return standings([account]).get(account.pk)


def standings(accounts: Collection[EmailAccount]) -> dict[int, Standing]:
    """The active backfills of these accounts; one query."""
    progress = backfill.active([account.pk for account in accounts])
    return {account.pk: _standing(account, progress[account.pk]) for account in accounts if account.pk in progress}


def _standing(account: EmailAccount, progress: BackfillProgress) -> Standing:
    waits = ""
    if progress.state != Backfill.State.PAUSED:
        if account.state != State.ACTIVE or account.failed_attempts:
            waits = "account"
        elif not backfill.is_its_hour(progress.backfill, timezone.now()):
            waits = "hours"
        elif progress.state == Backfill.State.WAITING:
            waits = "begins"
    return Standing(progress=progress, waits=waits)


def wanted_range(
    account: EmailAccount, since: str, until: str | None, between: Sequence[str] | None, per_minute: int = 0
) -> Wanted:
    """Read a range. since, until: dates (whole days of the owner's zone, until inclusive) or date-times.

    :raises mailwall.email_accounts.errors.DraftInvalid: with all that is wrong.
    """
    checker, zone, now = Checker(), zone_of(account.owner), timezone.now()
    begin, end, hours = now, None, None
    try:
        begin = account_rules.import_since(since or "-", zone=zone, now=now, window_days=0)
    except (ValueError, OverflowError):
        checker.wrong("since", _("Enter a day or a moment in the past, such as 2026-11-09."))
    try:
        end = min(rules.until_moment(until, zone), _LATEST).astimezone(UTC) if until else None
        if end is not None and not checker.errors and end <= begin:
            checker.wrong("until", _("This is before the beginning."))
    except (ValueError, OverflowError):
        checker.wrong("until", _("Enter a day, such as 2026-11-09."))
    try:
        hours = rules.hours_of(between) if between else None
    except ValueError:
        checker.wrong("between", _("Enter two different times of day, such as 01:00 and 05:00."))
    if not 0 <= per_minute <= MAX_PER_MINUTE:
        checker.wrong("per_minute", _("Enter a number from 1 to 100,000, or leave it empty."))
    checker.finish()
    return Wanted(since=begin, until=end, between=hours, per_minute=per_minute)


def fetch(account: EmailAccount, by: User, wanted: Wanted) -> Backfill:
    """Begin to fetch older messages. Only the owner may: it shows more of their mail to others.

    :raises NotAllowed, AccountDeactivated, backfill.BackfillActive: nothing is begun.
    """
    if not account_rules.may_change_privacy(by, account):
        raise NotAllowed(NotAllowed.MSGID_HISTORY)
    if account.state == State.DEACTIVATED:
        raise AccountDeactivated
    return backfill.start(
        account, by,
        since=wanted.since, until=wanted.until, between=wanted.between, per_minute=wanted.per_minute,
    )  # fmt: skip


def estimate(account: EmailAccount, wanted: Wanted) -> int:
    """About how many messages that is, asked from the server now; at most two of an account ask at once.

    :raises mailwall.errors.MailwallError: the server cannot be reached, is slow, or is busy with downloads.
    """
    if account.state == State.DEACTIVATED:
        raise AccountDeactivated
    with download_slot(account.pk, wait_seconds=ESTIMATE_WAIT_SECONDS):
        return backfill.estimate(account, since=wanted.since, until=wanted.until)


def former(account: EmailAccount, limit: int = 20) -> list[Backfill]:
    """Backfills that are over, newest first."""
    over = Backfill.objects.filter(account=account).exclude(state__in=backfill.ACTIVE)
    return list(over.select_related("requested_by").order_by("-id")[:limit])


def offer(account: EmailAccount) -> Offer:
    """What a wider direction, or a folder chosen later, has left behind."""
    skipped = 0
    if account.store == Store.BOTH:
        mine = LedgerEntry.objects.filter(folder__account=account, folder__selected=True, rule=rules.DIRECTION)
        skipped = mine.count()
    done = Backfill.objects.filter(account=account, state=Backfill.State.DONE)
    since = done.order_by("since").values_list("since", flat=True).first()
    late: tuple[str, ...] = ()
    if since is not None and since < account.import_since:
        with_history = set(BackfillFolder.objects.filter(backfill__in=done).values_list("folder_id", flat=True))
        late = tuple(folder.name for folder in folders.to_read(account.pk) if folder.pk not in with_history)
    return Offer(skipped=skipped, folders=late, since=since)


def fetch_skipped(account: EmailAccount, by: User) -> None:
    """Take up the offer: go through the window once more, and as far back as history was fetched before.

    :raises NotAllowed, AccountDeactivated, backfill.BackfillActive: nothing is begun.
    """
    offered = offer(account)
    with transaction.atomic():
        if offered.since is not None and offered.since < account.import_since:
            fetch(account, by, Wanted(since=offered.since))
        elif not account_rules.may_change_privacy(by, account):
            raise NotAllowed(NotAllowed.MSGID_HISTORY)
        if offered.skipped:
            folders.read_window_again(account)
