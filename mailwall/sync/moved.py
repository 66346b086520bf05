"""Mail that left its place: sought by Message-ID, size and INTERNALDATE in the account's other folders.

A message counts as gone from the server only when no folder of the account has it. Its text stays for good.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from mailwall.email_accounts import leases
from mailwall.imap.errors import ImapBusy, ImapError, ImapFolderGone
from mailwall.imap.session import ImapSession
from mailwall.imap.types import Overview
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import Message
from mailwall.sync import rules
from mailwall.sync.batches import Work
from mailwall.sync.models import Folder, Placement

SOUGHT_TOGETHER = 100
MAX_FOLDERS_SOUGHT = 40
#: where mail programs move mail to, most usual first
_LIKELY_ROLES = ("archive", "all", "trash", "inbox", "sent", "junk")


def settle(
    session: ImapSession, work: Work, left: Folder, lost: Sequence[int], is_over: Callable[[], bool] = lambda: False
) -> bool:
    """Take away placements (ids) that are void; what lies nowhere else is sought, else marked as gone.

    Opens other folders. Gives whether all was done before the turn was over; what is left is found lost again.
    """
    for piece in rules.batches(lost, SOUGHT_TOGETHER):
        if is_over():
            return False
        placements = Placement.objects.filter(pk__in=piece)
        ids = set(placements.values_list("message_id", flat=True))
        elsewhere = Placement.objects.filter(message_id__in=ids, folder__missing=False).exclude(pk__in=piece)
        orphans = ids - set(elsewhere.values_list("message_id", flat=True))
        found = _seek(session, work.account.pk, left, orphans)
        with transaction.atomic():
            leases.fence(work.account.pk, work.token)
            placements.delete()
            Placement.objects.bulk_create(found, ignore_conflicts=True)
            mailstore_services.mark_gone_from_server(orphans - {placement.message_id for placement in found})
    return True


def _seek(session: ImapSession, account_id: int, left: Folder, message_ids: Iterable[int]) -> list[Placement]:
    messages = Message.objects.filter(pk__in=message_ids).exclude(message_id="")
    wanted = {message.pk: message for message in messages.only("message_id", "size_bytes", "internaldate")}
    found: list[Placement] = []
    for folder in likely_folders(account_id, left):
        if not wanted:
            break
        try:
            found += look_in(session, folder, wanted)
        except ImapFolderGone:
            continue
        except ImapBusy:
            raise
        except ImapError:
            if session.closed:
                raise
    return found


def likely_folders(account_id: int, left: Folder | None = None) -> list[Folder]:
    """Folders to look in for a moved message, the likely ones first."""
    others = Folder.objects.filter(account_id=account_id, missing=False)
    others = others.exclude(pk=left.pk) if left is not None else others
    return sorted(others, key=lambda folder: (_likelihood(folder.role), folder.pk))[:MAX_FOLDERS_SOUGHT]


def look_in(session: ImapSession, folder: Folder, wanted: dict[int, Message]) -> list[Placement]:
    """Look for messages in one folder, all at once; those found leave `wanted`. Raises ImapError."""
    status = session.examine(bytes(folder.raw_name))
    uids = session.search_message_ids(m.message_id for m in wanted.values()) if status.messages and wanted else []
    if not uids:
        return []
    placed = Placement.objects.filter(folder=folder, uidvalidity=status.uidvalidity, uid__in=uids)
    owners = dict(placed.values_list("uid", "message_id"))
    by_id: dict[str, list[Overview]] = defaultdict(list)
    for overview in session.fetch_overviews(uids, with_message_ids=True):
        by_id[overview.message_id].append(overview)
    found: list[Placement] = []
    for message in list(wanted.values()):
        free = [seen for seen in by_id[message.message_id] if owners.get(seen.uid, message.pk) == message.pk]
        chosen = _copy_of(message, free)
        if chosen is not None:
            owners[chosen.uid] = message.pk
            found.append(
                Placement(folder=folder, uidvalidity=status.uidvalidity, uid=chosen.uid, message_id=message.pk)
            )
            del wanted[message.pk]
    return found


def _copy_of(message: Message, candidates: Iterable[Overview]) -> Overview | None:
    """The one that is this message: of its size, and its INTERNALDATE where several are; None rather than a guess."""
    fits = [seen for seen in candidates if seen.size_bytes == message.size_bytes]
    fits = [seen for seen in fits if seen.internaldate == message.internaldate] or fits
    if len(fits) > 1 and _has_namesake(message):
        return None
    return fits[0] if fits else None


def _has_namesake(message: Message) -> bool:
    """Whether another mail of the account came under the same Message-ID."""
    account_id = Message.objects.values_list("account_id", flat=True).get(pk=message.pk)
    same_id = Message.objects.filter(account_id=account_id, message_id=message.message_id)
    return same_id.exclude(pk=message.pk).exists()


def _likelihood(role: str) -> int:
    return _LIKELY_ROLES.index(role) if role in _LIKELY_ROLES else 2
