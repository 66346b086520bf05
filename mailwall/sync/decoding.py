"""Content-Transfer-Encodings undone while a file streams, in constant memory (RFC 2045 §6)."""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator

import pybase64

from mailwall.mime.transfer import decode_transfer

_WHITE = b" \t\r\n\v\f"
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
_NOT_BASE64 = bytes(byte for byte in range(256) if byte not in _BASE64 and byte != ord("="))
_LONGEST_LINE = 1_000_000
_STREAMED_WHOLE_LIMIT = 64_000_000


def decoded(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """The decoded bytes of a section that comes in chunks of any size. Damaged parts give what can be read of them."""
    name = encoding.strip().lower()
    if name == "base64":
        return _base64(chunks)
    if name == "quoted-printable":
        return _quoted_printable(chunks)
    if name in ("", "7bit", "8bit", "binary"):
        return iter(chunks)
    return _whole(chunks, encoding)


def _base64(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    pieces = iter(chunks)
    for chunk in pieces:
        joined = rest + chunk if rest else chunk
        if lines := _whole_lines(joined):
            read, rest = lines
            yield read
            continue
        characters = joined.translate(None, _NOT_BASE64)
        padding = characters.find(b"=")
        if padding >= 0:
            yield _run(characters[:padding])
            yield from _after_padding(joined, pieces)
            return
        whole = len(characters) - len(characters) % 4
        rest = characters[whole:]
        if whole:
            yield binascii.a2b_base64(characters[:whole])
    yield _run(rest.translate(None, _NOT_BASE64))


def _whole_lines(chunk: bytes) -> tuple[bytes, bytes] | None:
    """The lines of a chunk decoded in one go, and what is left; None unless they are plain base64 of whole bytes.

    pybase64 steps over the line ends eight times as fast as binascii, which was most of the time of a big file.
    """
    end = chunk.rfind(b"\n") + 1
    lines = memoryview(chunk)[:end]
    if not end or b"=" in chunk:
        return None
    try:
        return pybase64.b64decode(lines), chunk[end:]
    except binascii.Error:
        return None


def _after_padding(chunk: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """What follows '=': joined encodings go on line by line; anything else, a mailing list's footer, is no data."""
    tail = chunk[chunk.find(b"=") :].lstrip(b"=")
    kept: list[bytes] = []
    for line in _lines(tail, pieces):
        bare = line.strip(_WHITE)
        padded = bare.rstrip(b"=")
        if bare and (not _BASE64.issuperset(padded) or len(padded) % 4 == 1):
            break
        kept.append(padded)
        if len(padded) < len(bare) or sum(map(len, kept)) % 4 == 0:
            yield _run(b"".join(kept))
            kept.clear()
    yield _run(b"".join(kept))


def _run(characters: bytes) -> bytes:
    """One run without padding; a single character left over is no byte."""
    if len(characters) % 4 == 1:
        characters = characters[:-1]
    return binascii.a2b_base64(characters + b"=" * (-len(characters) % 4))


def _lines(first: bytes, pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = first
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
        if len(rest) > _LONGEST_LINE:
            return
    yield from rest.split(b"\n")


def _quoted_printable(chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) > _LONGEST_LINE:
            end = len(rest) - 3  # an escape may be cut here
            end = rest.rfind(b"=", end - 3, end) if b"=" in rest[end - 3 : end] else end
        if end:
            yield decode_transfer(rest[:end], "quoted-printable")[0]
            rest = rest[end:]
    yield decode_transfer(rest, "quoted-printable")[0]


def _whole(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """uuencode and unknown ones, old and small: decoded in one go; too big ones come as they are."""
    collected, size = [], 0
    pieces = iter(chunks)
    for chunk in pieces:
        collected.append(chunk)
        size += len(chunk)
        if size > _STREAMED_WHOLE_LIMIT:
            yield from collected
            yield from pieces
            return
    yield decode_transfer(b"".join(collected), encoding)[0]
