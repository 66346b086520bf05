"""Foreign HTML → HTML that shows without running, loading or overlaying anything; and its text.

nh3 (ammonia) keeps what is on the lists here and drops the rest. Every `src` that would load something is renamed, so
showing the result asks no server for anything. Quoted parts can be wrapped in our own <details>, never a sender's.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import hashlib
import html as entities
import re
from functools import lru_cache

import nh3

from mailwall.mime.charsets import clean
from mailwall.mime.html_text import html_to_text, is_excessive
from mailwall.mime.pixels import is_pixel
from mailwall.mime.quotes import mark_quotes, split_quoted

__all__ = ["clean_html", "clean_written_html", "html_to_text", "is_blank_html", "split_quoted"]

MAX_CLEAN_LENGTH = 4 * 1024 * 1024
MAX_NESTING = 8_000
MAX_ATTRIBUTES = 1_000
_GUARD_FROM = 40_000

_TAGS = frozenset(
    "a abbr acronym address article aside b bdi bdo big blockquote br caption center cite code col colgroup dd del "
    "dfn dir "
    "div dl dt em figcaption figure font footer h1 h2 h3 h4 h5 h6 header hr i img ins kbd li main mark menu ol p pre "
    "q rp "
    "rt ruby s samp section small span strike strong sub sup table tbody td tfoot th thead time tr tt u ul var "
    "wbr".split()
)
_DROPPED_WITH_CONTENT = frozenset(
    "script style title template svg math iframe object embed applet noembed noframes noscript xmp plaintext audio "
    "video "
    "canvas select datalist".split()
)
_TABLE = frozenset(
    "align valign bgcolor border bordercolor cellpadding cellspacing width height nowrap rules frame".split()
)
_CELL = _TABLE | {"colspan", "rowspan", "abbr", "scope", "headers"} - {"headers"}
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"style", "dir", "lang", "title", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height", "border", "hspace", "vspace"},
    "font": {"color", "face", "size"},
    "table": set(_TABLE) | {"summary"},
    "tbody": set(_TABLE), "thead": set(_TABLE), "tfoot": set(_TABLE), "tr": set(_TABLE),
    "td": set(_CELL), "th": set(_CELL), "col": {"span", "width", "align", "valign"}, "colgroup": {"span", "width"},
    "hr": {"color", "noshade", "size", "width"}, "br": {"clear"},
    "ol": {"start", "type", "reversed"}, "ul": {"type"}, "li": {"value", "type"},
    "q": set(), "blockquote": set(), "time": {"datetime"},
}  # fmt: skip
_SCHEMES = {"http", "https", "mailto", "tel", "cid", "data"}  # cid and data: for img alone, see _filter_attribute

_PROPERTIES = frozenset(
    "background-color border border-bottom border-bottom-color border-bottom-style border-bottom-width border-collapse "
    "border-color border-left border-left-color border-left-style border-left-width border-radius border-right "
    "border-right-color border-right-style border-right-width border-spacing border-style border-top border-top-color "
    "border-top-style border-top-width border-width box-sizing caption-side clear color direction display "
    "empty-cells float "
    "font font-family font-size font-style font-variant font-weight height letter-spacing line-height "
    "list-style-type margin "
    "margin-bottom margin-left margin-right margin-top max-height max-width min-height min-width opacity outline "
    "overflow "
    "overflow-wrap padding padding-bottom padding-left padding-right padding-top table-layout text-align "
    "text-decoration "
    "text-decoration-color text-decoration-line text-decoration-style text-indent text-overflow text-transform "
    "unicode-bidi vertical-align visibility white-space width word-break word-spacing word-wrap background".split()
)
# No backslash (escapes), no parentheses but colours: url(), image(), var(), expression() cannot be spelt.
_VALUE = re.compile(
    r"(?:[^\\()<>{}@;:/&]|(?:rgb|hsl)a?\([\d\s.,%/a-z+-]{1,60}\))*/?(?:[^\\()<>{}@;:/&])*", re.IGNORECASE
)
_NEGATIVE_MARGIN = re.compile(r"(?:^|\s)-\s*[\d.]")
_DISPLAYS = frozenset(
    "none block inline inline-block list-item table inline-table table-row table-cell table-row-group "
    "table-header-group "
    "table-footer-group table-column table-column-group table-caption flex inline-flex".split()
)
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_DATA_IMAGE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s%]*", re.IGNORECASE)
_URL_SPACES = re.compile(r"[\x00-\x20]+")


def clean_html(source: str, fold_quotes: bool = False, *, forwarded: bool = False) -> str:
    """Harmless HTML of a foreign mail. Never raises; linear in practice, sources beyond MAX_CLEAN_LENGTH are cut.

    Remote images come out as `<img data-remote-src>`, attached ones as `<img data-cid>`; what measures opens for a
    Mailwall goes. fold_quotes wraps what was
    quoted from earlier mails in `<details class="quoted">`, unless in doubt; forwarded: the quoted part is the news.
    """
    source = clean(source[:MAX_CLEAN_LENGTH])
    if not source.strip():
        return ""
    if len(source) > _GUARD_FROM and is_excessive(source, max_depth=MAX_NESTING, max_attributes=MAX_ATTRIBUTES):
        return f'<div style="white-space:pre-wrap">{entities.escape(html_to_text(source))}</div>'
    marker = ""
    if fold_quotes and not forwarded:
        # Nobody can write a text that holds its own digest: the marker is ours alone.
        name = "quoted-" + hashlib.blake2b(source.encode(), digest_size=16).hexdigest()
        marked = mark_quotes(source, name)
        source, marker = (marked, name) if marked else (source, "")
    cleaned = _cleaner(marker).clean(source)
    cleaned = _IMAGE.sub(_without_source, cleaned).strip()
    return _show_marker(cleaned, marker) if marker else cleaned


def clean_written_html(source: str) -> str:
    """Harmless HTML of what our own users wrote or pasted: signatures, templates, letters. Never raises.

    Keeps what mail programs show: tables, inline styles, links, images by https, http or data: address.
    """
    source = clean(source[:MAX_CLEAN_LENGTH])
    if len(source) > _GUARD_FROM and is_excessive(source, max_depth=MAX_NESTING, max_attributes=MAX_ATTRIBUTES):
        return f'<div style="white-space:pre-wrap">{entities.escape(html_to_text(source))}</div>'
    return _written_cleaner().clean(source).strip()


def is_blank_html(cleaned: str) -> bool:
    """Whether there is nothing to see, as in the empty paragraph of an editor."""
    return "<img" not in cleaned and "<hr" not in cleaned and not html_to_text(cleaned).strip()


@lru_cache(maxsize=1)
def _written_cleaner() -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={name: set(values) for name, values in _ATTRIBUTES.items()},
        attribute_filter=_filter_written_attribute,
        tag_attribute_values={"a": {"target": {"_blank"}}},
        strip_comments=True,
        link_rel=None,
        url_schemes=_SCHEMES - {"cid"},
        url_relative=_complete_url,
    )


@lru_cache(maxsize=1)
def _plain_cleaner() -> nh3.Cleaner:
    return _make_cleaner(set(_TAGS))


def _cleaner(marker: str) -> nh3.Cleaner:
    return _make_cleaner({*_TAGS, marker}) if marker else _plain_cleaner()


def _make_cleaner(tags: set[str]) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=tags,
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={name: set(values) for name, values in _ATTRIBUTES.items()},
        attribute_filter=_filter_attribute,
        strip_comments=True,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes=set(_SCHEMES),
        url_relative=_complete_url,
    )


def _complete_url(url: str) -> str | None:
    """`//host/path` borrows the scheme of a page that is not there; other relative links lead nowhere."""
    return "https:" + url if url.startswith("//") else None


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    """The value to keep, or None. Called for every attribute that is on the list of its tag."""
    if name == "style":
        return _filter_style(value) or None
    if name == "href":
        value = value.strip()
        return value if _LINK.match(_URL_SPACES.sub("", value)) else None
    if name == "src":
        return _filter_source(value)
    return value


def _filter_written_attribute(tag: str, name: str, value: str) -> str | None:
    """As _filter_attribute; an attached image has no meaning before the mail is made."""
    kept = _filter_attribute(tag, name, value)
    return None if kept is not None and name == "src" and kept[:4].lower() == "cid:" else kept


def _filter_source(value: str) -> str | None:
    value = value.strip()
    scheme = value[:6].lower()
    if scheme.startswith(("http:", "https:", "cid:", "//")):
        return value
    if scheme.startswith("data:"):
        return _URL_SPACES.sub("", value) if _DATA_IMAGE.fullmatch(value) else None
    return None


@lru_cache(maxsize=4096)
def _filter_style(style: str) -> str:
    """The declarations whose property is listed and whose value can neither load nor overlay anything."""
    kept = []
    for declaration in style[:4000].split(";")[:100]:
        name, colon, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon or name not in _PROPERTIES or len(value) > 300 or not _VALUE.fullmatch(value):
            continue
        if name.startswith("margin") and _NEGATIVE_MARGIN.search(value):
            continue
        if name == "display" and value.split("!")[0].strip().lower() not in _DISPLAYS:
            continue
        kept.append(f"{name}:{value}")
    return ";".join(kept)


# nh3 writes attributes as name="value" with quotes escaped, and '<' in texts as &lt;: this matches its tags only.
_IMAGE = re.compile(r'<img((?: [a-z-]+="[^"]*")*)>')
_SOURCE = re.compile(r' src="([^"]*)"')


def _without_source(match: re.Match[str]) -> str:
    source = _SOURCE.search(match[1])
    if source and is_pixel(source[1]):
        return ""
    attributes = _SOURCE.sub(_rename_source, match[1])
    return f"<img{attributes}>"


def _rename_source(match: re.Match[str]) -> str:
    value = match[1]
    scheme = value[:5].lower()
    if scheme == "data:":
        return match[0]
    if scheme.startswith("cid:"):
        return f' data-cid="{value[4:]}"'
    return f' data-remote-src="{value}"'


def _show_marker(cleaned: str, marker: str) -> str:
    """Our marker becomes a <details> that any browser folds. Its summary is an ellipsis: no language, no script."""
    opened = cleaned.replace(f"<{marker}>", '<details class="quoted"><summary>…</summary>')
    return opened.replace(f"</{marker}>", "</details>")
