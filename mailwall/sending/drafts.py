"""Writes of drafts: save, attach, throw away. A draft is its writer's alone; `departures` sends it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Attachment
from mailwall.mime.charsets import clean
from mailwall.mime.html import MAX_CLEAN_LENGTH, clean_written_html
from mailwall.sending import draft_queries, rules, typed
from mailwall.sending.draft_queries import Origin, draft_of
from mailwall.sending.errors import DraftConflict, DraftNotFound, FileRefused
from mailwall.sending.models import DraftFile, DraftMessage, DraftMode
from mailwall.team.models import User

DISCARDED_KEPT = timedelta(days=1)
MAX_SUBJECT = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftContent:
    """What the writer has typed and ticked."""

    account: EmailAccount | None = None
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    body: str = ""
    is_plain: bool = False
    with_signature: bool = True
    with_quote: bool = True
    forward_attachments: tuple[int, ...] = ()


def save_draft(
    writer: User, draft_id: uuid.UUID, content: DraftContent, *, version: int, origin: Origin | None = None
) -> DraftMessage:
    """Store what was typed upon `version`, 0 for the first time; then origin tells what the draft is about.

    :raises DraftConflict: it was saved, sent or discarded elsewhere since. :raises DraftNotFound: it is not there, or
    somebody else's. :raises FileRefused: the images in the text are too large to keep.
    """
    values = _stored(content)
    if version == 0 and not DraftMessage.objects.filter(pk=draft_id).exists():
        draft = draft_queries.begin_draft(writer, origin or Origin())
        draft.pk, draft.version = draft_id, 1
        for name, value in values.items():
            setattr(draft, name, value)
        draft.forward_attachments = _offered(writer, draft, content.forward_attachments)
        try:
            with transaction.atomic():
                draft.save(force_insert=True)
            return draft_of(writer, draft_id)
        except IntegrityError:  # saved twice at the same moment: the other one was first
            pass
    draft = draft_of(writer, draft_id)
    values["forward_attachments"] = _offered(writer, draft, content.forward_attachments)
    rows = DraftMessage.objects.of(writer).unsent().filter(pk=draft_id, version=version)
    if not rows.update(**values, version=F("version") + 1):
        _tell_conflict(draft_of(writer, draft_id), values, version)
    return draft_of(writer, draft_id)


def _tell_conflict(draft: DraftMessage, values: dict[str, object], version: int) -> None:
    """Saving the same twice (a double click, an answer that was lost) is no conflict."""
    if draft.outgoing_id is not None or draft.discarded_at is not None:
        raise DraftConflict(draft, DraftConflict.MSGID_GONE)
    values = {name: value for name, value in values.items() if name != "updated_at"}
    is_same = all(getattr(draft, name) == value for name, value in values.items())
    if draft.version != version + 1 or not is_same:
        raise DraftConflict(draft)


def set_body(
    writer: User, draft: DraftMessage, body: str, *, subject: str | None = None, is_plain: bool, **parts: bool
) -> None:
    """Replace what a draft says, which was saved just now. parts: with_signature, with_quote where they change."""
    DraftMessage.objects.of(writer).unsent().filter(pk=draft.pk).update(
        body=clean(body) if is_plain else clean_written_html(body),
        subject=draft.subject if subject is None else _one_line(subject, " ")[:MAX_SUBJECT],
        is_plain=is_plain,
        version=F("version") + 1,
        updated_at=timezone.now(),
        **parts,
    )


def _stored(content: DraftContent) -> dict[str, object]:
    if len(content.body) > MAX_CLEAN_LENGTH:
        raise FileRefused(FileRefused.MSGID_BODY)
    body = clean(content.body) if content.is_plain else clean_written_html(content.body)
    return {
        "account": content.account,
        "to": _one_line(content.to),
        "cc": _one_line(content.cc),
        "bcc": _one_line(content.bcc),
        "subject": _one_line(content.subject, " ")[:MAX_SUBJECT],
        "body": body,
        "is_plain": content.is_plain,
        "with_signature": content.with_signature,
        "with_quote": content.with_quote,
        "updated_at": timezone.now(),
    }


def _one_line(text: str, between: str = ", ") -> str:
    """Header fields never carry line breaks; a list pasted in lines keeps its entries apart."""
    lines = (line.strip(" \t") for line in clean(text[: typed.MAX_TYPED]).splitlines())
    return between.join(line.strip(",") if between == ", " else line for line in lines if line)


def _offered(writer: User, draft: DraftMessage, ids: Sequence[int]) -> list[int]:
    """Those of the ids that the original of a forwarded mail really has."""
    if draft.mode != DraftMode.FORWARD or not ids:
        return []
    own = Attachment.objects.filter(message=draft.original_id, pk__in=ids)
    return list(own.order_by("position", "id").values_list("pk", flat=True))


# -- files


def attach(writer: User, draft_id: uuid.UUID, uploads: Sequence[UploadedFile]) -> list[FileRefused]:
    """Add files to an unsent draft; gives why which of them were refused. :raises DraftNotFound:"""
    draft = _unsent(writer, draft_id)
    refused: list[FileRefused] = []
    baggage = draft_queries.baggage_of(writer, draft)
    room = rules.MAX_FILES_BYTES - baggage.total_bytes
    for upload in uploads:
        name = _file_name(upload.name or "")
        size = upload.size or 0
        problem = _why_refused(name, size, room)
        if problem:
            refused.append(problem)
            continue
        DraftFile.objects.create(
            draft=draft,
            filename=name,
            content_type=_content_type(upload.content_type or ""),
            size_bytes=size,
            raw_content=upload.read(),
        )
        room -= size
    return refused


def _why_refused(filename: str, size: int, room: int) -> FileRefused | None:
    words = {"filename": filename}
    if rules.is_blocked(filename):
        return FileRefused(FileRefused.MSGID_BLOCKED, words)
    if not size:
        return FileRefused(FileRefused.MSGID_EMPTY, words)
    if size > room:
        return FileRefused(FileRefused.MSGID_TOO_LARGE, {**words, "limit": rules.MAX_FILES_BYTES // 1_000_000})
    return None


def _file_name(name: str) -> str:
    name = "".join(char for char in clean(name) if char.isprintable()).replace("\\", "/").rpartition("/")[2].strip()
    return name[-200:] or "file"


def _content_type(given: str) -> str:
    bare = given.partition(";")[0].strip().lower()
    plain = (
        bare.isascii()
        and bare.count("/") == 1
        and all(part.replace("-", "").replace(".", "").replace("+", "").isalnum() for part in bare.split("/"))
    )
    return (
        bare
        if plain and len(bare) <= 100 and not bare.startswith(("multipart/", "message/"))
        else "application/octet-stream"
    )


def detach(writer: User, draft_id: uuid.UUID, file_id: int) -> None:
    """Remove a file from an unsent draft. Again does nothing. :raises DraftNotFound:"""
    DraftFile.objects.filter(draft=_unsent(writer, draft_id), pk=file_id).delete()


def _unsent(writer: User, draft_id: uuid.UUID) -> DraftMessage:
    draft = DraftMessage.objects.of(writer).unsent().filter(pk=draft_id).first()
    if draft is None:
        raise DraftNotFound
    return draft


# -- throwing away


def discard(writer: User, draft_id: uuid.UUID) -> bool:
    """Throw a draft away; restore brings it back for a day. False: there was nothing to throw away.

    :raises DraftNotFound: it is somebody else's.
    """
    now = timezone.now()
    if DraftMessage.objects.filter(pk=draft_id).exclude(writer=writer).exists():
        raise DraftNotFound
    DraftMessage.objects.of(writer).filter(discarded_at__lt=now - DISCARDED_KEPT).delete()
    return bool(DraftMessage.objects.of(writer).unsent().filter(pk=draft_id).update(discarded_at=now))


def restore(writer: User, draft_id: uuid.UUID) -> None:
    """Undo discard. Again does nothing."""
    DraftMessage.objects.of(writer).filter(pk=draft_id).update(discarded_at=None)
