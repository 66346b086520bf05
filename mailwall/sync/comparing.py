"""What the server no longer has, or has elsewhere: uid sets compared, moved mail found again by Message-ID.

A message counts as gone only when no folder of the account has it. Its text stays for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db import transaction

from mailwall.email_accounts import leases
from mailwall.imap.errors import ImapBusy, ImapError, ImapFolderGone
from mailwall.imap.session import ImapSession
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import Message
from mailwall.sync import rules
from mailwall.sync.batches import Work, uidvalidity_of
from mailwall.sync.models import Folder, LedgerEntry, Placement

MAX_SOUGHT_A_PASS = 50
MAX_FOLDERS_SOUGHT = 40
#: where mail programs move mail to, most usual first
_LIKELY_ROLES = ("archive", "all", "trash", "inbox", "sent", "junk")


def differences(folder: Folder, *, on_server: Iterable[int], in_window: Iterable[int]) -> rules.Differences:
    """Compare the server's uids of a folder with placements and ledger."""
    folder.refresh_from_db(fields=["high_uid"])
    mine = {"folder": folder, "uidvalidity": uidvalidity_of(folder)}
    return rules.compare_uids(
        on_server=on_server,
        in_window=in_window,
        placed=set(Placement.objects.filter(**mine).values_list("uid", flat=True)),
        noted=set(LedgerEntry.objects.filter(**mine).values_list("uid", flat=True)),
        high_uid=folder.high_uid,
    )


def unknown(folder: Folder) -> int:
    """How many messages of the folder are neither placed nor in the ledger: they lie before every range asked for."""
    mine = {"folder": folder, "uidvalidity": uidvalidity_of(folder)}
    known = Placement.objects.filter(**mine).count() + LedgerEntry.objects.filter(**mine).count()
    return max(0, folder.on_server - known)


def settle_gone(session: ImapSession, work: Work, folder: Folder, gone: Sequence[int]) -> None:
    """Take away the placements of expunged uids; messages that lie nowhere else are sought, else marked as gone."""
    for piece in rules.batches(gone, rules.BATCH_MESSAGES):
        lost = Placement.objects.filter(folder=folder, uidvalidity=uidvalidity_of(folder), uid__in=piece)
        ids = set(lost.values_list("message_id", flat=True))
        with_other = Placement.objects.filter(message_id__in=ids).exclude(pk__in=lost.values("pk"))
        orphans = ids - set(with_other.values_list("message_id", flat=True))
        found = _seek(session, work, folder, orphans)
        with transaction.atomic():
            leases.fence(work.account.pk, work.token)
            lost.delete()
            Placement.objects.bulk_create(found, ignore_conflicts=True)
            mailstore_services.mark_gone_from_server(orphans - {placement.message_id for placement in found})


def _seek(session: ImapSession, work: Work, left: Folder, message_ids: Iterable[int]) -> list[Placement]:
    """Where messages lie now that left their folder; as many as one pass can look for, the newest first."""
    wanted = {
        message.pk: message
        for message in Message.objects.filter(pk__in=message_ids)
        .exclude(message_id="")
        .only("message_id", "size_bytes", "internaldate")
        .order_by("-pk")[:MAX_SOUGHT_A_PASS]
    }
    found: list[Placement] = []
    for folder in likely_folders(work.account.pk, left):
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
    """Look for messages in one folder by Message-ID, size and INTERNALDATE; those found leave `wanted`."""
    status = session.examine(bytes(folder.raw_name))
    found: list[Placement] = []
    if not status.messages:
        return found
    for key, message in list(wanted.items()):
        uids = session.search_message_id(message.message_id)
        for overview in session.fetch_overviews(uids) if uids else ():
            if overview.size_bytes == message.size_bytes:
                found.append(
                    Placement(folder=folder, uidvalidity=status.uidvalidity, uid=overview.uid, message_id=message.pk)
                )
                del wanted[key]
                break
    return found


def _likelihood(role: str) -> int:
    return _LIKELY_ROLES.index(role) if role in _LIKELY_ROLES else 2
