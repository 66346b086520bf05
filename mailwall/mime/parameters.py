"""Content-Type and Content-Disposition: value and parameters, as mailers really write them.

Sources: RFC 2045 §5.1 (syntax), RFC 2231 (continuations, charsets), RFC 2047 in names (forbidden, common).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

from mailwall.mime.charsets import clean, decode_bytes, guess
from mailwall.mime.headers import decode_words

MAX_PARAMETERS = 200
MAX_LENGTH = 64_000
MAX_VALUE_LENGTH = 4_000

_PARAMETER = re.compile(r'([^=;\s"]++)\s*+=\s*+(?:"((?:[^"\\]|\\.)*+)"?+|([^;]*+))', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_SECTIONED = re.compile(r"^(.+?)\*(\d{1,4})?(\*?)$")
_COMMENT = re.compile(r"\s*\([^()]*\)\s*$")
_FILE_NAMES = frozenset(("name", "filename"))
_CONTROL = re.compile("[\x00-\x1f\x7f]+")


def parse_parameters(raw: bytes | str) -> tuple[str, dict[str, str]]:
    """(lower case value, parameters decoded) of a structured field: `text/plain; charset=utf-8` and the like."""
    value, parameters = _parse_cached(raw) if len(raw) <= 200 else _parse(raw)
    return value, dict(parameters)


def _parse(raw: bytes | str) -> tuple[str, dict[str, str]]:
    text = guess(raw[:MAX_LENGTH]) if isinstance(raw, bytes) else raw[:MAX_LENGTH]
    value, semicolon, rest = text.partition(";")
    value = _COMMENT.sub("", value).strip().strip("\"'").lower()
    if not semicolon:
        first, _, more = value.partition(" ")
        return first, join_parameters(_pairs(more)) if "=" in more else {}
    return value.partition(" ")[0].strip(), join_parameters(_pairs(rest))


_parse_cached = lru_cache(maxsize=2048)(_parse)


def _pairs(text: str) -> list[tuple[str, str]]:
    """name=value pairs; unquoted values run to the next semicolon, so that file names may hold spaces."""
    found: list[tuple[str, str]] = []
    position = 0
    while 0 <= position < len(text) and len(found) < MAX_PARAMETERS:
        if text[position] in "; \t\r\n":
            position += 1
            continue
        match = _PARAMETER.match(text, position)
        if match is None:  # no parameter: on to the next semicolon
            position = text.find(";", position + 1)
            continue
        position = match.end()
        name, quoted, plain = match.groups()
        name = name.lower()
        if quoted is not None:
            value = _ESCAPED.sub(r"\1", quoted) if _is_escaped(quoted) else quoted
        else:
            value = plain.strip()
            if name not in _FILE_NAMES:
                value = _COMMENT.sub("", value)
        found.append((name, value))
    return found


def _is_escaped(quoted: str) -> bool:
    """Whether backslashes are RFC 5322 escapes; Windows paths in names keep theirs."""
    return "\\" in quoted and not re.match(r"[A-Za-z]:\\|\\\\?[A-Za-z0-9]", quoted)


def join_parameters(pairs: Iterable[tuple[str | bytes, str | bytes]]) -> dict[str, str]:
    """Decoded parameters of name-value pairs (also those of an IMAP BODYSTRUCTURE): RFC 2231 pieces joined, RFC 2047
    words decoded. The first of equal names wins; an RFC 2231 form wins over a plain one (RFC 6266 §4.3)."""
    plain: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[str, bool]]] = {}
    for raw_name, raw_value in pairs:
        name = _as_text(raw_name).strip().lower()
        value = _as_text(raw_value)
        match = _SECTIONED.match(name) if "*" in name else None
        if match is None:
            plain.setdefault(name, value)
        else:
            pieces.setdefault(match[1], {}).setdefault(int(match[2] or 0), (value, bool(match[3]) or match[2] is None))
    joined = {name: decode_words(value) if "=?" in value else value for name, value in plain.items()}
    for name, numbered in pieces.items():
        joined[name] = _join_pieces(numbered)
    return {clean(name): _tidy_value(value) for name, value in joined.items()}


def _tidy_value(value: str) -> str:
    if not value.isprintable():  # a surrogate is not printable either
        value = _CONTROL.sub(" ", clean(value))
    return value[:MAX_VALUE_LENGTH].strip()


def _as_text(value: str | bytes) -> str:
    return guess(value) if isinstance(value, bytes) else value


def _join_pieces(numbered: dict[int, tuple[str, bool]]) -> str:
    """RFC 2231 §3–4: pieces in order of their numbers; those with a star are percent-encoded bytes."""
    charset, raw = "", b""
    for number in sorted(numbered):
        value, encoded = numbered[number]
        if encoded and not charset and not raw and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        raw += unquote_to_bytes(value) if encoded else value.encode("utf-8", "surrogateescape")
    text = decode_bytes(raw, charset)[0] if charset else guess(raw)
    return decode_words(text) if "=?" in text else text
