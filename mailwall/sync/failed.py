"""What could not be stored: tried again at once when somebody asks, and its original from the mail server."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from mailwall.email_accounts.models import EmailAccount
from mailwall.imap.errors import ImapFolderGone
from mailwall.imap.session import ImapSession
from mailwall.mime import filenames
from mailwall.sync import attachments, runs
from mailwall.sync.attachments import Download
from mailwall.sync.errors import GoneFromServer, NoSuchFile
from mailwall.sync.models import LedgerEntry
from mailwall.team.models import User


def retry(account: EmailAccount, entry_id: int | None = None) -> int:
    """Have one failed message, or all of the account, read again by the next pass, and ask for that pass.

    The caller starts tasks.download(account.pk). Gives how many.
    :raises mailwall.email_accounts.errors.AccountDeactivated: nothing connects.
    """
    failed = LedgerEntry.objects.filter(folder__account=account, outcome=LedgerEntry.Outcome.FAILED)
    wanted = failed.filter(pk=entry_id) if entry_id is not None else failed
    with transaction.atomic():
        number = wanted.update(next_try_at=timezone.now())
        if number:
            runs.request_download(account)
    return number


def open_original(viewer: User, entry_id: int) -> Download:
    """The whole mail as the server has it, for the account's owner: nobody knows yet who else may see it.

    :raises mailwall.sync.errors.DownloadError: as attachments.open_attachment.
    """
    mine = LedgerEntry.objects.filter(outcome=LedgerEntry.Outcome.FAILED, folder__account__owner=viewer)
    entry = mine.filter(folder__account__removed_at=None, pk=entry_id).select_related("folder__account__owner").first()
    if entry is None:
        raise NoSuchFile
    account = entry.folder.account
    attachments.require_connecting(account)
    return Download(
        filename=filenames.safe_filename(f"message {entry.uid}.eml", "message/rfc822"),
        content_type="message/rfc822",
        chunks=attachments.started(
            account, lambda session: _find(session, entry), lambda session, uid: session.stream_section(uid, "")
        ),
    )


def _find(session: ImapSession, entry: LedgerEntry) -> int:
    try:
        status = session.examine(bytes(entry.folder.raw_name))
    except ImapFolderGone as error:
        raise GoneFromServer from error
    if status.uidvalidity != entry.uidvalidity or not session.fetch_overviews([entry.uid]):
        raise GoneFromServer
    return entry.uid
