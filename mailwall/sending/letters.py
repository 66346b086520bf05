"""A letter as its writer means it → the bytes that leave, or all that keeps it from leaving. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import css_inline
from django.utils.translation import gettext as _

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import own_copies
from mailwall.mailstore.models import Attachment, Message
from mailwall.mime import compose, fields
from mailwall.mime.addresses import AddressInvalid, normalize_email
from mailwall.mime.html_text import html_to_text
from mailwall.mime.types import Address, Draft, DraftFile
from mailwall.sending import rules, signatures
from mailwall.sending.errors import LetterInvalid
from mailwall.sending.types import Letter, LetterFile
from mailwall.team.models import User

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False)
AUTOMATIC = (("Auto-Submitted", "auto-generated"),)  # RFC 3834 §5


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A letter as it leaves. raw_bcc: the header line before it in the sender's own copy. receivers: the envelope.

    forwarded: (message id, attachment id) of what is still to be fetched.
    """

    raw: bytes
    raw_bcc: bytes
    receivers: tuple[str, ...]
    subject: str
    forwarded: tuple[tuple[int, int], ...]


class _Checker:
    """Collects what is wrong, by field."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []

    def wrong(self, field: str, sentence: str) -> None:
        if (field, sentence) not in self.errors:
            self.errors.append((field, sentence))

    def finish(self) -> None:
        if self.errors:
            raise LetterInvalid(self.errors)


def build(
    sender: User,
    account: EmailAccount,
    letter: Letter,
    *,
    message_id: str,
    date: datetime,
    headers: Sequence[tuple[str, str]] = (),
) -> Built:
    """The mail that the sender's letter becomes. headers: further fields.

    :raises LetterInvalid: with all that can never be sent.
    """
    check = _Checker()
    to, cc, bcc = (_people(check, field, getattr(letter, field)) for field in ("to", "cc", "bcc"))
    receivers = tuple(dict.fromkeys(person.address for person in (*to, *cc, *bcc)))
    _check_receivers(check, receivers)
    _check_subject(check, letter.subject)
    files = [_file(check, file) for file in letter.files]
    forwarded = _forwarded(check, sender, letter.forward_attachments)
    answered = _answered(check, sender, letter.in_reply_to)
    text, html = _bodies(sender, account, letter)
    html, images = rules.images_as_parts(html, account.address.rpartition("@")[2])
    files += [_image_file(image) for image in images]
    _check_sizes(check, text, html, files, forwarded)
    check.finish()
    draft = Draft(
        from_=Address(name=sender.name, address=account.address),
        to=to, cc=cc, subject=letter.subject.strip(), text=text, html=_complete(html), files=tuple(files),
        message_id=message_id, date=date.astimezone(_zone(sender)), headers=tuple(headers),
        in_reply_to=own_copies.known_as(answered) if answered else "", references=_references(answered),
    )  # fmt: skip
    raw = _composed(draft)
    only_bcc = tuple(person for person in bcc if person not in (*to, *cc))
    return Built(
        raw=raw,
        raw_bcc=compose.bcc_line(only_bcc),
        receivers=receivers,
        subject=draft.subject,
        forwarded=tuple((each.message_id, each.pk) for each in forwarded),
    )


def _composed(draft: Draft) -> bytes:
    try:
        return compose.compose(draft)
    except compose.HeaderInvalid as error:
        raise LetterInvalid([("headers", error.message)]) from error


def _people(check: _Checker, field: str, people: Sequence[Address]) -> tuple[Address, ...]:
    """Normalised, each address once."""
    found: dict[str, Address] = {}
    for person in people:
        if fields.breaks_out(person.name) or fields.breaks_out(person.address):
            check.wrong(field, _("A name or an address holds a line break."))
            continue
        try:
            address = normalize_email(person.address)
        except AddressInvalid:
            check.wrong(field, _("“%(address)s” is not an e-mail address.") % {"address": person.address[:100]})
            continue
        found.setdefault(address, Address(name=person.name.strip()[:300], address=address))
    return tuple(found.values())


def _check_receivers(check: _Checker, receivers: Sequence[str]) -> None:
    if not receivers and not any(field in ("to", "cc", "bcc") for field, _sentence in check.errors):
        check.wrong("to", _("Name at least one receiver."))
    if len(receivers) > rules.MAX_RECEIVERS:
        check.wrong("to", _("A mail can have at most %(limit)d receivers.") % {"limit": rules.MAX_RECEIVERS})


def _check_subject(check: _Checker, subject: str) -> None:
    if fields.breaks_out(subject):
        check.wrong("subject", _("The subject holds a line break."))
    elif len(subject) > rules.MAX_SUBJECT_LENGTH:
        limit = {"limit": rules.MAX_SUBJECT_LENGTH}
        check.wrong("subject", _("The subject can have at most %(limit)d characters.") % limit)


def _check_sizes(
    check: _Checker, text: str, html: str, files: Sequence[DraftFile], forwarded: Sequence[Attachment]
) -> None:
    for field, source in (("html", html), ("text", text)):
        if len(source.encode("utf-8", "replace")) > rules.MAX_BODY_BYTES:
            check.wrong(field, _("The text is too long. Attach it as a file."))
    size_bytes = sum(len(file.raw_content) for file in files) + sum(each.size_bytes for each in forwarded)
    if size_bytes > rules.MAX_FILES_BYTES:
        sentence = _("The files have %(size)d MB together; at most %(limit)d MB can be sent.")
        params = {"size": -(-size_bytes // 1_000_000), "limit": rules.MAX_FILES_BYTES // 1_000_000}
        check.wrong("attachments", sentence % params)


def _image_file(image: rules.InlineImage) -> DraftFile:
    return DraftFile(
        filename=image.filename,
        content_type=image.content_type,
        raw_content=image.raw_content,
        content_id=image.content_id,
    )


def _file(check: _Checker, file: LetterFile) -> DraftFile:
    name = file.filename.strip()
    shown = {"name": " ".join(name.split())[:100]}
    if any(map(fields.breaks_out, (file.filename, file.content_type, file.content_id))):
        check.wrong("attachments", _("The name or type of a file holds a line break."))
    elif rules.is_blocked(name):
        check.wrong("attachments", _("“%(name)s” is a program; such files are not sent.") % shown)
    elif len(name.encode("utf-8", "replace")) > rules.MAX_FILENAME_BYTES:
        check.wrong("attachments", _("The name “%(name)s…” is too long.") % shown)
    return DraftFile(
        filename=name, content_type=file.content_type, raw_content=file.raw_content, content_id=file.content_id
    )


def _forwarded(check: _Checker, sender: User, ids: Sequence[int]) -> list[Attachment]:
    """Attachments of mails that the sender may see, in the order asked for."""
    visible = Message.objects.visible_to(sender)
    found = Attachment.objects.filter(pk__in=ids, message__in=visible).in_bulk()
    if len(found) < len(set(ids)):
        check.wrong("forward_attachments", _("An attachment that is to be forwarded is not there any more."))
    for each in found.values():
        if rules.is_blocked(each.filename):
            shown = {"name": each.filename[:100]}
            check.wrong("forward_attachments", _("“%(name)s” is a program; such files are not sent.") % shown)
    return [found[each] for each in dict.fromkeys(ids) if each in found]


def _answered(check: _Checker, sender: User, message_id: int | None) -> Message | None:
    if message_id is None:
        return None
    found = Message.objects.visible_to(sender).filter(pk=message_id).first()
    if found is None:
        check.wrong("in_reply_to", _("There is no such message to answer."))
    return found


def _references(answered: Message | None) -> tuple[str, ...]:
    """The chain up to the answered mail (RFC 5322 §3.6.4)."""
    if answered is None:
        return ()
    before = answered.references or [answered.in_reply_to]
    both = dict.fromkeys((answered.message_id, own_copies.known_as(answered)))
    return tuple(each for each in (*before, *both) if each)


def _bodies(sender: User, account: EmailAccount, letter: Letter) -> tuple[str, str]:
    """Text and HTML, each with the signature once."""
    placed = not letter.with_signature or rules.has_signature(letter.html)
    signature = "" if placed else signatures.signature_for(sender, account)
    html = letter.html if letter.html.strip() else rules.html_of(letter.text)
    html = rules.with_signature(html, signature) if signature else html
    if not letter.text.strip():
        return html_to_text(html), html
    return (rules.with_text_signature(letter.text, signature) if signature else letter.text), html


def _complete(html: str) -> str:
    """A whole document with its styles on the elements themselves: mail programs drop what stands in <style>."""
    if "<style" in html.lower():
        return _inliner.inline(html)
    if "<html" in html.lower():
        return html
    head = '<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head><body>\n'
    return f"{head}{html}\n</body></html>"


def _zone(sender: User) -> ZoneInfo:
    return ZoneInfo(sender.time_zone or "UTC")
