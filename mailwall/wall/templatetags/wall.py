"""What the templates of this room compute: the height of a frame, the parts of a text, where an attachment is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _

from mailwall.mailstore.models import Attachment
from mailwall.mime.html import split_quoted
from mailwall.wall import rules
from mailwall.wall.cards import MessageCard

register = template.Library()

MAX_SHOWN = 2_500  # characters of a text in a list of cards
MAX_QUOTED = 20_000
MAX_LINKED = 50_000
MAX_PAGE = 1_000_000


@dataclass(frozen=True, slots=True)
class TextParts:
    """What the sender wrote and what they quoted. is_cut: there is more of it on the message's own page."""

    written: str
    quoted: str
    is_cut: bool
    is_short: bool


@register.filter
def stretch(moment: datetime | None) -> str:
    """The part of a history that a moment belongs to: today, yesterday, else its month; '' for none."""
    if moment is None:
        return ""
    day, today = timezone.localdate(moment), timezone.localdate()
    if day >= today:
        return _("Today")
    return _("Yesterday") if day == today - timedelta(days=1) else formats.date_format(day, "YEAR_MONTH_FORMAT")


@register.filter
def file_kind(attachment: Attachment) -> str:
    """What a file is, in a word: PDF, DOCX; its content type where its name does not tell."""
    return rules.file_kind(attachment.safe_name, attachment.content_type)


@register.simple_tag
def frame_height(message: MessageCard, is_whole: object = None) -> int:
    """The height attribute of a mail's frame: its folded quotes take no room."""
    written, _quoted = split_quoted(message.text)
    return rules.frame_height(written or message.text, is_whole=bool(is_whole)) + (40 if _quoted else 0)


@register.simple_tag
def frame_url(message: MessageCard, with_images: object = None, is_open: object = None) -> str:
    """Where the frame of a mail shows it. is_open: with its quotes unfolded, for a hit may lie in them."""
    shown = {"images": with_images or message.shows_pictures, "open": is_open}
    query = urlencode({name: 1 for name, is_wanted in shown.items() if is_wanted})
    return reverse("wall:frame", args=[message.id]) + (f"?{query}" if query else "")


@register.simple_tag
def text_parts(message: MessageCard, is_whole: object = None) -> TextParts:
    """A mail's text in two parts, on cards cut to a readable length."""
    written, quoted = split_quoted(message.text)
    written, quoted = written.strip(), quoted.strip()
    most, most_quoted = (MAX_PAGE, MAX_PAGE) if is_whole else (MAX_SHOWN, MAX_QUOTED)
    is_cut = len(written) > most or len(quoted) > most_quoted or message.text_truncated
    shown = written[:most].rstrip() + ("…" if len(written) > most else "")
    return TextParts(shown, quoted[:most_quoted], is_cut, len(written) <= MAX_LINKED)


@register.simple_tag
def attachment_url(message: MessageCard, attachment: Attachment) -> str:
    """Where the sync room streams an attachment, '' while it has no such page."""
    try:
        return reverse("sync:attachment", args=[message.id, attachment.pk])
    except NoReverseMatch:
        return ""
