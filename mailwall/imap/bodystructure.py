"""BODYSTRUCTURE tokens → BodyPart tree (RFC 3501 §7.4.2). Never raises on odd structures: gives None instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from mailwall.imap.reader import Token
from mailwall.mime.parameters import join_parameters, parse_parameters
from mailwall.mime.types import BodyPart

MAX_PARTS = 20_000
MAX_DEPTH = 100
_SHORT = 40


@dataclass(slots=True)
class _Node:
    """A part on its way: the tokens, where it stands, and its children once they are built."""

    tokens: list[Token]
    section: str
    depth: int
    inner: list[_Node] = field(default_factory=list)
    built: BodyPart | None = None


def body_part(structure: Token) -> BodyPart | None:
    """The part tree of one message, None where the structure is missing, too deep, too large or not one at all."""
    if not isinstance(structure, list) or not structure:
        return None
    root = _Node(structure, "", 0)
    order = [root]
    for node in order:  # grows while it is walked: parents stand before their children
        children = _children(node)
        if len(order) + len(children) > MAX_PARTS or node.depth > MAX_DEPTH:
            return None
        node.inner = children
        order.extend(children)
    for node in reversed(order):
        built = _multipart(node) if _is_multipart(node.tokens) else _leaf(node)
        if built is None:
            return None
        node.built = built
    return root.built


def _is_multipart(tokens: list[Token]) -> bool:
    return bool(tokens) and isinstance(tokens[0], list)


def _children(node: _Node) -> list[_Node]:
    """Multipart: its parts. message/rfc822: the message inside, whose multipart shares its section number."""
    prefix = node.section + "." if node.section else ""
    if not node.tokens:
        return []
    if _is_multipart(node.tokens):
        parts: list[_Node] = []
        for token in node.tokens:
            if not isinstance(token, list):
                break
            parts.append(_Node(token, f"{prefix}{len(parts) + 1}", node.depth + 1))
        return parts
    if _is_message(node.tokens) and len(node.tokens) > 8 and isinstance(inner := node.tokens[8], list) and inner:
        section = node.section or "1"
        if _is_multipart(inner):
            return [_Node(inner, section, node.depth + 1)]
        return [_Node(inner, f"{section}.1", node.depth + 1)]
    return []


def _is_message(tokens: list[Token]) -> bool:
    return _word(tokens[0]) == "message" and _word(_at(tokens, 1)) in ("rfc822", "global")


def _multipart(node: _Node) -> BodyPart | None:
    rest = node.tokens[len(node.inner) :]
    children = tuple(child.built for child in node.inner if child.built is not None)
    disposition, disposition_params = _disposition(rest[2] if len(rest) > 2 else None)
    params = _params(rest[1] if len(rest) > 1 else None)
    return BodyPart(
        section=node.section,
        content_type=f"multipart/{_word(rest[0] if rest else None) or 'mixed'}",
        size_bytes=sum(child.size_bytes for child in children),
        disposition=disposition,
        filename=_filename(disposition_params, params),
        params=params,
        children=children,
    )


def _leaf(node: _Node) -> BodyPart | None:
    tokens = node.tokens
    if len(tokens) < 2 or isinstance(tokens[1], list):
        return None
    content_type = f"{_word(tokens[0]) or 'text'}/{_word(tokens[1]) or 'plain'}"
    params = _params(_at(tokens, 2))
    extension = _extension(tokens, content_type)
    disposition, disposition_params = _disposition(_at(extension, 1))
    return BodyPart(
        section=node.section or "1",
        content_type=content_type,
        charset=dict(params).get("charset", ""),
        encoding=_word(_at(tokens, 5)) or "7bit",
        size_bytes=_number(_at(tokens, 6)),
        disposition=disposition,
        filename=_filename(disposition_params, params),
        content_id=_text(_at(tokens, 3)).strip().strip("<>"),
        params=params,
        children=tuple(child.built for child in node.inner if child.built is not None),
    )


def _extension(tokens: list[Token], content_type: str) -> list[Token]:
    """MD5, disposition, language, location: after the lines of a text, after envelope, body and lines of a message."""
    start = 7
    if content_type in ("message/rfc822", "message/global") and isinstance(_at(tokens, 7), list):
        start = 10
    elif content_type.startswith("text/") and _text(_at(tokens, 7)).isdigit():
        start = 8
    return tokens[start:]


def _disposition(token: Token) -> tuple[str, tuple[tuple[str, str], ...]]:
    if isinstance(token, list) and token:
        return _word(token[0]), _params(_at(token, 1))
    if isinstance(token, bytes) and b";" in token:  # pymap gives the whole field as one string
        value, params = parse_parameters(token)
        return value, tuple(params.items())
    return _word(token), ()


def _params(token: Token) -> tuple[tuple[str, str], ...]:
    """Parameters as pairs, names lower case, values decoded (RFC 2231, 2047)."""
    if not isinstance(token, list):
        return ()
    if len(token) == 2 and isinstance(token[0], bytes) and isinstance(token[1], bytes) and len(token[1]) < _SHORT:
        return _one_param(token[0], token[1])
    pairs = zip(token[::2], token[1::2], strict=False)
    told = ((name, value or b"") for name, value in pairs if isinstance(name, bytes) and not isinstance(value, list))
    return tuple(join_parameters(told).items())


def _filename(disposition_params: tuple[tuple[str, str], ...], params: tuple[tuple[str, str], ...]) -> str:
    return dict(disposition_params).get("filename", "") or dict(params).get("name", "")


@lru_cache(maxsize=1024)  # nearly always a charset
def _one_param(name: bytes, value: bytes) -> tuple[tuple[str, str], ...]:
    return tuple(join_parameters([(name, value)]).items())


def _text(token: Token) -> str:
    return token.decode("utf-8", "replace") if isinstance(token, bytes) else ""


def _word(token: Token) -> str:
    """A type, an encoding, a disposition: in lower case."""
    return _text(token).lower()


def _number(token: Token) -> int:
    return int(token) if isinstance(token, bytes) and token.isdigit() and len(token) < 16 else 0


def _at(tokens: list[Token], index: int) -> Token:
    return tokens[index] if index < len(tokens) else None
