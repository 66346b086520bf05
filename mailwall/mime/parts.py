"""Part tree → which parts are the message's text, and which are attachments. Works on what BODYSTRUCTURE tells.

Sources: RFC 2046 §5.1 (multipart kinds), RFC 2183 (disposition), RFC 2387 (related), RFC 8621 §4.1.4 (body parts).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from mailwall.mime.scan import MAX_DEPTH, MAX_PARTS, structure_of
from mailwall.mime.transfer import decode_transfer, decoded_size
from mailwall.mime.types import AttachmentInfo, BodyPart

__all__ = ["Bodies", "choose_bodies", "choose_text_parts", "list_attachments", "structure_defects", "structure_of"]

_PLAIN, _HTML = "text/plain", "text/html"
_OTHER_TEXTS = frozenset(("text/enriched", "text/richtext", "text/markdown", "text/x-markdown", "text/x-plain", "text"))
_ALTERNATIVE_ONLY = frozenset(("text/x-amp-html", "text/watch-html"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """The leaves to read as plain text and those to show as HTML, in order; one leaf may stand in both."""

    text: tuple[BodyPart, ...] = ()
    html: tuple[BodyPart, ...] = ()


def choose_text_parts(structure: BodyPart) -> tuple[BodyPart, ...]:
    """The text/plain and text/html leaves that are the body, in the order of the tree."""
    order = _with_parents(structure)
    bodies = _choose(order)
    chosen = {id(part) for part in (*bodies.text, *bodies.html)}
    return tuple(part for part, _, _ in order if id(part) in chosen)


def choose_bodies(structure: BodyPart) -> Bodies:
    """Text and HTML side of the body. Text in attached messages and with disposition `attachment` is no body."""
    return _choose(_with_parents(structure))


def _choose(order: list[_Placed]) -> Bodies:
    found: dict[int, Bodies] = {}
    for part, parent, index in reversed(order):
        if part.content_type.startswith("multipart/") and part.children:
            found[id(part)] = _combine(part, [found[id(child)] for child in part.children if id(child) in found])
        else:
            leaf = (part,) if _is_body(part, parent, index) else ()
            found[id(part)] = Bodies(text=leaf, html=leaf)
    return found[id(order[0][0])]


_Placed: TypeAlias = "tuple[BodyPart, BodyPart | None, int]"  # a part, the multipart around it, its index in it


def _with_parents(structure: BodyPart) -> list[_Placed]:
    """Parents first, within the limits, not into attached messages."""
    if not structure.children:
        return [(structure, None, 0)]
    order: list[_Placed] = []
    pending: list[tuple[BodyPart, BodyPart | None, int, int]] = [(structure, None, 0, 0)]
    while pending and len(order) < MAX_PARTS:
        part, parent, index, depth = pending.pop()
        order.append((part, parent, index))
        if part.content_type.startswith("multipart/") and depth < MAX_DEPTH:
            children = [(child, part, number, depth + 1) for number, child in enumerate(part.children)]
            pending.extend(reversed(children))
    return order


def _is_body(part: BodyPart, parent: BodyPart | None, index: int) -> bool:
    if parent is None:
        is_text = part.content_type.startswith("text/") or part.content_type == "text"
        return is_text and not (_is_set_apart(part) and part.filename)
    if part.content_type not in (_PLAIN, _HTML) and part.content_type not in _OTHER_TEXTS:
        return False
    if _is_set_apart(part):
        return False
    kind = parent.content_type
    return index == 0 or kind == "multipart/alternative" or not part.filename


def _is_set_apart(part: BodyPart) -> bool:
    """Whether the sender made it an attachment; an unknown disposition counts as one (RFC 2183 §2.8)."""
    return part.disposition not in ("", "inline")


def _combine(part: BodyPart, children: list[Bodies]) -> Bodies:
    """What a multipart shows, from what its children show."""
    if part.content_type == "multipart/alternative":
        return _best_alternative([child for child in children if child.text or child.html])
    if part.content_type == "multipart/related":
        return _related_root(part, children)
    return Bodies(
        text=tuple(leaf for child in children for leaf in child.text),
        html=tuple(leaf for child in children for leaf in child.html),
    )


def _best_alternative(children: list[Bodies]) -> Bodies:
    """Text: the plain ones, else the first without HTML, else the first that holds other text, else the last.
    HTML: the last that holds HTML."""
    if not children:
        return Bodies()
    plain = [child for child in children if all(leaf.content_type == _PLAIN for leaf in child.text)]
    plain = plain or [child for child in children if all(leaf.content_type != _HTML for leaf in child.text)][:1]
    mixed = [child for child in children if any(leaf.content_type != _HTML for leaf in child.text)]
    text = [leaf for child in plain for leaf in child.text] or list((mixed[:1] or children[-1:])[0].text)
    rich = [child for child in children if any(leaf.content_type == _HTML for leaf in child.html)]
    return Bodies(text=tuple(text), html=rich[-1].html if rich else tuple(text))


def _related_root(part: BodyPart, children: list[Bodies]) -> Bodies:
    start = dict(part.params).get("start", "").strip("<> ")
    for index, child in enumerate(part.children[: len(children)]):
        if start and child.content_id == start:
            return children[index]
    return next((child for child in children if child.text or child.html), Bodies())


def list_attachments(
    structure: BodyPart, raw_sections: Mapping[str, bytes] | None = None, *, bodies: Bodies | None = None
) -> tuple[AttachmentInfo, ...]:
    """Every leaf that is not the body. An attached message is one attachment, whatever is in it.

    raw_sections: bytes on the wire where they are at hand: sizes are then exact, else as near as the structure tells.
    bodies: of choose_bodies(), where somebody asked it before.
    """
    bodies = bodies or choose_bodies(structure)
    body = {id(part) for part in (*bodies.text, *bodies.html)}
    found: list[AttachmentInfo] = []
    for part, parent, _ in _with_parents(structure):
        if id(part) in body or _is_no_attachment(part, parent):
            continue
        found.append(_describe(part, parent, (raw_sections or {}).get(part.section)))
    return tuple(found)


def _is_no_attachment(part: BodyPart, parent: BodyPart | None) -> bool:
    """Containers, and alternatives of the body that we do not show."""
    if part.content_type.startswith("multipart/") and part.children:
        return True
    if part.filename or _is_set_apart(part):
        return False
    if part.content_type in _ALTERNATIVE_ONLY:
        return parent is not None and parent.content_type == "multipart/alternative"
    return part.content_type in (_PLAIN, _HTML) or part.content_type in _OTHER_TEXTS


def _describe(part: BodyPart, parent: BodyPart | None, raw: bytes | None) -> AttachmentInfo:
    related = parent is not None and parent.content_type == "multipart/related"
    inline_image = part.disposition == "inline" and part.content_type.startswith("image/")
    size = decoded_size(part.size_bytes, part.encoding) if raw is None else len(decode_transfer(raw, part.encoding)[0])
    return AttachmentInfo(
        section=part.section,
        filename=part.filename,
        content_type=part.content_type,
        size_bytes=size,
        encoded_size_bytes=part.size_bytes,
        encoding=part.encoding,
        inline=inline_image or (related and bool(part.content_id) and not _is_set_apart(part)),
        content_id=part.content_id,
    )


def structure_defects(structure: BodyPart) -> tuple[str, ...]:
    """What of a server's part tree lies beyond our limits, in short words."""
    defects: list[str] = []
    pending = [(structure, 0)]
    count = 0
    while pending:
        part, depth = pending.pop()
        count += 1
        if count > MAX_PARTS:
            defects.append("too many parts")
            break
        if depth > MAX_DEPTH:
            defects.append("nested too deep")
            continue
        pending.extend((child, depth + 1) for child in part.children)
    return tuple(dict.fromkeys(defects))
