"""The placeholder language of templates and sequences: `{{first_name}}`, with a fallback `{{first_name|there}}`.

Pure, and no template engine: a placeholder is replaced by a value or by its fallback, once; what a value holds is never
looked at again. A name we do not know, or a value that is missing without a fallback, is told, never printed.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

#: what every template may name; values come from the contact and from the sender
FIELDS = (
    "first_name", "last_name", "name", "company", "title", "email", "phone", "sender_name", "sender_first_name",
    "sender_email",
)  # fmt: skip
_TAGS = re.compile(r"<[^<>]*>")
_PLACEHOLDER = re.compile(r"\{\{((?:(?!\{\{|\}\}).){0,500}?)\}\}", re.DOTALL)
_BROKEN = re.compile(r"\{\{|\}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """fallback None: none was given; '' was given on purpose (`{{title|}}`)."""

    name: str
    fallback: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """missing: names, in order and once, that have no value and no fallback; nothing stands in their place."""

    text: str
    missing: tuple[str, ...] = ()


def placeholders_in(text: str, *, as_html: bool = False) -> tuple[Placeholder, ...]:
    """Every placeholder, in the order of the text. as_html: tags and entities of an editor inside one do not count."""
    return tuple(_read(match.group(1), as_html) for match in _PLACEHOLDER.finditer(text))


def unknown_names(text: str, *, as_html: bool = False, known: tuple[str, ...] = FIELDS) -> tuple[str, ...]:
    """Names that stand for nothing, in order and once."""
    names = [placeholder.name for placeholder in placeholders_in(text, as_html=as_html)]
    return tuple(dict.fromkeys(name for name in names if name not in known))


def is_broken(text: str) -> bool:
    """Whether braces open or close a placeholder that has no other end."""
    return _BROKEN.search(_PLACEHOLDER.sub("", text)) is not None


def fill(text: str, values: Mapping[str, str], *, as_html: bool = False) -> Filled:
    """The text with values in place of placeholders. as_html: text is HTML, values and fallbacks are escaped."""
    missing: dict[str, None] = {}

    def replace(match: re.Match[str]) -> str:
        placeholder = _read(match.group(1), as_html)
        value = values.get(placeholder.name, "").strip()
        if not value and placeholder.fallback is None:
            missing[placeholder.name] = None
        chosen = value or placeholder.fallback or ""
        return html.escape(chosen) if as_html else " ".join(chosen.split()) if "\n" not in text else chosen

    return Filled(text=_PLACEHOLDER.sub(replace, text), missing=tuple(missing))


def fill_known(text: str, values: Mapping[str, str], *, as_html: bool = False) -> str:
    """As fill, but what has neither value nor fallback stays as it stands, to be filled later."""

    def replace(match: re.Match[str]) -> str:
        filled = fill(match[0], values, as_html=as_html)
        return match[0] if filled.missing else filled.text

    return _PLACEHOLDER.sub(replace, text)


def _read(inside: str, as_html: bool) -> Placeholder:
    words = html.unescape(_TAGS.sub("", inside)) if as_html else inside
    name, bar, fallback = words.replace("\xa0", " ").partition("|")
    return Placeholder(name=name.strip().lower(), fallback=fallback.strip() if bar else None)
