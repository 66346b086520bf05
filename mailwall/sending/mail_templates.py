"""Mail templates: named mails with placeholders, own or shared; and what they say for one contact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.contacts.models import Contact, Kind
from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.html import clean_written_html
from mailwall.sending import placeholders
from mailwall.sending.errors import TemplateInvalid
from mailwall.sending.models import MailTemplate, Sharing
from mailwall.sending.signatures import checked_size
from mailwall.team.models import User

MAX_TEMPLATE_BYTES = 1_000_000
MAX_NAME_LENGTH, MAX_SUBJECT_LENGTH = 200, 500


class SomeTemplate(Protocol):
    """A subject and HTML with placeholders: a MailTemplate, or the step of a sequence."""

    @property
    def subject(self) -> str: ...
    @property
    def html(self) -> str: ...


class Rendered(NamedTuple):
    """missing_fields: names without a value and without a fallback, subject first, each once: nothing to send yet."""

    subject: str
    html: str
    missing_fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateDraft:
    """A template as its writer means it."""

    name: str
    subject: str = ""
    html: str = ""
    sharing: str = Sharing.OWN


def render_template(
    template: SomeTemplate, contact: Contact | None, sender: User, account: EmailAccount | None = None
) -> Rendered:
    """What the template says to this contact from this sender; html is clean. account: it is sent from this one."""
    values = field_values(contact, sender, account)
    subject = placeholders.fill(template.subject, values)
    body = placeholders.fill(template.html, values, as_html=True)
    missing = tuple(dict.fromkeys(subject.missing + body.missing))
    return Rendered(" ".join(subject.text.split()), clean_written_html(body.text), missing)


def field_values(contact: Contact | None, sender: User, account: EmailAccount | None = None) -> Mapping[str, str]:
    """What each of placeholders.FIELDS stands for; '' where it is not known."""
    known = {
        "sender_name": sender.name,
        "sender_first_name": sender.name.split(" ")[0],
        "sender_email": account.address if account else sender.email,
    }
    if contact is None:
        return known
    company = contact if contact.kind == Kind.COMPANY else contact.company
    address = contact.addresses.first()
    return known | {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "name": contact.name,
        "company": company.name if company else "",
        "title": contact.title,
        "phone": contact.phone,
        "email": address.readable if address else "",
    }


def field_errors(subject: str, html: str) -> tuple[tuple[str, str], ...]:
    """(field, sentence) pairs of placeholders that could never be filled: unknown names, braces without an end."""
    errors = []
    for field, text, as_html in (("subject", subject, False), ("html", html, True)):
        unknown = placeholders.unknown_names(text, as_html=as_html)
        if unknown:
            known = ", ".join(placeholders.FIELDS)
            sentence = _("There is no field %(names)s. The fields are: %(known)s.")
            errors.append((field, sentence % {"names": ", ".join(unknown), "known": known}))
        if placeholders.is_broken(text):
            errors.append((field, _("A field is written {{first_name}}, with two braces on both sides.")))
    return tuple(errors)


def templates_for(viewer: User) -> QuerySet[MailTemplate]:
    """What the viewer may use, by name, with the owner."""
    return MailTemplate.objects.visible_to(viewer).select_related("owner")


def may_edit(viewer: User, template: MailTemplate) -> bool:
    """Its owner; and an admin where it is for everybody, so that it does not outlive its care."""
    return template.owner_id == viewer.pk or (viewer.is_admin and template.sharing == Sharing.EVERYONE)


def save_template(owner: User, draft: TemplateDraft, template: MailTemplate | None = None) -> MailTemplate:
    """Store a new template, or change one that the user may edit.

    :raises TemplateInvalid: with all that is wrong. :raises TextTooLong.
    """
    html = clean_written_html(checked_size(draft.html, MAX_TEMPLATE_BYTES))
    name, subject = " ".join(draft.name.split()), " ".join(draft.subject.split())
    errors = list(field_errors(subject, html))
    if not name or len(name) > MAX_NAME_LENGTH:
        errors.append(("name", _("Enter a name of at most %(limit)d characters.") % {"limit": MAX_NAME_LENGTH}))
    if len(subject) > MAX_SUBJECT_LENGTH:
        errors.append(("subject", _("At most %(limit)d characters are possible.") % {"limit": MAX_SUBJECT_LENGTH}))
    if draft.sharing == Sharing.TEAM and owner.team_id is None:
        errors.append(("sharing", _("You belong to no team.")))
    if errors:
        raise TemplateInvalid(errors)
    row = template or MailTemplate(owner=owner)
    row.name, row.subject, row.html, row.sharing = name, subject, html, draft.sharing
    row.save()
    return row


def delete_template(template: MailTemplate) -> None:
    """Gone from every list; restore_template brings it back."""
    MailTemplate.objects.filter(pk=template.pk).update(deleted_at=timezone.now())


def restore_template(owner: User, template_id: int) -> MailTemplate | None:
    """Undo delete_template by somebody who may edit it; None when there is nothing of theirs to restore."""
    found = MailTemplate.objects.filter(pk=template_id, deleted_at__isnull=False).select_related("owner").first()
    if found is None or not may_edit(owner, found):
        return None
    found.deleted_at = None
    found.save(update_fields=["deleted_at"])
    return found
