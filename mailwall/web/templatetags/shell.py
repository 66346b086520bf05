"""What every room's templates use: icons, times in words, form controls in our look, the navigation."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from django import forms, template
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

register = template.Library()

_icon_list = (Path(__file__).parent.parent / "icons.txt").read_text(encoding="utf-8").splitlines()
ICONS = frozenset(name for name in _icon_list if name and not name.startswith("#"))


@register.simple_tag
@cache  # a page has a hundred of a few, and the address of the sprite is asked from storage
def icon(name: str, classes: str = "") -> SafeString:
    """An icon of the sprite, for decoration: beside it stands a word, or an aria-label on the control."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        classes,
        static("web/vendor/icons.svg"),
        name,
    )


@register.filter
def breakable(address: str) -> SafeString:
    """An email address that a narrow column breaks before its @, not in the middle of a word."""
    name, at, domain = address.rpartition("@")
    return format_html("{}<wbr>{}{}", name, at, domain)


@register.simple_tag
def ago(value: datetime | None, empty: str = "") -> SafeString | str:
    """`2 min ago` in a <time> that tells the exact moment; a moment ahead reads `in 3 min`."""
    if value is None:
        return empty
    exact = formats.date_format(timezone.localtime(value), "DATETIME_FORMAT")
    text = time_in_words(value, timezone.now())
    return format_html('<time datetime="{}" title="{}">{}</time>', value.isoformat(), exact, text)


def time_in_words(value: datetime, now: datetime) -> str:
    """The distance in words up to six days, else the date."""
    seconds = round((now - value).total_seconds())
    minutes, hours, days = abs(seconds) // 60, abs(seconds) // 3600, abs(seconds) // 86_400
    if minutes < 1:
        return str(_("now") if seconds >= 0 else _("in a moment"))
    if minutes < 60:
        past, ahead = (
            ngettext("%(n)d min ago", "%(n)d min ago", minutes),
            ngettext("in %(n)d min", "in %(n)d min", minutes),
        )
        return (past if seconds > 0 else ahead) % {"n": minutes}
    if hours < 24:
        past, ahead = ngettext("%(n)d h ago", "%(n)d h ago", hours), ngettext("in %(n)d h", "in %(n)d h", hours)
        return (past if seconds > 0 else ahead) % {"n": hours}
    if days < 7:
        past, ahead = ngettext("%(n)d day ago", "%(n)d days ago", days), ngettext("in %(n)d day", "in %(n)d days", days)
        return (past if seconds > 0 else ahead) % {"n": days}
    return formats.date_format(timezone.localtime(value), "DATE_FORMAT")


# -- forms

_CLASSES = (
    ((forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple), "form-check-input"),
    ((forms.Select,), "form-select"),
    ((forms.Widget,), "form-control"),
)


@register.filter
def control(field: forms.BoundField) -> SafeString:
    """The field's widget with the classes of our look; Django adds aria-describedby and aria-invalid."""
    own = field.field.widget.attrs.get("class", "")
    look = next(name for kinds, name in _CLASSES if isinstance(field.field.widget, kinds))
    return field.as_widget(attrs={"class": " ".join(filter(None, [own, look, "is-invalid" if field.errors else ""]))})


@register.filter
def control_kind(field: forms.BoundField) -> str:
    """How _field.html lays the field out: `choices` (radios, tick-boxes), `checkbox` or `line`."""
    widget = field.field.widget
    if isinstance(widget, forms.RadioSelect | forms.CheckboxSelectMultiple):
        return "choices"
    return "checkbox" if isinstance(widget, forms.CheckboxInput) else "line"


@register.filter
def may_be_empty(field: forms.BoundField) -> bool:
    """Whether the label says "optional": what one types, not what one chooses from a list."""
    return not field.field.required and not isinstance(field.field.widget, forms.Select)


@register.filter
def choices(field: forms.BoundField) -> list[Any]:
    """The radios or tick-boxes of a field, each with the class of our look and a label."""
    subwidgets = list(field.subwidgets)
    for choice in subwidgets:
        choice.data["attrs"]["class"] = "form-check-input"
    return subwidgets


# -- navigation

#: (URL name, icon, label, key after g, URL name of a count fragment); a page that does not exist is left out
NAVIGATION: tuple[tuple[str, str, Promise, str, str], ...] = (
    ("dashboard:home", "layout-dashboard", _("Dashboard"), "d", ""),
    ("contacts:list", "address-book", _("Contacts"), "c", ""),
    ("wall:mail", "mail", _("Email messages"), "m", ""),
    ("assignment:triage", "mail-question", _("Triage"), "t", "assignment:nav_count"),
    ("sequences:list", "repeat", _("Sequences"), "q", ""),
    ("sequences:today", "checkbox", _("Tasks"), "k", ""),
    ("team:settings", "settings", _("Settings"), "s", ""),
)
SHORT_LABELS: dict[str, Promise] = {"dashboard:home": _("Home"), "wall:mail": _("Mail")}
IN_BOTTOM_BAR = ("dashboard:home", "contacts:list", "wall:mail", "assignment:triage")


@register.simple_tag(takes_context=True)
def navigation(context: dict[str, Any]) -> list[dict[str, Any]]:
    """The entries of the main navigation that this installation has, the current one marked."""
    request: HttpRequest | None = context.get("request")
    entries = []
    for name, symbol, label, key, count in NAVIGATION:
        url = url_or_nothing(name)
        if not url:
            continue
        entry = {"url": url, "icon": symbol, "label": label, "key": key, "count_url": url_or_nothing(count)}
        entry["short"] = SHORT_LABELS.get(name, label)
        entry["in_bar"] = name in IN_BOTTOM_BAR
        entry["current"] = request is not None and is_current(url, request.path)
        entries.append(entry)
    return entries


@register.simple_tag
def url_or_nothing(name: str, *args: object) -> str:
    """The address of a page, '' where this installation has no such page."""
    try:
        return reverse(name, args=args) if name else ""
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def current(context: dict[str, Any], url: str) -> SafeString | str:
    """`aria-current="page"` on links to the page shown."""
    request: HttpRequest | None = context.get("request")
    return format_html(' aria-current="page"') if request is not None and is_current(url, request.path) else ""


def is_current(url: str, path: str) -> bool:
    return path == url if url == "/" else path.startswith(url)
