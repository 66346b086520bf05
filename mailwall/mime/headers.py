"""Header bytes → names, text, dates and ids. Linear, tolerant, never raises on bad mail.

Sources: RFC 5322 (syntax, dates, ids), RFC 2047 (encoded words), RFC 6532 (raw UTF-8).
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache

from mailwall.mime.charsets import clean, decode_bytes, guess

MAX_HEADERS = 2_000
MAX_HEADER_BYTES = 1_000_000
MAX_TEXT_LENGTH = 20_000
MAX_ID_LENGTH = 998
MAX_IDS = 500

__all__ = ["clean", "decode_text", "decode_words", "parse_date", "parse_message_ids", "split_headers"]

_FOLD = re.compile(rb"\r*\n(?=[ \t])")
_NAME = re.compile(r"[!-9;-~]+")
_MAX_KNOWN = 40
# Segments instead of '.*?' keep it linear: a word without an end costs its own length only.
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*){0,3}?)\?=")
_BETWEEN_WORDS = re.compile(r"^[ \t\r\n]+$")
_RUNS = re.compile(r"[\x00-\x7f]+|[^\x00-\x7f]+")
_CONTROL = re.compile("[\x00-\x1f\x7f\u2028\u2029]+")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def split_headers(raw: bytes) -> list[tuple[str, bytes]]:
    """(lower case name, raw value unfolded and stripped) of each field, in order.

    Lines without a name are skipped. At most MAX_HEADERS fields of the first MAX_HEADER_BYTES are read.
    """
    raw = raw[:MAX_HEADER_BYTES]
    if b"\n" not in raw and b"\r" in raw:
        raw = raw.replace(b"\r", b"\n")
    fields: list[tuple[str, bytes]] = []
    for line in _unfold(raw).split(b"\n"):
        name, colon, value = line.partition(b":")
        if not colon:
            continue
        key = _known_name(name) if len(name) <= _MAX_KNOWN else _field_name(name)
        if key:
            fields.append((key, value.strip()))
            if len(fields) >= MAX_HEADERS:
                break
    return fields


def _unfold(raw: bytes) -> bytes:
    """Without the line breaks before white space. The usual ones go by replacing: the pattern looks at every byte."""
    usual = raw.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    if b"\n " in usual or b"\n\t" in usual or b"\r\r" in raw:
        return _FOLD.sub(b"", raw)
    return usual


def _field_name(raw: bytes) -> str:
    """In lower case, '' when it is none."""
    name = raw.strip().decode("latin-1").lower()
    return name if _NAME.fullmatch(name) else ""


_known_name = lru_cache(maxsize=1024)(_field_name)


def decode_text(raw: bytes | str, hint: str = "") -> str:
    """One line of text: encoded words decoded, raw 8-bit read as UTF-8, else as the hint's charset or Windows-1252."""
    raw = raw[:MAX_TEXT_LENGTH]
    text = guess(raw, hint) if isinstance(raw, bytes) else clean(raw)
    if "=?" in text:
        text = decode_words(text)
    return _CONTROL.sub(" ", text).strip()


def decode_words(text: str) -> str:
    """Decode RFC 2047 words wherever they stand, also in quoted strings, where many mailers put them.

    Neighbouring words of one charset are joined as bytes first: mailers cut characters in two (against RFC 2047 §5).
    """
    out: list[str] = []
    pending: list[bytes] = []
    charset, position = "", 0
    for match in _WORD.finditer(text):
        gap = text[position : match.start()]
        follows = bool(pending) and (not gap or _BETWEEN_WORDS.match(gap))
        raw_word, word_charset = _decode_word(match[1].lower(), match[2], match[3])
        if not follows or word_charset != charset:
            out.append(decode_bytes(b"".join(pending), charset)[0])
            pending = []
        if not follows:
            out.append(gap)
        charset = word_charset
        pending.append(raw_word)
        position = match.end()
    out.append(decode_bytes(b"".join(pending), charset)[0])
    out.append(text[position:])
    return clean("".join(out))


def _decode_word(charset: str, encoding: str, payload: str) -> tuple[bytes, str]:
    """(bytes, their charset). What stands unencoded in a word (against RFC 2047 §2) was read with its line already."""
    if payload.isascii():
        return _decode_payload(encoding, payload), charset
    runs = (run if not run.isascii() else _decode_run(charset, encoding, run) for run in _RUNS.findall(payload))
    return "".join(runs).encode("utf-8", "surrogateescape"), "utf-8"


def _decode_run(charset: str, encoding: str, payload: str) -> str:
    return decode_bytes(_decode_payload(encoding, payload), charset)[0]


def _decode_payload(encoding: str, payload: str) -> bytes:
    raw = payload.encode("ascii")
    if encoding in "qQ":
        return binascii.a2b_qp(raw, header=True)
    raw = _NOT_BASE64.sub(b"", raw)
    if len(raw) % 4 == 1:
        raw = raw[:-1]
    return base64.b64decode(raw + b"=" * (-len(raw) % 4))


_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name.encode(): n for n, name in enumerate(_MONTH_NAMES.split(), 1)}
_DATE = re.compile(
    rb"(?:[A-Za-z]{3},? *)?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d)(?::(\d\d))? *"
    rb"(?:([+-])(\d\d)(\d\d)|GMT|UTC?|Z)?(?: *\(.*)?$"
)


def parse_date(raw: bytes | str) -> datetime | None:
    """The moment of a Date header, aware, UTC (RFC 5322 §3.3, §4.3); None for junk. Years 1–9999 pass."""
    data = raw.encode("utf-8", "replace") if isinstance(raw, str) else raw
    data = data[:200].strip()
    try:
        match = _DATE.match(data)
        if match is not None:
            return _from_match(match)
        return _parse_odd_date(data.decode("latin-1"))
    except (ValueError, OverflowError, IndexError, TypeError, KeyError, AttributeError):
        return None


def _from_match(match: re.Match[bytes]) -> datetime:
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    month_number, whole_second = _MONTHS[month.lower()], min(int(second or 0), 59)
    moment = datetime(int(year), month_number, int(day), int(hour), int(minute), whole_second, tzinfo=UTC)
    if sign is None or zone_hours == zone_minutes == b"00":
        return moment
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    return moment - offset if sign == b"+" else moment + offset


def _parse_odd_date(text: str) -> datetime | None:
    """Dates the fast pattern does not know: obsolete forms, ISO 8601, named zones."""
    text = _CONTROL.sub(" ", text)
    if re.match(r"\d{4}-\d\d-\d\d", text):
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    fields = parsedate_tz(text)
    if fields is None:
        return None
    year, month, day, hour, minute, second, *_, offset = fields
    if 100 <= year <= 999 and re.search(rf"\b{year}\b", text):  # RFC 5322 §4.3: three digits count from 1900
        year += 1900
    moment = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=timezone(timedelta(seconds=offset or 0)))
    return moment.astimezone(UTC)


_ONE_ID = re.compile(rf"<[!-;=?-~]{{1,{MAX_ID_LENGTH}}}>")
_BRACKETED = re.compile(r"<([^<>]*)>")
_SPACES = re.compile(r"\s+")


def parse_message_ids(raw: bytes | str) -> tuple[str, ...]:
    """The ids of Message-ID, In-Reply-To or References, without brackets, each once, in order (RFC 5322 §3.6.4).

    Where nothing stands in brackets, words with an @ count, or a single word. Each is cut at MAX_ID_LENGTH; of more
    than MAX_IDS the first (the root of the thread) and the last are kept.
    """
    if not raw:
        return ()
    text = guess(raw[:MAX_HEADER_BYTES]) if isinstance(raw, bytes) else clean(raw[:MAX_HEADER_BYTES])
    if _ONE_ID.fullmatch(text):
        return (text[1:-1],)
    found = [_SPACES.sub("", inner) for inner in _BRACKETED.findall(text)]
    if not any(found):
        words = text.replace("<", " ").replace(">", " ").replace(",", " ").split()
        found = words if len(words) == 1 else [word for word in words if "@" in word]
    ids = list(dict.fromkeys(_CONTROL.sub("", item)[:MAX_ID_LENGTH] for item in found if item))
    ids = [item for item in ids if item]
    return tuple(ids if len(ids) <= MAX_IDS else ids[:1] + ids[-(MAX_IDS - 1) :])
