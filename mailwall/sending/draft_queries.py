"""Reads of drafts and of the mail that waits: the writer first. How a draft begins, what it quotes and carries."""

from __future__ import annotations

import html as html_entities
import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import pgettext

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact
from mailwall.mailstore.models import Attachment, Message, MessageBody, Participant, ParticipantRole
from mailwall.mime.html import clean_html, html_to_text
from mailwall.mime.types import Address
from mailwall.sending import answering, rules, senders, typed
from mailwall.sending.errors import DraftNotFound
from mailwall.sending.models import DraftFile, DraftMessage, DraftMode, Outgoing, OutgoingState
from mailwall.team.models import User

_IMAGE = re.compile(r'<img(?: [a-z-]+="[^"]*")*>')  # as clean_html writes it
_PART = re.compile(r' data-cid="([^"]*)"')
_HIDDEN = " data-remote-src="


# -- drafts


def draft_of(viewer: User, draft_id: uuid.UUID) -> DraftMessage:
    """The viewer's draft with what the composer shows of it.

    :raises DraftNotFound:
    """
    rows = DraftMessage.objects.of(viewer).select_related("original__account", "contact", "outgoing")
    draft = rows.filter(pk=draft_id).first()
    if draft is None:
        raise DraftNotFound
    return draft


def drafts_of(viewer: User, *, limit: int = 200) -> list[DraftMessage]:
    """The viewer's unsent drafts, newest first."""
    rows = DraftMessage.objects.of(viewer).unsent().select_related("contact").order_by("-updated_at")
    return list(rows[:limit])


def drafts_about(viewer: User, contact_id: int) -> list[DraftMessage]:
    """Unsent drafts that were begun on this contact's wall, newest first."""
    rows = DraftMessage.objects.of(viewer).unsent().filter(contact=contact_id, mode=DraftMode.NEW)
    return list(rows.order_by("-updated_at")[:3])


def scheduled_for(viewer: User) -> QuerySet[Outgoing]:
    """The viewer's mails that wait for their time, the next one first; a sequence's are not among them."""
    rows = Outgoing.objects.of(viewer).filter(
        state__in=(OutgoingState.HELD, OutgoingState.QUEUED), automatic=False, data_started_at=None, sent_at=None
    )
    return rows.select_related("account", "draft").order_by("due_at", "id")


def visible_outgoing(viewer: User, message_id: int) -> Outgoing | None:
    """The outgoing mail that a message the viewer sees is, newest if sent again; None for other mail."""
    seen = Message.objects.visible_to(viewer).filter(pk=message_id)
    rows = Outgoing.objects.filter(message__in=seen).select_related("message", "account", "draft")
    return rows.order_by("-pk").first()


# -- how a draft begins


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a draft is about: the mode, the message it answers, the contact on whose wall it was begun."""

    mode: str = DraftMode.NEW
    original_id: int | None = None
    contact_id: int | None = None
    to: str = ""


def begin_draft(viewer: User, origin: Origin) -> DraftMessage:
    """A draft as it begins, not saved. An answer to a mail that the viewer may not see begins as a new message."""
    draft = DraftMessage(writer=viewer, mode=origin.mode, updated_at=timezone.now())
    draft.contact = contacts.contact_of(viewer, origin.contact_id) if origin.contact_id else None
    original = original_for(viewer, origin.original_id) if origin.mode != DraftMode.NEW else None
    if original is None:
        draft.mode = DraftMode.NEW
        draft.to = origin.to or _first_address(draft.contact)
        return draft
    draft.original = original
    if original.account.owner_id == viewer.pk:
        draft.account = original.account
    _answer(viewer, draft, original)
    return draft


def _answer(viewer: User, draft: DraftMessage, original: Message) -> None:
    if draft.mode == DraftMode.FORWARD:
        draft.subject = answering.forward_subject(original.subject)
        draft.forward_attachments = [attachment.pk for attachment in attachments_of(original)]
        return
    parties = parties_of(original)
    to_all = draft.mode == DraftMode.REPLY_ALL
    receivers = answering.receivers_of_reply(parties, senders.own_addresses(viewer), to_all=to_all)
    draft.to, draft.cc = typed.write_receivers(receivers.to), typed.write_receivers(receivers.cc)
    draft.subject = answering.reply_subject(original.subject)


def _first_address(contact: Contact | None) -> str:
    first = contact.addresses.first() if contact else None
    return typed.write_receiver(Address(name=contact.name, address=first.readable)) if contact and first else ""


def original_for(viewer: User, message_id: int | None) -> Message | None:
    """The message to answer, the viewer's own copy where there is one; None when the viewer may not see it."""
    visible = Message.objects.visible_to(viewer).select_related("account")
    message = visible.filter(pk=message_id).first() if message_id is not None else None
    if message is None or message.account.owner_id == viewer.pk:
        return message
    return visible.filter(dedupe_key=message.dedupe_key, account__owner=viewer).first() or message


def unsent_answer(viewer: User, origin: Origin) -> DraftMessage | None:
    """The draft that the viewer has begun already as this answer to this message, or to this contact."""
    rows = DraftMessage.objects.of(viewer).unsent().filter(mode=origin.mode)
    if origin.mode == DraftMode.NEW:
        return None
    original = original_for(viewer, origin.original_id)
    found = rows.filter(original=original).order_by("-updated_at").first() if original else None
    return draft_of(viewer, found.pk) if found else None


def parties_of(message: Message) -> answering.Parties:
    """The people in the header of a message."""
    roles: dict[str, list[Address]] = {}
    rows = Participant.objects.filter(message=message).order_by("role", "position")
    for role, name, address in rows.values_list("role", "name", "address__address"):
        roles.setdefault(role, []).append(Address(name=name, address=address))
    return answering.Parties(
        from_=roles.get(ParticipantRole.FROM, []),
        reply_to=roles.get(ParticipantRole.REPLY_TO, []),
        to=roles.get(ParticipantRole.TO, []),
        cc=roles.get(ParticipantRole.CC, []),
        sent=message.direction == "sent",
    )


def attachments_of(message: Message) -> list[Attachment]:
    """What a forwarded message can carry along."""
    return list(Attachment.objects.filter(message=message).order_by("position", "id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The original below an answer, as HTML that loads nothing and as text."""

    html: str = ""
    text: str = ""

    def sendable_html(self, content_ids: Collection[str] = ()) -> str:
        """As it goes out: remote images load again; of images that were parts only those that go along stay."""

        def image(tag: re.Match[str]) -> str:
            part = _PART.search(tag[0])
            if part is None:
                return tag[0].replace(_HIDDEN, " src=")
            is_here = html_entities.unescape(part[1]) in content_ids
            return tag[0].replace(part[0], f' src="cid:{part[1]}"') if is_here else ""

        return _IMAGE.sub(image, self.html)

    @property
    def editable_html(self) -> str:
        """As it goes into the text of a mail: without images."""
        return _IMAGE.sub("", self.html)


def has_quote(viewer: User, draft: DraftMessage) -> bool:
    """Whether there is an original to quote."""
    return draft.original_id is not None and Message.objects.visible_to(viewer).filter(pk=draft.original_id).exists()


def quote_of(viewer: User, draft: DraftMessage) -> Quote:
    """The quoted original in the viewer's language; empty when there is none, or not any more for the viewer."""
    original = Message.objects.visible_to(viewer).filter(pk=draft.original_id).first() if draft.original_id else None
    if original is None:
        return Quote()
    body = MessageBody.objects.filter(pk=original.pk).first()
    source = body.html if body else ""
    text = (body.text if body else "") or html_to_text(source)
    cited = draft.mode != DraftMode.FORWARD
    heading = _attribution(original) if cited else _forwarded_head(original)
    shown = clean_html(source) or rules.html_of(text)
    return Quote(
        html=answering.quote_html(heading, shown, cited=cited), text=answering.quote_text(heading, text, cited=cited)
    )


def _attribution(original: Message) -> str:
    wrote = parties_of(original).from_
    who = typed.write_receiver(wrote[0]) if wrote else "–"
    words = {"date": _moment(original.date), "who": who}
    return pgettext("quote", "On %(date)s, %(who)s wrote:") % words


def _forwarded_head(original: Message) -> str:
    parties = parties_of(original)
    lines = [
        "---------- " + pgettext("quote", "Forwarded message") + " ----------",
        f"{pgettext('quote', 'From')}: {typed.write_receivers(list(parties.from_))}",
        f"{pgettext('quote', 'Date')}: {_moment(original.date)}",
        f"{pgettext('quote', 'Subject')}: {original.subject}",
        f"{pgettext('quote', 'To')}: {typed.write_receivers(list(parties.to))}",
    ]
    if parties.cc:
        lines.append(f"{pgettext('quote', 'Cc')}: {typed.write_receivers(list(parties.cc))}")
    return "\n".join(lines) + "\n"


def _moment(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "DATETIME_FORMAT")


# -- files


@dataclass(frozen=True, slots=True, kw_only=True)
class Baggage:
    """What goes along with a draft. forwarded: the original's attachments that are still ticked, and those not."""

    files: list[DraftFile] = field(default_factory=list)
    forwarded: list[Attachment] = field(default_factory=list)
    left_out: list[Attachment] = field(default_factory=list)

    @property
    def total_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files) + sum(item.size_bytes for item in self.forwarded)

    @property
    def is_empty(self) -> bool:
        return not self.files and not self.forwarded

    def __bool__(self) -> bool:
        return bool(self.files or self.forwarded or self.left_out)


def baggage_of(viewer: User, draft: DraftMessage) -> Baggage:
    """The files of the viewer's draft, without their bytes."""
    files = list(DraftFile.objects.filter(draft=draft.pk, draft__writer=viewer).defer("raw_content"))
    offered: list[Attachment] = []
    if draft.mode == DraftMode.FORWARD and draft.original_id:
        seen = Message.objects.visible_to(viewer).filter(pk=draft.original_id)
        offered = list(Attachment.objects.filter(message__in=seen).order_by("position", "id"))
    wanted = set(draft.forward_attachments)
    return Baggage(
        files=files,
        forwarded=[item for item in offered if item.pk in wanted],
        left_out=[item for item in offered if item.pk not in wanted],
    )
