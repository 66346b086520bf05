"""Attachments, originals and all files of a mail, streamed from the mail server when somebody asks: never stored here.

A connection of its own, one of the few that an account may have (email_accounts.places). The mail is looked up at its
placement, then by Message-ID in all folders; a file's section is checked against a freshly read BODYSTRUCTURE, so that
nobody gets the wrong bytes.
"""

from __future__ import annotations

import contextlib
import logging
import zipfile
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import transaction

from mailwall.email_accounts import connection
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.errors import MailwallError
from mailwall.imap.errors import ImapFolderGone, ImapTimeout
from mailwall.imap.session import ImapSession, open_session
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import Attachment, Message
from mailwall.mime import filenames
from mailwall.mime.parts import list_attachments
from mailwall.mime.scan import scan_message
from mailwall.mime.transfer import decode_transfer
from mailwall.mime.types import AttachmentInfo, BodyPart
from mailwall.sync import folders, moved, rules
from mailwall.sync.connections import download_slot
from mailwall.sync.decoding import decoded
from mailwall.sync.errors import DownloadError, GoneFromServer, MailServerTimeout, MailServerUnreachable, NoSuchFile
from mailwall.sync.models import Placement
from mailwall.team.models import User

logger = logging.getLogger(__name__)

DEADLINE_SECONDS = 3600.0  # a server that drips may not hold one of the two places for longer

_Piece = TypeVar("_Piece")
Produce = Callable[[ImapSession, int], Iterator[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file on its way. filename: safe for any file system. chunks: to be read to the end, or closed.

    An error in the middle is raised out of chunks, so that a cut file never looks whole.
    """

    filename: str
    content_type: str
    chunks: Iterator[bytes]


def open_attachment(viewer: User, message_id: int, attachment_id: int) -> Download:
    """One attachment, decoded. The connection is open and the first bytes are here when this returns.

    :raises DownloadError: NoSuchFile, GoneFromServer, MailServerUnreachable or MailServerTimeout.
    """
    message = _message(viewer, message_id)
    attachment = Attachment.objects.filter(message=message, pk=attachment_id).first()
    if attachment is None:
        raise NoSuchFile
    return Download(
        filename=attachment.safe_name,
        content_type=attachment.content_type,
        chunks=_started(message, lambda session, uid: _file(session, uid, message, attachment)),
    )


def read_attachments(
    viewer: User, message_id: int, attachment_ids: Sequence[int]
) -> Generator[tuple[int, bytes], None, None]:
    """(id, piece of the decoded bytes) of several attachments of a mail, over one connection, for rooms that do not
    know this one (mailstore.hooks). Raises as open_attachment."""
    message = _message(viewer, message_id)
    wanted = list(Attachment.objects.filter(message=message, pk__in=attachment_ids))
    if len(wanted) < len(set(attachment_ids)):
        raise NoSuchFile

    def pieces(session: ImapSession, uid: int) -> Iterator[tuple[int, bytes]]:
        for attachment in wanted:
            for chunk in _file(session, uid, message, attachment):
                yield attachment.pk, chunk

    with contextlib.closing(_connected(message.account, lambda session: _find(session, message), pieces)) as found:
        yield from found


def open_original(viewer: User, message_id: int) -> Download:
    """The whole mail as the server has it (.eml). Raises as open_attachment."""
    message = _message(viewer, message_id)
    return Download(
        filename=_named_after(message, "message", "eml"),
        content_type="message/rfc822",
        chunks=_started(message, lambda session, uid: session.stream_section(uid, "")),
    )


def open_zip(viewer: User, message_id: int) -> Download:
    """All attachments in one archive, not compressed. Raises as open_attachment; NoSuchFile when there are none."""
    message = _message(viewer, message_id)
    wanted = list(Attachment.objects.filter(message=message).order_by("position", "pk"))
    if not wanted:
        raise NoSuchFile
    return Download(
        filename=_named_after(message, "attachments", "zip"),
        content_type="application/zip",
        chunks=_started(message, lambda session, uid: _zip(session, uid, message, wanted)),
    )


def _named_after(message: Message, otherwise: str, ending: str) -> str:
    """A file called as the mail's subject. "Invoice 2026/114" is one name, no path."""
    subject = message.subject[:100].replace("/", "-").replace("\\", "-").strip()
    return filenames.portable_filename(f"{subject or otherwise}.{ending}", "")


def _message(viewer: User, message_id: int) -> Message:
    """The message with its account, when something of it may still be on a server that we may connect to."""
    message = Message.objects.visible_to(viewer).select_related("account").filter(pk=message_id).first()
    if message is None:
        raise NoSuchFile
    if message.account.removed_at is not None or not message.on_server:
        raise GoneFromServer
    require_connecting(message.account)
    return message


def require_connecting(account: EmailAccount) -> None:
    """Refuse where nothing may connect. Raises MailServerUnreachable."""
    if account.state in (State.NEEDS_SIGN_IN, State.DEACTIVATED):
        raise MailServerUnreachable(MailServerUnreachable.MSGID_SIGN_IN if _is_locked_out(account) else "")


def _is_locked_out(account: EmailAccount) -> bool:
    return account.state == State.NEEDS_SIGN_IN or not account.only_network_errors


def _started(message: Message, produce: Produce) -> Iterator[bytes]:
    return started(message.account, lambda session: _find(session, message), produce)


def started(account: EmailAccount, find: Callable[[ImapSession], int], produce: Produce) -> Iterator[bytes]:
    """The chunks of `produce`, begun: what goes wrong before the first byte is raised here, not in the middle.

    find: opens the folder that has the mail and gives its uid there. Raises DownloadError.
    """
    chunks = _connected(account, find, produce)
    return _resumed(next(chunks, b""), chunks)


def _resumed(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


def _connected(
    account: EmailAccount,
    find: Callable[[ImapSession], int],
    produce: Callable[[ImapSession, int], Iterator[_Piece]],
) -> Generator[_Piece, None, None]:
    with download_slot(account.pk):
        try:
            with open_session(connection.imap_settings(account), job_deadline_seconds=DEADLINE_SECONDS) as session:
                uid = find(session)
                yield from (chunk for chunk in produce(session, uid) if chunk)
        except DownloadError:
            raise
        except MailwallError as error:
            logger.info("download failed", extra={"account_id": account.pk, "code": error.code})
            raise _told(error) from error


def _told(error: MailwallError) -> DownloadError:
    if isinstance(error, ImapTimeout):
        return MailServerTimeout(details=error.details)
    return MailServerUnreachable(details=error.details)


# -- where the mail lies


def _find(session: ImapSession, message: Message) -> int:
    """Open the folder that has the mail and give its uid there. Notes where it was found, or that it is gone."""
    for placement in Placement.objects.filter(message=message).select_related("folder"):
        if _is_there(session, placement, message):
            return placement.uid
    with transaction.atomic():
        EmailAccount.objects.select_for_update().get(pk=message.account_id)
        folders.store_list(message.account_id, session.list_folders())
    for folder in moved.likely_folders(message.account_id):
        found: list[Placement] = []
        with contextlib.suppress(ImapFolderGone):
            found = moved.look_in(session, folder, {message.pk: message} if message.message_id else {})
        if found:
            Placement.objects.bulk_create(found, ignore_conflicts=True)
            return found[0].uid
    mailstore_services.mark_gone_from_server([message.pk])
    raise GoneFromServer


def _is_there(session: ImapSession, placement: Placement, message: Message) -> bool:
    """Whether the mail still lies at its placement: some servers give a uid anew.

    Known by its Message-ID, for a copy in another folder may have another size; without one, by size and INTERNALDATE.
    """
    try:
        status = session.examine(bytes(placement.folder.raw_name))
    except ImapFolderGone:
        return False
    if status.uidvalidity != placement.uidvalidity:
        return False
    overviews = session.fetch_overviews([placement.uid], with_message_ids=True)
    if not overviews:
        return False
    seen = overviews[0]
    if message.message_id:
        return seen.message_id == message.message_id
    return (seen.size_bytes, seen.internaldate) == (message.size_bytes, message.internaldate)


# -- which part of it


def _file(session: ImapSession, uid: int, message: Message, attachment: Attachment) -> Iterator[bytes]:
    structure, _ = session.fetch_structure(uid)
    part = _matching(structure, attachment)
    if part is not None:
        return decoded(session.stream_section(uid, part.section), part.encoding)
    return _file_of_whole(session, uid, attachment)


def _matching(structure: BodyPart | None, attachment: Attachment) -> AttachmentInfo | None:
    """The part that is this attachment: the same section, type and size, else the only one of that name and size."""
    if structure is None:
        return None
    listed = list_attachments(structure)
    for part in listed:
        if part.section == attachment.section and _is_same(part, attachment):
            return part
    alike = [part for part in listed if part.filename == attachment.filename and _is_same(part, attachment)]
    return alike[0] if len(alike) == 1 else None


def _is_same(part: AttachmentInfo, attachment: Attachment) -> bool:
    return (
        part.content_type[:120] == attachment.content_type and part.encoded_size_bytes == attachment.encoded_size_bytes
    )


def _file_of_whole(session: ImapSession, uid: int, attachment: Attachment) -> Iterator[bytes]:
    """For mails that were read whole, because the server does not understand their parts: find the part ourselves."""
    whole = session.fetch_whole(uid, limit_bytes=rules.WHOLE_RETRY_LIMIT_BYTES).raw_whole
    if whole is None:
        raise MailServerUnreachable(DownloadError.MSGID)
    scan = scan_message(whole)
    part = _matching(scan.structure, attachment)
    if part is None or part.section not in scan.raw_sections:
        raise MailServerUnreachable(DownloadError.MSGID)
    yield decode_transfer(scan.raw_sections[part.section], part.encoding)[0]


# -- all of them


class _Sink:
    """What zipfile writes to: bytes to be taken away."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, raw: bytes) -> int:
        self._written.append(bytes(raw))
        return len(raw)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        taken, self._written = b"".join(self._written), []
        return taken


def _zip(session: ImapSession, uid: int, message: Message, wanted: Sequence[Attachment]) -> Iterator[bytes]:
    sink = _Sink()
    names: set[str] = set()
    stamp = message.internaldate.timetuple()[:6] if 1980 <= message.internaldate.year < 2108 else (1980, 1, 1, 0, 0, 0)
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for attachment in wanted:
            portable = filenames.portable_filename(attachment.filename, attachment.content_type)
            name = filenames.unused_name(portable, names)
            names.add(name)
            entry = zipfile.ZipInfo(name, date_time=stamp)
            with archive.open(entry, "w", force_zip64=True) as file:
                for chunk in _file(session, uid, message, attachment):
                    file.write(chunk)
                    yield sink.take()
    yield sink.take()
