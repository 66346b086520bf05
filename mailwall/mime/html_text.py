"""HTML → readable text, by one linear pass over the tags: no tree, so nesting and size cost nothing extra.

Blocks begin new lines, list items get a dash, cells a tab. Scripts, styles and titles fall away.
Source: the HTML standard §13.2.5 (tokenization), as far as text needs it.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import html
import re
from collections.abc import Iterator

from mailwall.mime.charsets import clean

MAX_HTML_LENGTH = 32 * 1024 * 1024

# Possessive throughout: a tag is read once, whatever stands in it.
_TAG = re.compile(
    r"""<(/?)([a-zA-Z][^\s/>]*+)((?:[\s/]++|[^\s/>=][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"'][^\s>]*+|"
    r"(?=>)))?+|=)*+)>"""
)
_MARKUP = re.compile(r"<(?=[a-zA-Z/!?])")
_COMMENT_END = re.compile(r"--!?>")
_SKIPPED = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details dialog dir div dl dt fieldset figcaption figure "
    "footer "
    "form h1 h2 h3 h4 h5 h6 header html legend li main menu nav ol optgroup option p pre section summary table tbody "
    "tfoot "
    "thead tr ul".split()
)
_SPACED = frozenset("p h1 h2 h3 h4 h5 h6 blockquote ul ol dl table pre".split())
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_SPACES = re.compile(r"[ \t\r\n\f]+")
_ALT = re.compile(r"""(?:^|\s)alt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)


def tokens(source: str) -> Iterator[tuple[str, bool, str]]:
    """(lower case name, closes, attributes) of each tag and ("", False, raw text) between them, in order.

    Comments and the insides of scripts, styles and titles are left out.
    """
    position, size = 0, len(source)
    endless: set[str] = set()
    while position < size:
        match = _MARKUP.search(source, position)
        start = match.start() if match else size
        if start > position:
            yield "", False, source[position:start]
        if match is None:
            return
        tag = _TAG.match(source, start) if source[start + 1] not in "!?" else None
        if tag is None:
            position = _end_of_markup(source, start)
            continue
        slash, name, attributes = tag.groups()
        name = name.lower()
        yield name, slash != "", attributes
        position = tag.end()
        if name in _SKIPPED and not slash and name not in endless:
            end = _SKIPPED[name].search(source, position)
            if end is None:  # read on as text, so that no mail ends in a stray <title>
                endless.add(name)
            position = end.start() if end else position


def _end_of_markup(source: str, start: int) -> int:
    """The end of a comment, a doctype, or a tag that is none; the end of the text when it never closes."""
    if source.startswith("<!--", start):
        if source.startswith((">", "->"), start + 4):
            return source.index(">", start) + 1
        end = _COMMENT_END.search(source, start + 4)
        return end.end() if end else len(source)
    close = source.find(">", start)
    return close + 1 if close >= 0 else len(source)


def _one_line(text: str) -> str:
    """Runs of white space become a space, none at the ends. Most texts have none: the pattern reads every letter."""
    if "  " in text or "\n" in text or "\t" in text or "\r" in text or "\f" in text:
        text = _SPACES.sub(" ", text)
    return text.strip(" ")


def html_to_text(source: str, limit: int = MAX_HTML_LENGTH) -> str:
    """Readable text of an HTML mail. Never raises; reads at most `limit` characters of the source."""
    writer = _Writer()
    for name, closes, rest in tokens(source[:limit]):
        if name:
            writer.tag(name, closes, rest)
        else:
            writer.text(rest)
    return writer.result()


class _Writer:
    """Collects text; remembers what separation is due before the next word."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.breaks = 0
        self.space = False
        self.bullet = ""
        self.preformatted = 0

    def text(self, raw: str) -> None:
        text = html.unescape(raw) if "&" in raw else raw
        if self.preformatted:
            self._write(text.replace("\r\n", "\n"))
            return
        leading, trailing = text[:1] in " \t\r\n\f", text[-1:] in " \t\r\n\f"
        text = _one_line(text)
        if not text:
            self.space = True
            return
        self.space = self.space or leading
        self._write(text)
        self.space = trailing

    def _write(self, text: str) -> None:
        if self.breaks and self.out:
            self.out.append("\n" * min(self.breaks, 2))
        elif self.space and self.out and not self.breaks and self.out[-1][-1:] not in "\n\t":
            self.out.append(" ")
        self.breaks, self.space = 0, False
        if self.bullet:
            self.out.append(self.bullet)
            self.bullet = ""
        self.out.append(text)

    def tag(self, name: str, closes: bool, attributes: str) -> None:
        if name in _BLOCKS:
            self.breaks = max(self.breaks, 2 if name in _SPACED else 1)
            self.space = False
            if name == "li":
                self.bullet = "" if closes else "- "
            elif name == "pre":
                self.preformatted = max(0, self.preformatted + (-1 if closes else 1))
        elif name == "br":
            self._line_break()
        elif name in ("td", "th"):
            self.space = False
            if not closes and self.out and not self.breaks:
                self.out.append("\t")
        elif name == "hr":
            self.breaks = max(self.breaks, 1)
            self._write("---")
            self.breaks = 1
        elif name == "img" and (alt := _ALT.search(attributes)):
            self.text(alt[1] or alt[2] or alt[3] or "")

    def _line_break(self) -> None:
        if self.breaks and self.out:
            self.out.append("\n" * min(self.breaks, 2))
            self.breaks = 0
        self.space = False
        if self.out:
            self.out.append("\n")

    def result(self) -> str:
        text = clean("".join(self.out)).replace("\u00a0", " ").replace("\u200c", "").replace("\u00ad", "")
        return _squeeze([line.rstrip(" \t") for line in text.split("\n")])


def _squeeze(lines: list[str]) -> str:
    """Lines joined, never more than one empty line in a row, none at the ends."""
    out: list[str] = []
    for line in lines:
        if line or (out and out[-1]):
            out.append(line)
    return "\n".join(out).strip("\n")


def is_excessive(source: str, *, max_depth: int, max_attributes: int) -> bool:
    """Whether a tree parser would need quadratic time: too deep, or a tag with too many attributes."""
    depth = 0
    for name, closes, rest in tokens(source):
        if name and len(rest) > max_attributes and _count_attributes(rest) > max_attributes:
            return True
        if name and name not in _VOID:
            depth = max(0, depth + (-1 if closes else 1))
            if depth > max_depth:
                return True
    return False


_QUOTED = re.compile(r'"[^"]*"|\'[^\']*\'')
_SEPARATORS = re.compile(r"[\s/]+")


def _count_attributes(attributes: str) -> int:
    return len(_SEPARATORS.findall(_QUOTED.sub(" x ", attributes)))
