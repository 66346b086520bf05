"""Header bytes, part tree and text sections → ParsedMessage. Never raises, whatever the bytes.

Sources: RFC 5322, RFC 2045–2047, RFC 2231, RFC 3834, RFC 6532.
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import html as html_entities
from collections.abc import Container, Mapping, Sequence

from mailwall.mime.addresses import parse_addresses
from mailwall.mime.automatic import find_automatic
from mailwall.mime.headers import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    decode_text,
    parse_date,
    parse_message_ids,
    split_headers,
)
from mailwall.mime.html import html_to_text
from mailwall.mime.parts import Bodies, choose_bodies, list_attachments, structure_defects
from mailwall.mime.reports import report_of
from mailwall.mime.scan import scan_message
from mailwall.mime.text import MAX_TEXT_BYTES, decode_part
from mailwall.mime.types import BodyPart, ParsedMessage

MAX_SUBJECT_LENGTH = 2_000
MAX_DEFECTS = 20

_WANTED = frozenset(
    "message-id in-reply-to references subject date from sender reply-to to cc bcc list-id list-unsubscribe "
    "return-path "
    "auto-submitted precedence x-autoreply x-autorespond x-autoresponder x-auto-response-suppress x-vacation "
    "x-failed-recipients content-type "
    "x-mailwall-message-id x-microsoft-original-message-id x-google-original-message-id".split()
)
_ORIGINAL_ID_FIELDS = ("x-mailwall-message-id", "x-microsoft-original-message-id", "x-google-original-message-id")


def parse_message(
    raw_header: bytes,
    structure: BodyPart | None,
    raw_sections: Mapping[str, bytes],
    *,
    truncated: Container[str] = (),
) -> ParsedMessage:
    """A message from its header, its part tree and the text sections that were fetched.

    raw_sections: section number → bytes as encoded on the wire; sections that are missing count as empty.
    truncated: sections that were cut on the way; the text then ends early and a defect says so.
    """
    return _assemble(raw_header, structure, raw_sections, truncated, (), None)


def parse_whole(raw: bytes) -> ParsedMessage:
    """A message from all of its bytes; attachment sizes are exact."""
    scan = scan_message(raw)
    return _assemble(scan.raw_header, scan.structure, scan.raw_sections, (), scan.defects, scan.raw_sections)


def _assemble(
    raw_header: bytes,
    structure: BodyPart | None,
    raw_sections: Mapping[str, bytes],
    truncated: Container[str],
    defects: Sequence[str],
    whole_sections: Mapping[str, bytes] | None,
) -> ParsedMessage:
    fields, odd = _collect(raw_header)
    bodies = choose_bodies(structure) if structure is not None else None
    text, html, odd_body = _texts(bodies, raw_sections, truncated)
    hint = structure_charset(structure)
    subject = decode_text(_first(fields, "subject"), hint)[:MAX_SUBJECT_LENGTH].rstrip()
    message_ids = parse_message_ids(_first(fields, "message-id"))
    senders = parse_addresses(fields.get("sender", ()), hint)
    raw_date = _first(fields, "date")
    date = parse_date(raw_date)
    if structure is not None and whole_sections is None:
        odd_body += structure_defects(structure)
    if raw_date and date is None:
        odd += ("unreadable date",)
    if not message_ids:
        odd += ("no message id",)
    in_reply_to = parse_message_ids(_first(fields, "in-reply-to"))
    originals = [each for name in _ORIGINAL_ID_FIELDS for each in parse_message_ids(_first(fields, name))]
    return ParsedMessage(
        message_id=message_ids[0] if message_ids else "",
        original_id=originals[0] if originals else "",
        in_reply_to=in_reply_to[0] if in_reply_to else "",
        references=parse_message_ids(b" ".join(fields.get("references", ()))),
        subject=subject,
        date=date,
        from_=parse_addresses(fields.get("from", ()), hint),
        sender=senders[0] if senders else None,
        reply_to=parse_addresses(fields.get("reply-to", ()), hint),
        to=parse_addresses(fields.get("to", ()), hint),
        cc=parse_addresses(fields.get("cc", ()), hint),
        bcc=parse_addresses(fields.get("bcc", ()), hint),
        text=text,
        html=html,
        attachments=list_attachments(structure, whole_sections, bodies=bodies) if structure is not None else (),
        automatic=find_automatic(fields, structure, subject),
        report=report_of(structure, raw_sections),
        list_id=_list_id(_first(fields, "list-id")),
        defects=tuple(dict.fromkeys((*defects, *odd, *odd_body)))[:MAX_DEFECTS],
    )


def _collect(raw_header: bytes) -> tuple[dict[str, list[bytes]], tuple[str, ...]]:
    """The fields we read, by name; and what was odd about the header."""
    fields: dict[str, list[bytes]] = {}
    all_fields = split_headers(raw_header)
    for name, value in all_fields:
        if name in _WANTED:
            fields.setdefault(name, []).append(value)
    odd: tuple[str, ...] = ()
    if len(all_fields) >= MAX_HEADERS or len(raw_header) > MAX_HEADER_BYTES:
        odd += ("too many header fields",)
    if not fields.get("from"):
        odd += ("no sender",)
    if not raw_header.isascii():
        odd += ("8-bit header",)
    return fields, odd


def _first(fields: Mapping[str, Sequence[bytes]], name: str) -> bytes:
    values = fields.get(name)
    return values[0] if values else b""


def _list_id(raw: bytes) -> str:
    """The id in brackets of List-Id (RFC 2919 §3), else the whole line."""
    text = decode_text(raw)
    _, bracket, rest = text.rpartition("<")
    return (rest.partition(">")[0] if bracket else text).strip()[:255]


def structure_charset(structure: BodyPart | None) -> str:
    """The charset of the first text part: the best guess for raw 8-bit header bytes that are not UTF-8."""
    if structure is None:
        return ""
    for count, part in enumerate(structure.walk()):
        if part.charset and part.content_type.startswith("text/"):
            return part.charset
        if count > 20:
            break
    return ""


def _texts(
    bodies: Bodies | None, raw_sections: Mapping[str, bytes], truncated: Container[str]
) -> tuple[str, str, tuple[str, ...]]:
    """(text, html, defects) of the body. Where the plain side is blank, text is made from the HTML side."""
    if bodies is None:
        return "", "", ("no part tree",)
    decoded: dict[str, str] = {}
    defects: list[str] = []
    for part in dict.fromkeys((*bodies.text, *bodies.html)):
        part_text = decode_part(part, raw_sections.get(part.section, b""))
        decoded[part.section] = part_text.text
        defects.extend(part_text.defects)
        if part.section in truncated:
            defects.append("text truncated")
        if part.section not in raw_sections and part.size_bytes > 0:
            defects.append("text missing")
    text = _join_text(bodies.text, decoded)
    if not text.strip():
        text = _join_text(bodies.html, decoded) or text
    html = _join_html(bodies.html, decoded)
    if len(text) > MAX_TEXT_BYTES:
        text = text[:MAX_TEXT_BYTES]
        defects.append("text truncated")
    return text, html, tuple(defects)


def _join_text(parts: Sequence[BodyPart], decoded: Mapping[str, str]) -> str:
    pieces = []
    for part in parts:
        text = decoded[part.section]
        pieces.append(html_to_text(text) if part.content_type == "text/html" else text)
    pieces = [piece for piece in pieces if piece.strip()] or pieces[:1]
    return "\n".join(pieces) if len(pieces) > 1 else "".join(pieces)


def _join_html(parts: Sequence[BodyPart], decoded: Mapping[str, str]) -> str:
    """HTML as received; plain parts between HTML ones (a list's footer) are shown as they are. '' without any HTML."""
    if not any(part.content_type == "text/html" and decoded[part.section].strip() for part in parts):
        return ""
    pieces = []
    for part in parts:
        text = decoded[part.section]
        if part.content_type == "text/html":
            pieces.append(text)
        elif text.strip():
            pieces.append(f'<div style="white-space: pre-wrap">{html_entities.escape(text)}</div>')
    return "\n".join(pieces)
