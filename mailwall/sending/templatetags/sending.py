"""What the templates of this room compute."""

from __future__ import annotations

from django import template
from django.urls import reverse
from django.utils.formats import number_format

from mailwall.sending.models import DraftMessage
from mailwall.sending.requests import new_draft_id

register = template.Library()


@register.simple_tag
def megabytes(size_bytes: int) -> str:
    """`1.2` for 1.2 MB; a small file is 0.1, never 0.0."""
    tenths = max(round(size_bytes * 10 / 1_000_000), 1 if size_bytes else 0)
    return number_format(tenths / 10, decimal_pos=0 if tenths % 10 == 0 else 1)


@register.simple_tag
def starts_plain(draft: DraftMessage) -> bool:
    """Whether without scripts the text is plain: nothing was written yet. composer.js turns it into rich text."""
    return not draft.is_plain and not draft.body


@register.simple_tag
def new_draft_url() -> str:
    """Where to save what is kept as another draft."""
    return reverse("sending:save_draft", args=[new_draft_id()])
