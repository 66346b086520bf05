"""Content-Transfer-Encoding → bytes, also of damaged parts, and the decoded size where only the encoded one is known.

Sources: RFC 2045 §6 (base64, quoted-printable), POSIX uuencode.
"""

from __future__ import annotations

import binascii
import re

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_PADDING = re.compile(rb"=+")
_UU_NAMES = frozenset(("x-uuencode", "uuencode", "x-uue", "uue"))
_BASE64_NAMES = frozenset(("base64", "b64", "base-64"))
_QP_NAMES = frozenset(("quoted-printable", "quoted_printable", "quotedprintable", "qp"))


def decode_transfer(raw: bytes, encoding: str) -> tuple[bytes, str]:
    """(decoded bytes, '' or a defect). Unknown encodings are taken as they are (RFC 2045 §6.4 would hide the text)."""
    name = encoding.strip().lower()
    if name in _BASE64_NAMES:
        return _decode_base64(raw)
    if name in _QP_NAMES:
        return _decode_quoted_printable(raw), ""
    if name in _UU_NAMES:
        return _decode_uu(raw)
    return raw, "" if name in ("", "7bit", "8bit", "binary", "7-bit", "8-bit", "none") else "unknown transfer encoding"


def _decode_base64(raw: bytes) -> tuple[bytes, str]:
    try:
        decoded = binascii.a2b_base64(raw)
    except (binascii.Error, ValueError):
        return _decode_broken_base64(raw), "broken base64"
    first_pad = raw.find(b"=")
    if first_pad >= 0 and raw[first_pad:].strip(b"=\r\n\t "):
        return _decode_broken_base64(raw), "broken base64"
    return decoded, ""


def _decode_broken_base64(raw: bytes) -> bytes:
    """Each padded run on its own: joined encodings go on after '='; a list's plain footer does not count as data."""
    first_pad = raw.find(b"=")
    if first_pad >= 0:
        tail = raw[first_pad:].lstrip(b"=")
        kept = []
        if tail[:1] in (b" ", b"\t") and tail.partition(b"\n")[0].strip():
            tail = b""  # a remark behind the padding
        for line in tail.split(b"\n"):
            bare = line.strip()
            if bare and (_NOT_BASE64.search(bare) or len(bare.rstrip(b"=")) % 4 == 1):
                break
            kept.append(bare)
        raw = raw[:first_pad] + b"=" + b"".join(kept)
    runs = _PADDING.split(_NOT_BASE64.sub(b"", raw))
    return b"".join(_decode_run(run) for run in runs)


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    return binascii.a2b_base64(run + b"=" * (-len(run) % 4))


def _decode_quoted_printable(raw: bytes) -> bytes:
    # RFC 2045 §6.7 (3): space at the end of a line was added on the way and is to be removed
    if b" \r\n" in raw or b" \n" in raw or b"\t\r\n" in raw or b"\t\n" in raw:
        raw = b"\n".join(line.rstrip(b" \t\r") for line in raw.split(b"\n"))
    return binascii.a2b_qp(raw)


def _decode_uu(raw: bytes) -> tuple[bytes, str]:
    out: list[bytes] = []
    defect, inside = "", not re.search(rb"^begin ", raw, re.MULTILINE)
    for line in raw.splitlines():
        if not inside:
            inside = line.startswith(b"begin ")
            continue
        if line.strip() == b"end":
            break
        try:
            out.append(binascii.a2b_uu(line))
        except (binascii.Error, ValueError):
            try:  # some encoders pad wrongly: the length byte says how much counts
                out.append(binascii.a2b_uu(line[: (((line[0] - 32) & 63) * 4 + 5) // 3]))
            except (binascii.Error, ValueError, IndexError):
                defect = "broken uuencode"
    return b"".join(out), defect


def decoded_size(size_bytes: int, encoding: str) -> int:
    """Octets after decoding, from the octets on the wire. base64 and uuencode: for the usual line lengths (76, 60)."""
    name = encoding.strip().lower()
    if name in _BASE64_NAMES:
        characters = size_bytes - 2 * (size_bytes // 78)
        if size_bytes % 78 == 77:  # a last line break that the server counts in
            characters -= 1
        groups = characters // 4
        return max(0, groups * 3 - 1) if groups else 0
    if name in _UU_NAMES:
        return max(0, (size_bytes - 30) * 45 // 63)
    return size_bytes
