"""A folder that is read and was given another name on the server is read on under it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction

from mailwall.email_accounts import leases
from mailwall.imap.errors import ImapFolderGone
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FolderStatus
from mailwall.sync.batches import Work, uidvalidity_of
from mailwall.sync.models import Folder, Placement

logger = logging.getLogger(__name__)

_MAX_LOOKED_AT = 200


def follow(session: ImapSession, work: Work) -> None:
    """Find missing folders again under new names: the same uidvalidity, and the same mail at the last uid.

    After the server's list was stored. May open folders. Raises ImapError or LeaseLost.
    """
    mine = Folder.objects.filter(account=work.account)
    lost = list(mine.filter(missing=True, selected=True, uidvalidity__isnull=False))
    if not lost:
        return
    fresh = list(mine.filter(missing=False, uidvalidity__isnull=True, placements__isnull=True)[:_MAX_LOOKED_AT])
    told = session.status([bytes(folder.raw_name) for folder in fresh])
    for folder in lost:
        candidates = [each for each in fresh if _may_be(folder, told.get(bytes(each.raw_name)))]
        found = _same_mail(session, folder, candidates)
        if found is not None:
            fresh.remove(found)
            _take_name(work, folder, found)


def _may_be(folder: Folder, status: FolderStatus | None) -> bool:
    return (
        status is not None
        and status.uidvalidity == folder.uidvalidity
        and status.uidnext >= (folder.uidnext or 0)
        and (status.messages > 0 or folder.on_server == 0)
    )


def _same_mail(session: ImapSession, folder: Folder, candidates: Sequence[Folder]) -> Folder | None:
    """The candidate that has the newest mail of the folder at its uid; the only one when the folder was empty."""
    placed = Placement.objects.filter(folder=folder, uidvalidity=uidvalidity_of(folder)).order_by("-uid")
    sample = placed.select_related("message").first()
    if sample is None:
        return candidates[0] if len(candidates) == 1 else None
    for candidate in candidates:
        try:
            session.examine(bytes(candidate.raw_name))
        except ImapFolderGone:
            continue
        seen = session.fetch_overviews([sample.uid], with_message_ids=True)
        if seen and (seen[0].message_id, seen[0].size_bytes) == (sample.message.message_id, sample.message.size_bytes):
            return candidate
    return None


def _take_name(work: Work, folder: Folder, found: Folder) -> None:
    with transaction.atomic():
        leases.fence(work.account.pk, work.token)
        found.delete()
        Folder.objects.filter(pk=folder.pk).update(
            raw_name=bytes(found.raw_name), name=found.name, delimiter=found.delimiter, role=found.role, missing=False
        )
    logger.info("folder has another name now", extra={"account_id": work.account.pk, "folder_id": folder.pk})
