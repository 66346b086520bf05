"""Why is a message missing? Looked up here, then asked from the mail server, read-only and with a deadline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from mailwall.assignment import queries as assignment
from mailwall.email_accounts import connection
from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.imap.errors import ImapFolderGone
from mailwall.imap.session import ImapSession, open_session
from mailwall.imap.types import FolderStatus, Overview
from mailwall.mailstore.models import Message
from mailwall.mime.addresses import fold_address
from mailwall.sync import folders, moved
from mailwall.sync.connections import download_slot
from mailwall.sync.models import Folder, LedgerEntry, Placement
from mailwall.team.models import User

DEADLINE_SECONDS = 40.0
WAIT_SECONDS = 20.0
MAX_STORED = 10
MAX_OF_A_FOLDER = 10
MAX_FOUND = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A message on the server that is not stored from there, and why.

    kind: 'skipped' or 'failed' (see entry), 'not_read', 'paused', 'window', 'removed', 'new' or 'waiting'.
    """

    folder: Folder
    at: datetime
    size_bytes: int
    kind: str
    entry: LedgerEntry | None = None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What became of the messages somebody looks for. asked_server: False where only the owner may ask it.

    stored: with `is_assigned`. error: why the server could not tell all, in the reader's language.
    """

    text: str
    stored: list[Message] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    asked_server: bool = False
    error: str = ""


def explain(viewer: User, account: EmailAccount, text: str) -> Verdict:
    """Look for an address, a Message-ID or words of a subject. The viewer may see the account's messages.

    Only the owner's question goes to the server: others might learn of mail that is for the owner alone.
    """
    text = " ".join(text.replace("\0", "").split()).strip("<>")
    verdict = Verdict(text=text, stored=_stored(viewer, account, text))
    is_settled = any(message.message_id == text for message in verdict.stored)
    if is_settled or viewer.pk != account.owner_id or account.state in (State.DEACTIVATED, State.NEEDS_SIGN_IN):
        return verdict
    verdict.asked_server = True
    try:
        with (
            download_slot(account.pk, wait_seconds=WAIT_SECONDS),
            open_session(connection.imap_settings(account), job_deadline_seconds=DEADLINE_SECONDS) as session,
        ):
            _ask(session, viewer, account, verdict)
    except MailwallError as error:
        verdict.error = account_errors.sentence(error)
    return verdict


def _stored(viewer: User, account: EmailAccount, text: str) -> list[Message]:
    mine = assignment.with_mark(Message.objects.visible_to(viewer).filter(account=account))
    found = mine.filter(message_id=text)
    if not found.exists():
        if "@" in text:
            found = mine.filter(participants__address__address=fold_address(text)).distinct()
        else:
            found = mine.filter(subject__icontains=text)
    return list(found.order_by("-pk")[:MAX_STORED])


def _ask(session: ImapSession, viewer: User, account: EmailAccount, verdict: Verdict) -> None:
    listed = session.list_folders()
    with transaction.atomic():
        EmailAccount.objects.select_for_update().get(pk=account.pk)
        folders.store_list(account.pk, listed)
    for folder in sorted(moved.likely_folders(account.pk), key=lambda folder: not folder.selected):
        try:
            status = session.examine(bytes(folder.raw_name))
        except ImapFolderGone:
            continue
        uids = session.search_message_ids([verdict.text]) if "@" in verdict.text else []
        uids = uids or session.search_text(verdict.text)
        overviews = session.fetch_overviews(uids[-MAX_OF_A_FOLDER:]) if uids else []
        _sort(viewer, account, folder, status, overviews, verdict)
        if len(verdict.found) >= MAX_FOUND:
            return


def _sort(
    viewer: User,
    account: EmailAccount,
    folder: Folder,
    status: FolderStatus,
    overviews: list[Overview],
    verdict: Verdict,
) -> None:
    """Add what the server showed: stored messages once, all others with their reason."""
    mine = {"folder": folder, "uidvalidity": status.uidvalidity, "uid__in": [seen.uid for seen in overviews]}
    placed = dict(Placement.objects.filter(**mine).values_list("uid", "message_id"))
    entries = {entry.uid: entry for entry in LedgerEntry.objects.filter(**mine).select_related("folder")}
    visible = assignment.with_mark(Message.objects.visible_to(viewer)).in_bulk(list(placed.values()))
    known = {message.pk for message in verdict.stored}
    for seen in reversed(overviews):
        if seen.uid in placed and placed[seen.uid] in visible:
            if placed[seen.uid] not in known:
                verdict.stored.append(visible[placed[seen.uid]])
            continue
        entry = entries.get(seen.uid)
        kind = "removed" if seen.uid in placed else _kind(account, folder, status, seen, entry)
        verdict.found.append(
            Found(folder=folder, at=seen.internaldate, size_bytes=seen.size_bytes, kind=kind, entry=entry)
        )


def _kind(
    account: EmailAccount, folder: Folder, status: FolderStatus, seen: Overview, entry: LedgerEntry | None
) -> str:
    if entry is not None:
        return str(entry.outcome)
    if not folder.selected:
        return "not_read"
    if folder.paused_reason:
        return "paused"
    if seen.internaldate < account.import_since:
        return "window"
    is_new = folder.uidvalidity == status.uidvalidity and seen.uid > folder.high_uid
    return "new" if is_new else "waiting"
