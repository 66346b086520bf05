"""Attachments of a forwarded mail: fetched from its mail server when the mail goes, never stored before."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from mailwall.mailstore import hooks as mailstore_hooks
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import Attachment, Message
from mailwall.mime import compose
from mailwall.mime.types import DraftFile
from mailwall.sending import rules, services
from mailwall.sending.models import Outgoing, OutgoingContent
from mailwall.team.models import User

READ_TOGETHER_BYTES = 200_000


def ready_bytes(rows: Sequence[Outgoing]) -> dict[int, bytes]:
    """The bytes of those mails that are small and have nothing to be fetched, read at once; by the mail's id."""
    small = [row.pk for row in rows if row.size_bytes <= READ_TOGETHER_BYTES]
    found = OutgoingContent.objects.filter(outgoing__in=small).values_list("pk", "raw", "forward_attachments")
    return {pk: bytes(raw) for pk, raw, fetched in found if not fetched}


def complete_bytes(row: Outgoing) -> bytes:
    """The bytes that leave. What is still to be fetched is added first, and the mail on the wall then shows it.

    :raises MailwallError: a file cannot be fetched, retryable or not.
    """
    content = OutgoingContent.objects.get(outgoing_id=row.pk)
    if not content.forward_attachments:
        return bytes(content.raw)
    files = [_fetched(row.sender, message_id, pk) for message_id, pk in content.forward_attachments]
    raw = compose.with_files(bytes(content.raw), files)
    with transaction.atomic():
        OutgoingContent.objects.filter(pk=content.pk).update(raw=raw, forward_attachments=[])
        Outgoing.objects.filter(pk=row.pk).update(size_bytes=len(raw))
        message = Message.objects.filter(outgoing=row).select_related("account").first()
        if message is not None:  # the store completes what is marked as a part
            Message.objects.filter(pk=message.pk).update(incomplete=True)
            whole = services.incoming_of(bytes(content.raw_bcc) + raw, message.internaldate)
            mailstore_services.store_messages(message.account, [whole])
    return raw


def _fetched(sender: User, message_id: int, attachment_id: int) -> DraftFile:
    limit_bytes = 2 * rules.MAX_FILES_BYTES
    raw = mailstore_hooks.read_attachments(sender, message_id, [attachment_id], limit_bytes=limit_bytes)[attachment_id]
    attachment = Attachment.objects.get(pk=attachment_id)
    return DraftFile(
        filename=attachment.filename,
        content_type=attachment.content_type,
        raw_content=raw,
        content_id=attachment.content_id if attachment.inline else "",
    )
