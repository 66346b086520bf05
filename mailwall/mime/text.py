"""One text part → readable text: charset, line ends, format=flowed.

Sources: RFC 3676 (flowed, delsp), RFC 2045 §6, HTML standard (charset in <meta>).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailwall.mime.charsets import decode_bytes
from mailwall.mime.transfer import decode_transfer
from mailwall.mime.types import BodyPart

MAX_TEXT_BYTES = 32 * 1024 * 1024

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{2,40})", re.IGNORECASE)
_ENRICHED = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]{0,60})>")


@dataclass(frozen=True, slots=True)
class PartText:
    """text: decoded, line ends '\\n'. defects: in short words."""

    text: str
    defects: tuple[str, ...] = ()


def decode_part(part: BodyPart, raw: bytes) -> PartText:
    """The text of a leaf from its bytes on the wire. Never raises; at most MAX_TEXT_BYTES of them count."""
    defects = []
    if len(raw) > 2 * MAX_TEXT_BYTES:
        raw = raw[: 2 * MAX_TEXT_BYTES]
    decoded, defect = decode_transfer(raw, part.encoding)
    defects.append(defect)
    if len(decoded) > MAX_TEXT_BYTES:
        decoded = decoded[:MAX_TEXT_BYTES]
        defects.append("text truncated")
    charset = part.charset
    if part.content_type == "text/html" and charset in ("", "us-ascii"):
        start = decoded[:2048]
        meta = _META_CHARSET.search(start) if b"charset" in start.lower() else None
        charset = meta[1].decode("ascii") if meta else charset
        if charset.lower().startswith(("utf-16", "utf-32")):  # we could read the word, so it is not true
            charset = "utf-8"
    text, defect = decode_bytes(decoded, charset)
    defects.append(defect)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if part.content_type == "text/plain":
        params = dict(part.params)
        if params.get("format", "").lower() == "flowed":
            text = unflow(text, delsp=params.get("delsp", "").lower() == "yes")
    elif part.content_type in ("text/enriched", "text/richtext"):
        text = _ENRICHED.sub("", text)
    return PartText(text, tuple(item for item in defects if item))


def unflow(text: str, *, delsp: bool = False) -> str:
    """Rejoin format=flowed paragraphs (RFC 3676 §4); quotes keep their '>' marks, '-- ' stays a line of its own."""
    out: list[str] = []
    paragraph: list[str] = []
    paragraph_depth = 0
    for line in text.split("\n"):
        bare = line.lstrip(">")
        depth = len(line) - len(bare)
        if bare[:1] == " ":
            bare = bare[1:]
        flowed = bare.endswith(" ") and bare != "-- "
        if paragraph and (depth != paragraph_depth or bare == "-- "):
            out.append(_quote("".join(paragraph), paragraph_depth))
            paragraph = []
        paragraph_depth = depth
        if flowed:
            paragraph.append(bare[:-1] if delsp else bare)
            continue
        paragraph.append(bare)
        out.append(_quote("".join(paragraph), depth))
        paragraph = []
    if paragraph:
        out.append(_quote("".join(paragraph), paragraph_depth))
    return "\n".join(out)


def _quote(text: str, depth: int) -> str:
    return ">" * depth + " " + text if depth else text
