"""Words of the triage page: moments by day and time, ids of groups."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django import template
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from mailwall.contacts.rules import readable_address

register = template.Library()


@register.filter
def day_and_time(value: datetime) -> SafeString:
    """`today 03:00`, `tomorrow 03:00`, else the date and the time, in the reader's zone."""
    local, today = timezone.localtime(value), timezone.localtime().date()
    words = {-1: _("yesterday %(time)s"), 0: _("today %(time)s"), 1: _("tomorrow %(time)s")}
    day = words.get((local.date() - today).days)
    text = day % {"time": formats.time_format(local, "H:i")} if day else formats.date_format(local, "DATETIME_FORMAT")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.filter
def group_id(key: str) -> str:
    """A stable id for the part of the page that shows this address or domain."""
    return hashlib.blake2b(key.encode(), digest_size=6).hexdigest()


@register.filter
def readable(value: str) -> str:
    """An address or a domain as people write it, not in punycode."""
    return readable_address(value) if "@" in value else readable_address(f"@{value}").removeprefix("@")
