"""Server answers as tokens: a small reader for literal-bearing responses (RFC 3501 §7, §9).

Tokens: atoms and strings are bytes, NIL is None, a parenthesised list is a list. Nothing here recurses.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from mailwall.imap.wire import Wire

Token: TypeAlias = "bytes | list[Token] | None"  # noqa: S105

MAX_DEPTH = 200
_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\Z")
_TOKEN = re.compile(  # no groups: findall then gives plain bytes
    rb"""[()]
      | "[^"\\]*+(?:\\.[^"\\]*+)*+"
      | [^\s()"\[]+ (?:\[[^\]\r\n]*\][^\s()"\[]*)* | (?:\[[^\]\r\n]*\][^\s()"\[]*)+ | [^\s()"]+
      | \S""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_QUOTE, _OPEN, _CLOSE = b'"()'


class Unreadable(Exception):
    """The line does not follow the grammar. Stays inside this room."""


@dataclass(frozen=True, slots=True)
class Response:
    """One logical answer: text pieces with the literals between them, texts[0] literals[0] texts[1] ….

    The literal markers are taken off the texts; the last text has no line end.
    """

    texts: tuple[bytes, ...]
    literals: tuple[bytes, ...]

    @property
    def tag(self) -> bytes:
        """b'*', b'+' or the tag of a command."""
        return self.texts[0].split(b" ", 1)[0]


def read_response(wire: Wire) -> Response:
    """Read one answer with all its literals. Raises ImapError when the connection breaks in the middle."""
    texts: list[bytes] = []
    literals: list[bytes] = []
    while True:
        line = wire.readline().rstrip(b"\r\n")
        marker = _LITERAL.search(line) if line.endswith(b"}") else None
        if marker is None:
            texts.append(line)
            return Response(tuple(texts), tuple(literals))
        texts.append(line[: marker.start()])
        literals.append(wire.read(int(marker.group(1))))


def tokens(texts: Sequence[bytes], literals: Sequence[bytes]) -> list[Token]:
    """Tokens of an answer, lists nested. Raises Unreadable when brackets or quotes do not match."""
    current: list[Token] = []
    stack = [current]
    for index, text in enumerate(texts):
        for token in _TOKEN.findall(text):
            first = token[0]
            if first == _QUOTE:
                if len(token) == 1:
                    raise Unreadable("neither atom, string nor list")
                current.append(_ESCAPED.sub(rb"\1", token[1:-1]) if b"\\" in token else token[1:-1])
            elif first == _OPEN:
                if len(stack) > MAX_DEPTH:
                    raise Unreadable("nested too deep")
                inner: list[Token] = []
                current.append(inner)
                stack.append(inner)
                current = inner
            elif first == _CLOSE:
                stack.pop()
                if not stack:
                    raise Unreadable("closed what was not open")
                current = stack[-1]
            else:
                current.append(None if token == b"NIL" or token == b"nil" else token)
        if index < len(literals):
            current.append(literals[index])
    if len(stack) != 1:
        raise Unreadable("left open")
    return stack[0]


_FETCH = re.compile(rb"\* \d+ FETCH \(", re.IGNORECASE)
_UID = re.compile(rb"[ (]UID (\d+)", re.IGNORECASE)
_ITEM_NAME = re.compile(
    rb"(UID|FLAGS|INTERNALDATE|RFC822(?:\.[A-Z]+)?|BODYSTRUCTURE|ENVELOPE|MODSEQ|BODY(?:\[[^\]\r\n]*\](?:<\d+>)?)?|"
    rb"EMAILID|THREADID|SAVEDATE|PREVIEW|X-[A-Z0-9.-]+) ?\Z",
    re.IGNORECASE,
)
_USUAL_NAMES = (b"UID", b"INTERNALDATE", b"RFC822.SIZE", b"FLAGS", b"BODYSTRUCTURE", b"BODY[HEADER]")
_TAIL = re.compile(rb"(?: [A-Z0-9.\[\]<>-]+(?: (?:\d+|NIL|\"[^\"]*\"|\([^()]*\)))?)* ?\)?", re.IGNORECASE)
_SIMPLE_ITEM = re.compile(rb'[ (](INTERNALDATE) "([^"]*)"|[ (](RFC822\.SIZE) (\d+)|[ (](FLAGS) \(([^)]*)\)', re.I)


def fetch_items(response: Response) -> dict[bytes, Token] | None:
    """Items of one FETCH answer by upper-case name (`BODY[1]<0>` as sent), None when it is another answer.

    An answer whose structure cannot be read still gives uid, simple items and literals, and b'UNREADABLE'.
    Raises Unreadable when the text after a literal cannot be its end: its length was a lie.
    """
    first = response.texts[0]
    found = _FETCH.match(first)
    if found is None:
        return None
    for text in response.texts[1:]:
        if not text.startswith((b" ", b")")):
            raise Unreadable("text after a literal")
    if not response.texts[-1].rstrip().endswith(b")"):
        raise Unreadable("no end of list")
    texts = (first[found.end() - 1 :], *response.texts[1:])
    try:
        root = tokens(texts, response.literals)
        if len(root) != 1 or not isinstance(root[0], list) or len(root[0]) % 2:
            raise Unreadable("no list of pairs")
        pairs = root[0]
        items: dict[bytes, Token] = {}
        for name, value in zip(pairs[::2], pairs[1::2], strict=True):
            if name not in _USUAL_NAMES:
                if not isinstance(name, bytes) or not _ITEM_NAME.match(name):
                    raise Unreadable("no item name")
                name = name.upper()
            items[name] = value
        return items
    except Unreadable:
        return _salvaged(texts, response.literals)


def _salvaged(texts: Sequence[bytes], literals: Sequence[bytes]) -> dict[bytes, Token]:
    """What is certain in an answer whose structure, and nothing else, does not follow the grammar.

    Elsewhere odd text is the rest of a literal whose length was a lie: Unreadable.
    """
    if not any(b"BODYSTRUCTURE" in text for text in texts):
        raise Unreadable("no list of pairs")
    if not all(b"BODYSTRUCTURE" in text or _TAIL.fullmatch(text) for text in texts[1:]):
        raise Unreadable("text after a literal")
    items: dict[bytes, Token] = {b"UNREADABLE": b""}
    for text, literal in zip(texts, literals, strict=False):
        name = _ITEM_NAME.search(text)
        if name and name.group(1).upper().startswith(b"BODY["):
            items[name.group(1).upper()] = literal
    outside = b" ".join(texts)
    uid = _UID.search(outside)
    if uid is None:
        raise Unreadable("no uid")
    items[b"UID"] = uid.group(1)
    for found in _SIMPLE_ITEM.finditer(outside):
        if found.group(1):
            items[b"INTERNALDATE"] = found.group(2)
        elif found.group(3):
            items[b"RFC822.SIZE"] = found.group(4)
        else:
            items[b"FLAGS"] = list(found.group(6).split())
    return items
