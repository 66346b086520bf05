"""Reads of folders, ledger, runs and counts. Callers check beforehand that the viewer may see the accounts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet, Sum, Value
from django.utils import timezone

from mailwall.assignment.models import Unassigned
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.sync import folders, rules
from mailwall.sync.models import Folder, LedgerEntry, Placement, SyncRun
from mailwall.team.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Messages of an account (not placements); downloaded = assigned + unassigned."""

    downloaded: int = 0
    assigned: int = 0
    unassigned: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the first import is, in messages. running: a worker is at the account now. eta_at: None when unknown."""

    total: int
    seen: int
    done: bool
    running: bool
    eta_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderLedger:
    """What became of every message of a folder. waiting: of the window, not yet looked at."""

    folder: Folder
    on_server: int
    stored: int
    failed: int
    waiting: int
    skipped: Mapping[str, int] = field(default_factory=dict)

    @property
    def accounted(self) -> int:
        """Stored, skipped by a rule, or failed and tried again."""
        return self.stored + self.failed + sum(self.skipped.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLedger:
    """Of how many messages on the server it is known what became of them."""

    on_server: int
    accounted: int

    @property
    def is_complete(self) -> bool:
        return self.accounted == self.on_server

    @property
    def left(self) -> int:
        return self.on_server - self.accounted


def account_counts(account_ids: Collection[int], viewer: User) -> dict[int, Counts]:
    """Counts of every account asked for, of what the viewer may see; one query, so that they are of one moment."""
    messages = Message.objects.visible_to(viewer).filter(account_id__in=account_ids)
    marks = Unassigned.objects.visible_to(viewer).filter(account_id__in=account_ids)
    found: dict[str, dict[int, int]] = {"all": {}, "unassigned": {}}
    both = _by_account(messages, "all").union(_by_account(marks, "unassigned"), all=True)
    for account_id, what, number in both:
        found[what][account_id] = number
    return {
        account_id: Counts(
            downloaded=found["all"].get(account_id, 0),
            assigned=found["all"].get(account_id, 0) - found["unassigned"].get(account_id, 0),
            unassigned=found["unassigned"].get(account_id, 0),
        )
        for account_id in account_ids
    }


def _by_account(rows: QuerySet[Any], what: str) -> QuerySet[Any, Any]:
    return rows.order_by().values_list("account_id", Value(what)).annotate(number=Count("pk"))


def progress_of(account_ids: Collection[int]) -> dict[int, Progress]:
    """How far the first import of every account is. An account whose folders are not known yet has done nothing."""
    now = timezone.now()
    read = Folder.objects.filter(account_id__in=account_ids, selected=True, missing=False, paused_reason="")
    sums = {
        account_id: (total, min(seen, total))
        for account_id, total, seen in read.order_by()
        .values_list("account_id")
        .annotate(total=Sum("import_total"), seen=Sum("import_seen"))
    }
    open_ids = set(read.filter(import_done=False).values_list("account_id", flat=True))
    accounts = EmailAccount.objects.filter(pk__in=account_ids).only("lease_until", "created_at")
    return {account.pk: _progress(account, sums.get(account.pk), account.pk in open_ids, now) for account in accounts}


def _progress(account: EmailAccount, sums: tuple[int, int] | None, is_open: bool, now: datetime) -> Progress:
    total, seen = sums or (0, 0)
    running = account.lease_until is not None and account.lease_until > now
    eta_at = None
    if is_open and running and seen:
        eta_at = now + (now - account.created_at) * ((total - seen) / seen)
    return Progress(total=total, seen=seen, done=bool(sums) and not is_open, running=running, eta_at=eta_at)


def folders_of(account: EmailAccount) -> list[Folder]:
    """All folders of the account as last listed: INBOX, Sent, the rest by name."""
    return folders.sorted_folders(account.pk)


def paused_folders(account_ids: Collection[int]) -> dict[int, tuple[str, ...]]:
    """Names of the folders that are not read, because the server numbers them anew again and again."""
    found: dict[int, tuple[str, ...]] = {}
    paused = Folder.objects.filter(account_id__in=account_ids, selected=True).exclude(paused_reason="")
    for account_id, name in paused.order_by("pk").values_list("account_id", "name"):
        found[account_id] = (*found.get(account_id, ()), name)
    return found


def ledger_of(account: EmailAccount) -> list[FolderLedger]:
    """The folders that are or were read, each with what became of its messages."""
    of_account = [folder for folder in folders_of(account) if folder.selected or folder.uidvalidity is not None]
    mine = {"folder__account": account}
    stored = _by_folder(Placement.objects.filter(**mine))
    failed = _by_folder(LedgerEntry.objects.filter(**mine, outcome=LedgerEntry.Outcome.FAILED))
    skipped: dict[int, dict[str, int]] = defaultdict(dict)
    entries = LedgerEntry.objects.filter(**mine, outcome=LedgerEntry.Outcome.SKIPPED)
    for folder_id, rule, number in entries.order_by().values_list("folder_id", "rule").annotate(number=Count("id")):
        skipped[folder_id][rule] = number
    return [_ledger(folder, stored, failed, skipped[folder.pk]) for folder in of_account]


def total_of(rows: Collection[FolderLedger]) -> AccountLedger:
    """The badge: of the folders that are read."""
    read = [row for row in rows if row.folder.selected and not row.folder.missing]
    on_server = sum(row.on_server for row in read)
    return AccountLedger(on_server=on_server, accounted=sum(min(row.accounted, row.on_server) for row in read))


def _ledger(
    folder: Folder, stored: Mapping[int, int], failed: Mapping[int, int], skipped: dict[str, int]
) -> FolderLedger:
    if folder.out_of_window:
        skipped[rules.BEFORE_WINDOW] = skipped.get(rules.BEFORE_WINDOW, 0) + folder.out_of_window
    return FolderLedger(
        folder=folder,
        on_server=folder.on_server,
        stored=stored.get(folder.pk, 0),
        failed=failed.get(folder.pk, 0),
        waiting=0 if folder.import_done else max(0, folder.import_total - folder.import_seen),
        skipped=skipped,
    )


def _by_folder(rows: QuerySet[Any]) -> dict[int, int]:
    return dict(rows.order_by().values_list("folder_id").annotate(number=Count("id")))


def failures_of(account: EmailAccount, limit: int = 100) -> list[LedgerEntry]:
    """Messages that could not be stored, newest first, with their folders."""
    failed = LedgerEntry.objects.filter(folder__account=account, outcome=LedgerEntry.Outcome.FAILED)
    return list(failed.select_related("folder").order_by("-pk")[:limit])


def last_runs(account: EmailAccount, limit: int = 20) -> list[SyncRun]:
    """The newest runs that brought something, failed, or were asked for."""
    return list(SyncRun.objects.filter(account=account).order_by("-id")[:limit])


def open_runs(account_ids: Collection[int]) -> dict[int, SyncRun]:
    """The download that somebody waits for, of every account that has one."""
    waiting = SyncRun.objects.filter(
        account_id__in=account_ids,
        kind=SyncRun.Kind.MANUAL,
        state__in=(SyncRun.State.WAITING, SyncRun.State.RUNNING),
    )
    return {run.account_id: run for run in waiting}
