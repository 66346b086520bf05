"""A draft leaves: from what was typed to a letter in the outbox, and back again ("Undo")."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.contacts.models import Contact, ContactAddress, Kind
from mailwall.email_accounts.errors import sentence
from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.html import MAX_CLEAN_LENGTH, clean_written_html, html_to_text
from mailwall.mime.types import Address
from mailwall.sending import (
    draft_queries,
    drafts,
    hooks,
    mail_templates,
    placeholders,
    rules,
    senders,
    services,
    signatures,
    typed,
)
from mailwall.sending.draft_queries import Baggage, Origin, draft_of
from mailwall.sending.drafts import DraftContent
from mailwall.sending.errors import (
    AttachmentForgotten,
    DraftConflict,
    FileRefused,
    LetterInvalid,
    OutgoingNotFound,
    TooLate,
)
from mailwall.sending.models import DraftFile, DraftMessage, DraftMode, MailTemplate, Outgoing, OutgoingState
from mailwall.sending.types import Letter, LetterFile
from mailwall.team.models import User

HOLD_SECONDS = 20


def save_and_send(
    writer: User,
    draft_id: uuid.UUID,
    content: DraftContent,
    *,
    version: int,
    origin: Origin | None = None,
    send_at: datetime | None = None,
    confirmed: bool = False,
    uploads: Sequence[UploadedFile] = (),
) -> Outgoing:
    """Save what was typed upon `version`, then send it; both clicks of a double click give the same mail.

    uploads: files chosen but not attached yet, as a form without scripts has them.

    :raises: as drafts.save_draft (nothing is saved then) and as send_draft (it is saved, not sent).
    """
    try:
        draft = drafts.save_draft(writer, draft_id, content, version=version, origin=origin)
    except DraftConflict as conflict:
        if conflict.draft.outgoing is not None and conflict.draft.version == version + 2:
            return conflict.draft.outgoing
        raise
    if refused := drafts.attach(writer, draft.pk, uploads):
        raise LetterInvalid([("files", sentence(one)) for one in refused])
    return send_draft(writer, draft.pk, version=draft.version, send_at=send_at, confirmed=confirmed)


def send_draft(
    writer: User, draft_id: uuid.UUID, *, version: int, send_at: datetime | None = None, confirmed: bool = False
) -> Outgoing:
    """Queue what the draft says, held so that it can be taken back. Twice gives the same outgoing mail.

    confirmed: nothing is attached though the text says so, and that is meant.
    :raises DraftNotFound, DraftConflict, LetterInvalid, SendingInactive, AttachmentForgotten: nothing is sent then.
    """
    draft = draft_of(writer, draft_id)
    if draft.outgoing is not None and draft.version == version + 1:
        return draft.outgoing
    baggage = draft_queries.baggage_of(writer, draft)
    letter = _letter(writer, draft, baggage)
    if not confirmed and baggage.is_empty and _says_attached(draft):
        raise AttachmentForgotten
    with transaction.atomic():
        rows = DraftMessage.objects.of(writer).unsent().filter(pk=draft.pk, version=version)
        if not rows.update(version=F("version") + 1):
            return _already_sent(writer, draft_id, version)
        outgoing = services.queue_outgoing(writer, letter, hold_seconds=HOLD_SECONDS, send_at=send_at)
        DraftMessage.objects.filter(pk=draft.pk).update(outgoing=outgoing, account=outgoing.account)
    return outgoing


def _already_sent(writer: User, draft_id: uuid.UUID, version: int) -> Outgoing:
    now = draft_of(writer, draft_id)
    if now.outgoing is not None and now.version == version + 1:
        return now.outgoing
    raise DraftConflict(now, DraftConflict.MSGID_GONE if now.outgoing or now.discarded_at else DraftConflict.MSGID)


def _says_attached(draft: DraftMessage) -> bool:
    text = draft.body if draft.is_plain else html_to_text(draft.body)
    return typed.mentions_attachment(f"{draft.subject if draft.mode == DraftMode.NEW else ''}\n{text}")


def _letter(writer: User, draft: DraftMessage, baggage: Baggage) -> Letter:
    """The draft as a letter, signature and quote in their places. :raises LetterInvalid:"""
    receivers, errors = _receivers(draft)
    account = draft.account or senders.senders(writer).chosen(None)
    first = next(iter(receivers["to"]), None)
    subject, body, missing = _filled(writer, draft, account, first)
    for field, names in missing.items():
        errors.append((field, _("There is no value for %(names)s.") % {"names": ", ".join(names)}))
    if errors:
        raise LetterInvalid(errors)
    shown = {item.content_id for item in baggage.forwarded if item.inline}
    text, html = _bodies(writer, draft, account, body, shown)
    answers = draft.mode in (DraftMode.REPLY, DraftMode.REPLY_ALL)
    return Letter(
        account=account,
        **receivers,
        subject=subject,
        html=html,
        text=text,
        files=tuple(
            LetterFile(filename=file.filename, content_type=file.content_type, raw_content=bytes(file.raw_content))
            for file in DraftFile.objects.filter(draft=draft)
        ),
        in_reply_to=draft.original_id if answers else None,
        with_signature=False,  # it stands before the quote already
        forward_attachments=tuple(item.pk for item in baggage.forwarded),
    )


def _receivers(draft: DraftMessage) -> tuple[dict[str, tuple[Address, ...]], list[tuple[str, str]]]:
    found: dict[str, tuple[Address, ...]] = {}
    errors: list[tuple[str, str]] = []
    for field in ("to", "cc", "bcc"):
        read = typed.read_receivers(getattr(draft, field))
        found[field] = tuple(one.address for one in read if one.address)
        for one in read:
            if one.address is None:
                errors.append((field, _("“%(text)s” is not an address.") % {"text": one.text}))
    if not errors and not any(found.values()):
        errors.append(("to", _("Say to whom the mail goes.")))
    return found, errors


def _filled(
    writer: User, draft: DraftMessage, account: EmailAccount | None, first: Address | None
) -> tuple[str, str, dict[str, tuple[str, ...]]]:
    """Subject and body without placeholders; by field, the names that have no value."""
    if "{{" not in draft.subject + draft.body:
        return draft.subject, draft.body, {}
    values = mail_templates.field_values(contact_at(first), writer, account)
    subject = placeholders.fill(draft.subject, values)
    body = placeholders.fill(draft.body, values, as_html=not draft.is_plain)
    missing = {"subject": subject.missing, "body": body.missing}
    return subject.text, body.text, {field: names for field, names in missing.items() if names}


def use_template(writer: User, draft: DraftMessage, template: MailTemplate) -> None:
    """Put a template before what a draft says already, filled for its first receiver.

    What has no value yet stays as a placeholder: it is asked for again when the mail goes. The subject is taken where
    the writer has none.
    """
    account = senders.senders(writer).chosen(draft.account_id)
    read = typed.read_receivers(draft.to)
    contact = contact_at(next((one.address for one in read if one.address), None))
    values = mail_templates.field_values(contact, writer, account)
    html = placeholders.fill_known(template.html, values, as_html=True)
    subject = " ".join(placeholders.fill_known(template.subject, values).split())
    body = f"{html_to_text(html)}\n\n{draft.body}".rstrip() if draft.is_plain else html + draft.body
    takes_subject = draft.mode == DraftMode.NEW and not draft.subject
    drafts.set_body(writer, draft, body, subject=subject if takes_subject else None, is_plain=draft.is_plain)


def place_in_text(writer: User, draft: DraftMessage, *, also_quote: bool) -> FileRefused | None:
    """Move the signature, and the quote too, into the text of the mail, where they can be edited. Again does nothing.

    The quote's images stay behind: an editor would load them, and tell the sender that it was read.
    """
    account = draft.account or senders.senders(writer).chosen(None)
    signature = signatures.signature_for(writer, account) if account and draft.with_signature else ""
    quote = draft_queries.quote_of(writer, draft) if also_quote and draft.with_quote else draft_queries.Quote()
    if draft.is_plain:
        body = "\n\n".join(filter(None, (rules.with_text_signature(draft.body, signature), quote.text)))
    else:
        signed = rules.with_signature(draft.body, signature) if signature else draft.body
        body = "<br>".join(filter(None, (signed, quote.editable_html)))
    if len(body) > MAX_CLEAN_LENGTH:
        return FileRefused(FileRefused.MSGID_BODY)
    kept = draft.with_quote and not also_quote
    drafts.set_body(writer, draft, body, is_plain=draft.is_plain, with_signature=False, with_quote=kept)
    return None


def contact_at(person: Address | None) -> Contact | None:
    """The contact that owns this address, people before companies; None."""
    if person is None:
        return None
    rows = ContactAddress.objects.filter(address=person.address).select_related("contact__company")
    owners = sorted(rows, key=lambda row: row.kind != Kind.PERSON)
    return owners[0].contact if owners else None


def _bodies(
    writer: User, draft: DraftMessage, account: EmailAccount | None, body: str, shown: Collection[str]
) -> tuple[str, str]:
    """(text, html) with signature and quote; html is '' for a plain text mail. shown: images that go along."""
    signature = signatures.signature_for(writer, account) if account and draft.with_signature else ""
    quote = draft_queries.quote_of(writer, draft) if draft.with_quote else draft_queries.Quote()
    written = body.rstrip() if draft.is_plain else html_to_text(body)
    text = "\n\n".join(part for part in (rules.with_text_signature(written, signature).rstrip(), quote.text) if part)
    if draft.is_plain:
        return text, ""
    html = clean_written_html(body)
    html = rules.with_signature(html, signature) if signature else html
    return text, "<br>\n".join(part for part in (html, quote.sendable_html(shown)) if part)


# -- what became of it


def take_back(writer: User, outgoing_id: int) -> DraftMessage | None:
    """Undo sending: the mail does not go, its draft can be edited again. None: it was not written as a draft.

    :raises OutgoingNotFound, TooLate.
    """
    draft = DraftMessage.objects.of(writer).filter(outgoing=outgoing_id).first()
    services.cancel_outgoing(writer, outgoing_id)
    return reopen(writer, draft) if draft else None


def send_now(writer: User, outgoing_id: int) -> Outgoing:
    """Let a mail that is held go at once. Again does nothing.

    :raises OutgoingNotFound: :raises TooLate: it was taken back or has failed.
    """
    own = Outgoing.objects.of(writer).filter(pk=outgoing_id)
    if not own.filter(state=OutgoingState.HELD).update(state=OutgoingState.QUEUED, due_at=timezone.now()):
        found = own.first()
        if found is None:
            raise OutgoingNotFound
        if found.state in (OutgoingState.CANCELLED, OutgoingState.FAILED):
            raise TooLate(TooLate.MSGID_SEND_NOW)
    return own.get()


def edit_failed(writer: User, outgoing_id: int) -> DraftMessage | None:
    """The draft of a mail that failed, to be edited and sent anew. None: it was not written as a draft.

    The failed mail is withdrawn with it, so that only one of both can be sent.
    :raises OutgoingNotFound: :raises TooLate: it has not failed, or is tried again.
    """
    draft = DraftMessage.objects.of(writer).filter(outgoing=outgoing_id).first()
    if draft is None:
        services.get_outgoing(writer, outgoing_id)
        return None
    services.withdraw_failed(writer, outgoing_id)
    return reopen(writer, draft)


def reopen(writer: User, draft: DraftMessage) -> DraftMessage:
    """Make a draft editable again whose mail was taken back or failed."""
    DraftMessage.objects.of(writer).filter(pk=draft.pk).update(
        outgoing=None, discarded_at=None, version=F("version") + 1, updated_at=timezone.now()
    )
    return draft_of(writer, draft.pk)


def forget_when_sent(outgoing_id: int, outcome: str) -> None:
    """A hook: the draft of a mail that has gone is of no more use; that of one taken back is a draft again."""
    rows = DraftMessage.objects.filter(outgoing=outgoing_id)
    if outcome == hooks.SENT:
        rows.delete()
    elif outcome == hooks.CANCELLED:
        rows.update(outgoing=None, updated_at=timezone.now())
