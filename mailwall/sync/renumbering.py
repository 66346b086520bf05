"""A folder whose uids were given anew (RFC 3501 §2.3.1.1): its placements are void, messages never.

The same mail is known again by Message-ID, size and INTERNALDATE, without reading it a second time.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from datetime import datetime

from django.db import transaction

from mailwall.email_accounts import leases, notices
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FolderStatus
from mailwall.sync import rules
from mailwall.sync.batches import Work
from mailwall.sync.models import Folder, LedgerEntry, Placement
from mailwall.sync.rules import MailKey

logger = logging.getLogger(__name__)

PAUSED_UIDVALIDITY = "uidvalidity_changes"
_LOOK_AT_MESSAGES = 2000


def begin(work: Work, folder: Folder, uidvalidity: int, now: datetime) -> bool:
    """Begin the import anew; the old placements wait for `remap`. False: too often in a day, the folder is paused."""
    change = rules.count_uidvalidity_change(folder.uidvalidity_changes, folder.uidvalidity_changed_at, now)
    with transaction.atomic():
        leases.fence(work.account.pk, work.token)
        LedgerEntry.objects.filter(folder=folder).delete()
        folder.uidvalidity_changes, folder.uidvalidity_changed_at = change.changes, now
        folder.paused_reason = PAUSED_UIDVALIDITY if change.paused else ""
        folder.uidvalidity, folder.uidnext, folder.highestmodseq, folder.import_done = None, None, None, False
        folder.high_uid = folder.low_uid = folder.import_total = folder.import_seen = 0
        folder.save()
        if change.paused:
            notices.tell_folder_paused(work.account, folder.name)
    logger.warning(
        "folder was numbered anew",
        extra={
            "account_id": work.account.pk,
            "folder_id": folder.pk,
            "uidvalidity": uidvalidity,
            "paused": change.paused,
        },
    )
    return not change.paused


def remap(session: ImapSession, work: Work, folder: Folder, status: FolderStatus) -> list[int]:
    """Give old placements their new uids; gives those (ids) whose mail is not there any more. May run again.

    The folder is open, its status that of EXAMINE. Raises ImapError or LeaseLost.
    """
    old = Placement.objects.filter(folder=folder).exclude(uidvalidity=status.uidvalidity)
    if status.messages and old.exists():
        _move(session, work, folder, status)
    return list(old.values_list("pk", flat=True))


def _move(session: ImapSession, work: Work, folder: Folder, status: FolderStatus) -> None:
    placed = Placement.objects.filter(folder=folder)
    rows = placed.exclude(uidvalidity=status.uidvalidity).values_list(
        "pk", "message_id", "message__message_id", "message__size_bytes", "message__internaldate"
    )
    known = [(pk, row, MailKey(message_id, size, date)) for pk, row, message_id, size, date in rows]
    taken = set(placed.filter(uidvalidity=status.uidvalidity).values_list("uid", flat=True))
    earliest = min(key.internaldate for _pk, _row, key in known)
    here: dict[MailKey, list[int]] = defaultdict(list)
    for piece in rules.batches(session.search_since(rules.search_day(earliest)), _LOOK_AT_MESSAGES):
        for seen in session.fetch_overviews(piece, with_message_ids=True):
            if seen.uid not in taken:
                here[MailKey(seen.message_id, seen.size_bytes, seen.internaldate)].append(seen.uid)
    found = [
        Placement(pk=pk, uid=uid, uidvalidity=status.uidvalidity) for pk, uid in rules.match_renumbered(known, here)
    ]
    for batch in rules.batches(found, rules.BATCH_MESSAGES):
        with transaction.atomic():
            leases.fence(work.account.pk, work.token)
            Placement.objects.bulk_update(batch, ["uid", "uidvalidity"])
