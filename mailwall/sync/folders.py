"""Folders of an account: the server's list and the owner's choice."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mailwall.email_accounts import connection, leases
from mailwall.email_accounts.models import EmailAccount
from mailwall.imap.session import open_session
from mailwall.imap.types import FolderInfo
from mailwall.sync import rules
from mailwall.sync.connections import download_slot
from mailwall.sync.models import Folder, LedgerEntry
from mailwall.team import services as team_services
from mailwall.team.models import User

logger = logging.getLogger(__name__)

LIST_DEADLINE_SECONDS, LIST_WAIT_SECONDS = 40.0, 10.0


def list_live(account: EmailAccount) -> list[Folder]:
    """Ask the server for its folders now, on a connection of its own, and give them as stored.

    :raises mailwall.errors.MailwallError: the server cannot be reached, refuses, or is busy with downloads.
    """
    with (
        download_slot(account.pk, wait_seconds=LIST_WAIT_SECONDS),
        open_session(connection.imap_settings(account), job_deadline_seconds=LIST_DEADLINE_SECONDS) as session,
    ):
        listed = session.list_folders()
    with transaction.atomic():
        EmailAccount.objects.select_for_update().get(pk=account.pk)
        store_list(account.pk, listed)
    return sorted_folders(account.pk)


def choose(
    by: User, account: EmailAccount, folder_ids: Collection[int], *, includes_subfolders: bool | None = None
) -> None:
    """Read exactly these folders from now on. Choosing a folder that was paused lets it go on.

    includes_subfolders: read new folders inside them too, as they are made; None leaves that as it is.

    What was read stays; a folder chosen later is imported from the account's `import_since`.
    """
    now = timezone.now()
    with transaction.atomic():
        mine = Folder.objects.filter(account=account)
        team_services.audit(by, "email_account.folders", f"email_account:{account.pk}", folders=sorted(folder_ids))
        if includes_subfolders is not None:
            EmailAccount.objects.filter(pk=account.pk).update(includes_subfolders=includes_subfolders)
        mine.exclude(pk__in=folder_ids).update(selected=False)
        mine.filter(pk__in=folder_ids).exclude(paused_reason="").update(
            paused_reason="", uidvalidity_changes=0, uidvalidity_changed_at=None
        )
        if mine.filter(pk__in=folder_ids, selected=False).update(selected=True):
            EmailAccount.objects.connected().filter(pk=account.pk, state="active").update(next_sync_at=now)


def read_again(account: EmailAccount, folder_id: int) -> None:
    """Let a folder that was paused go on. Again does nothing."""
    paused = Folder.objects.filter(account=account, pk=folder_id).exclude(paused_reason="")
    with transaction.atomic():
        if paused.update(paused_reason="", uidvalidity_changes=0, uidvalidity_changed_at=None):
            connected = EmailAccount.objects.connected().filter(pk=account.pk, state="active")
            connected.update(next_sync_at=timezone.now())


def read_window_again(account: EmailAccount) -> None:
    """Go through the window once more: after `store` was widened or `import_since` moved back. What is here stays.

    In the transaction of that change. A run in progress still has the old settings: its lease is taken away.
    """
    with transaction.atomic():
        EmailAccount.objects.filter(pk=account.pk).update(lease_token="", lease_until=None)
        read = Folder.objects.filter(account=account, uidvalidity__isnull=False)
        read.update(import_done=False, low_uid=F("high_uid") + 1, import_seen=0, out_of_window=0)
        LedgerEntry.objects.filter(folder__in=read, rule__in=rules.MAY_BE_READ_AGAIN).delete()
        EmailAccount.objects.connected().filter(pk=account.pk, state="active").update(next_sync_at=timezone.now())


def store_list(account_id: int, listed: Iterable[FolderInfo]) -> None:
    """Bring the rows in line with the server's list; in the caller's transaction. A folder that is gone is `missing`.

    New folders are read by default when they are INBOX or Sent, also when Sent is made later; those inside a folder
    that is read when the account includes subfolders.
    """
    stored = {bytes(folder.raw_name): folder for folder in Folder.objects.filter(account_id=account_id)}
    roles_read = {folder.role for folder in stored.values() if folder.selected and not folder.missing}
    including = EmailAccount.objects.filter(pk=account_id, includes_subfolders=True).exists()
    names_read = {folder.name for folder in stored.values() if folder.selected} if including else set()
    fresh = []
    for info in sorted(listed, key=lambda info: info.name):
        if not info.selectable or len(info.raw_name) > 1000:
            continue
        folder = stored.pop(info.raw_name, None)
        chosen = rules.is_selected_by_default(info) and info.role not in roles_read
        if folder is None and rules.lies_in(info, names_read):
            chosen = True
            names_read.add(info.name)
        if folder is None:
            fresh.append(_row(account_id, info, selected=chosen))
        else:
            _refresh(folder, info)
    Folder.objects.bulk_create(fresh)
    gone = [folder.pk for folder in stored.values() if not folder.missing]
    if gone:
        Folder.objects.filter(pk__in=gone).update(missing=True)


def _row(account_id: int, info: FolderInfo, *, selected: bool) -> Folder:
    return Folder(
        account_id=account_id,
        raw_name=info.raw_name,
        name=info.name[:500],
        delimiter=info.delimiter[:4],
        role=info.role,
        selected=selected,
    )


def _refresh(folder: Folder, info: FolderInfo) -> None:
    before = (folder.name, folder.delimiter, folder.role, folder.missing)
    folder.name, folder.delimiter, folder.role, folder.missing = info.name[:500], info.delimiter[:4], info.role, False
    if before != (folder.name, folder.delimiter, folder.role, folder.missing):
        folder.save(update_fields=["name", "delimiter", "role", "missing"])


def sorted_folders(account_id: int) -> list[Folder]:
    """All folders of an account: INBOX, Sent, the rest by name."""
    found = Folder.objects.filter(account_id=account_id)
    return sorted(found, key=lambda folder: (rules.folder_order(folder.role), folder.name.casefold(), folder.pk))


def to_read(account_id: int) -> list[Folder]:
    """The folders that a synchronisation reads, in its order."""
    return [f for f in sorted_folders(account_id) if f.selected and not f.missing and not f.paused_reason]


def mark_missing(account_id: int, token: str, folder: Folder) -> None:
    """A folder that the server does not open any more. What was read of it stays."""
    with transaction.atomic():
        leases.fence(account_id, token)
        Folder.objects.filter(pk=folder.pk).update(missing=True)
    folder.missing = True
    logger.info("folder is missing on the server", extra={"account_id": account_id, "folder_id": folder.pk})
