"""One pass over an account on an open session: new mail first, then what failed, then comparisons, then the import.

What every step on a folder needs stands in walking.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from mailwall.email_accounts import leases
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FolderStatus
from mailwall.sync import (
    batches,
    comparing,
    cursors,
    folders,
    interpreting,
    moved,
    reading,
    renaming,
    renumbering,
    rules,
)  # fmt: skip
from mailwall.sync.batches import Work
from mailwall.sync.models import Folder, LedgerEntry, Placement
from mailwall.sync.turns import Turn
from mailwall.sync.walking import Walk

logger = logging.getLogger(__name__)


class Pass(Walk):
    """Walks once through the folders of an account."""

    def __init__(self, session: ImapSession, work: Work, turn: Turn, *, now: datetime) -> None:
        super().__init__(session, work, turn)
        self._now = now
        self._begun: dict[int, list[int]] = {}
        self._listed = False

    def run(self, *, list_folders: bool) -> bool:
        """Do what there is to do; gives whether nothing is left. Raises ImapError or LeaseLost."""
        if list_folders:
            self._list_folders()
        to_read = self._planned(folders.to_read(self.work.account.pk))
        if not self._listed and (not to_read or any(folder.missing for folder, _ in to_read)):
            self._list_folders()  # it may only have another name now
            to_read = self._planned(folders.to_read(self.work.account.pk))
        complete = self._begin_imports(to_read)
        complete = complete and self._each(to_read, self._take_new) and self._retry(to_read)
        complete = complete and self._each(to_read, self._compare) and self._each(to_read, self._import)
        if self._listed and complete:
            complete = self._settle_others({folder.pk for folder, _ in to_read})
        if self.first_error is not None and not self.read_any:
            raise self.first_error
        return complete

    # -- folders

    def _list_folders(self) -> None:
        listed = self.session.list_folders()
        with transaction.atomic():
            leases.fence(self.work.account.pk, self.work.token)
            folders.store_list(self.work.account.pk, listed)
        self.open, self._listed = None, True
        renaming.follow(self.session, self.work)

    def _planned(self, to_read: Sequence[Folder]) -> list[tuple[Folder, rules.SyncPlan]]:
        """What each folder needs, by one STATUS for all."""
        told = self.session.status([bytes(folder.raw_name) for folder in to_read])
        plans: list[tuple[Folder, rules.SyncPlan]] = []
        for folder in to_read:
            status = told.get(bytes(folder.raw_name))
            if status is None:
                folders.mark_missing(self.work.account.pk, self.work.token, folder)
                plans.append((folder, rules.SyncPlan()))
                continue
            plan = rules.plan_sync(cursors.cursor_of(folder, self._now), status)
            if plan.void_placements and not renumbering.begin(self.work, folder, status.uidvalidity, self._now):
                continue
            plans.append((folder, plan))
            self.read_any |= plan.is_empty
        return plans

    def _begin_imports(self, plans: list[tuple[Folder, rules.SyncPlan]]) -> bool:
        """Begin what is to be imported, INBOX last: it is then open. What could not begin is left out of this pass."""
        complete = True
        for place, (folder, plan) in reversed(list(enumerate(plans))):
            if plan.begin_import:
                complete &= self.guarded(folder, lambda folder=folder: self._begin_import(folder))  # type: ignore[misc]
                if folder.uidvalidity is None:
                    del plans[place]
        return complete

    def _each(
        self,
        to_read: Iterable[tuple[Folder, rules.SyncPlan]],
        step: Callable[[Folder, rules.SyncPlan], bool],
    ) -> bool:
        """One step for all folders; gives whether all of it was done before the turn was over."""
        for folder, plan in to_read:
            if self.turn.is_over:
                return False
            if not folder.missing and not self.guarded(folder, lambda: step(folder, plan)):  # noqa: B023
                return False
        return True

    # -- steps: each gives whether it was done before the turn was over

    def _begin_import(self, folder: Folder) -> bool:
        """Know again what was placed before, set the cursor to the top, and count what lies in the window."""
        status = self.examine(folder)
        if not self._settle(folder, renumbering.remap(self.session, self.work, folder, status)):
            return False
        status = self.examine(folder)
        wanted = [uid for uid in self.in_window() if uid < status.uidnext] if status.messages else []
        self._begun[folder.pk] = wanted
        self.update(
            folder,
            uidvalidity=status.uidvalidity,
            uidnext=status.uidnext,
            highestmodseq=status.highestmodseq,
            high_uid=status.uidnext - 1,
            low_uid=status.uidnext,
            import_done=not wanted,
            import_total=len(wanted),
            import_seen=0,
            on_server=status.messages,
            out_of_window=max(0, status.messages - len(wanted)),
            compared_at=self._now,
        )
        return True

    def _take_new(self, folder: Folder, plan: rules.SyncPlan) -> bool:
        if not plan.fetch_new:
            return True
        status = self.examine(folder)
        uids = self.session.search_uids(folder.high_uid + 1)
        if not self.store(folder, uids, cursors.raise_high):
            return False
        values: dict[str, object] = {"uidnext": status.uidnext}
        if not plan.compare:
            values["highestmodseq"] = status.highestmodseq
        self.update(folder, **values)
        return True

    def _retry(self, to_read: Sequence[tuple[Folder, rules.SyncPlan]]) -> bool:
        """Read again, whole and one by one, what failed before and is due."""
        by_id = {folder.pk: (folder, plan) for folder, plan in to_read if not folder.missing}
        due = LedgerEntry.objects.filter(outcome=LedgerEntry.Outcome.FAILED, next_try_at__lte=timezone.now())
        entries = list(due.filter(folder__in=by_id).order_by("folder", "-uid")[: rules.RETRIES_A_PASS])
        for entry in entries:
            if self.turn.is_over:
                return False
            folder, _ = by_id[entry.folder_id]
            self.guarded(folder, lambda: self._retry_one(folder, entry))  # noqa: B023
        return True

    def _retry_one(self, folder: Folder, entry: LedgerEntry) -> bool:
        self.examine(folder)
        again = reading.read_whole(self.session, entry.uid, self.scope(folder))
        tried = [interpreting.tried_before(again, entry.attempts)]
        self.turn.counts.add(batches.commit(self.work, folder, tried, lambda _: {}))
        return True

    def _compare(self, folder: Folder, plan: rules.SyncPlan) -> bool:
        """Find what was expunged, and what came late with a uid below the cursor."""
        if not plan.compare:
            return True
        status = self.examine(folder)
        differences = None if plan.compare_sets else self._changes(folder, status)
        found = differences or comparing.by_sets(folder, on_server=self.session.uid_set(), in_window=self.in_window())
        if found.gaps:
            logger.warning(
                "uids below the cursor were not accounted for",
                extra={"folder_id": folder.pk, "count": len(found.gaps)},
            )
            if not self.store(folder, found.gaps, lambda _: {}):
                return False
        if not self._settle(folder, comparing.placements_of(folder, found.gone)):
            return False
        self.update(
            folder,
            found.forgotten,
            on_server=found.on_server,
            out_of_window=found.out_of_window,
            highestmodseq=status.highestmodseq,
            compared_at=folder.compared_at if differences else self._now,
        )
        return True

    def _changes(self, folder: Folder, status: FolderStatus) -> rules.Differences | None:
        changes = self.session.changes_since(folder.highestmodseq) if folder.highestmodseq else None
        return comparing.by_changes(folder, changes, messages=status.messages) if changes else None

    def _settle(self, folder: Folder, lost: Sequence[int]) -> bool:
        if lost and not self._listed:
            self._list_folders()  # what moved into a folder made meanwhile is not gone
        self.open = None if lost else self.open  # looking for moved mail opens other folders
        return moved.settle(self.session, self.work, folder, lost, lambda: self.turn.is_over)

    def _settle_others(self, read: Collection[int]) -> bool:
        """Mail that lies in folders which are not read: once a day, and at once when the folder is missing."""
        others = Folder.objects.filter(account=self.work.account, paused_reason="").exclude(pk__in=read)
        for folder in others.filter(Exists(Placement.objects.filter(folder=OuterRef("pk")))):
            if not folder.missing and not comparing.is_due(folder, self._now):
                continue
            if self.turn.is_over or not self.guarded(folder, lambda folder=folder: self._settle_other(folder)):  # type: ignore[misc]
                return False
        return True

    def _settle_other(self, folder: Folder) -> bool:
        there: set[tuple[int, int]] = set()
        if not folder.missing:
            status = self.session.examine(bytes(folder.raw_name))
            there = {(status.uidvalidity, uid) for uid in self.session.uid_set()} if status.messages else set()
        placed = Placement.objects.filter(folder=folder).values_list("pk", "uidvalidity", "uid")
        lost = [pk for pk, uidvalidity, uid in placed if (uidvalidity, uid) not in there]
        done = self._settle(folder, lost)
        if done:
            self.update(folder, compared_at=self._now)
        return done

    def _import(self, folder: Folder, plan: rules.SyncPlan) -> bool:
        """The first import, newest first; goes on from its cursor."""
        if folder.import_done or not plan.continue_import:
            return True
        self.examine(folder)
        wanted = self._begun.get(folder.pk) or self.in_window()
        placed = comparing.placed_below(folder, folder.low_uid)
        left = [uid for uid in reversed(wanted) if uid < folder.low_uid and uid not in placed]
        if folder.import_seen + len(left) != folder.import_total:
            self.update(folder, import_total=folder.import_seen + len(left))
        if not self.store(folder, left, cursors.lower_low):
            return False
        self.update(folder, import_done=True, low_uid=1, out_of_window=comparing.unknown(folder))
        return self._retry([(folder, plan)])
