"""Bytes → text, whatever the sender called the charset. Never raises, never trusts a codec name from mail.

Only codecs named here are ever used: a mail cannot reach `zlib`, `idna`, `unicode_escape` and the like.
Sources: RFC 2978 (registry), the WHATWG Encoding Standard for what labels mean in practice, RFC 2781 (UTF-16).
"""

# ruff: noqa: SIM905 - lists of words read better as words
from __future__ import annotations

import codecs
import re
from functools import lru_cache

_UNKNOWN = re.compile(r"^(|unknown|unknown-?8bit|x-unknown|default|none|binary|7bit|8bit|x-user-defined|any|auto|utf)$")
_BAD = re.compile("[\x00\ud800-\udfff]")
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_FROM_LATIN1 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
_REPLACED = "\ufffd"

# Label without '-', '_', '.', ' ' and 'x' prefix → codec, where the number rules of _canonical do not already give it.
_ALIASES = {
    "ascii": "ascii", "usascii": "ascii", "ansix341968": "ascii", "ansix341986": "ascii", "iso646us": "ascii",
    "646": "ascii", "iso646": "ascii", "csascii": "ascii", "us": "ascii",
    "utf8": "utf-8", "utf8mb4": "utf-8", "utf8mb3": "utf-8", "unicode11utf8": "utf-8", "unicode20utf8": "utf-8",
    "csutf8": "utf-8", "utf8sig": "utf-8", "utf8n": "utf-8",
    "utf7": "utf-7", "unicode11utf7": "utf-7", "unicode20utf7": "utf-7", "csutf7": "utf-7",
    "utf16": "utf-16", "ucs2": "utf-16", "iso10646ucs2": "utf-16", "unicode": "utf-16", "csunicode": "utf-16",
    "utf16le": "utf-16-le", "ucs2le": "utf-16-le", "utf16be": "utf-16-be", "ucs2be": "utf-16-be",
    "utf32": "utf-32", "ucs4": "utf-32", "iso10646ucs4": "utf-32", "utf32le": "utf-32-le", "utf32be": "utf-32-be",
    "latin1": "cp1252", "l1": "cp1252", "ansix31101983": "cp1252", "ansix3110": "cp1252", "iso88591": "cp1252",
    "ansi": "cp1252", "westerneuropean": "cp1252", "csisolatin1": "cp1252", "iso8859": "cp1252", "iso": "cp1252",
    "windows": "cp1252", "cp819": "cp1252", "ibm819": "cp1252", "88591": "cp1252",
    "latin2": "iso8859-2", "l2": "iso8859-2", "csisolatin2": "iso8859-2", "latin3": "iso8859-3", "latin4": "iso8859-4",
    "latin5": "cp1254", "l5": "cp1254", "iso88599": "cp1254", "csisolatin5": "cp1254", "iso885911": "cp874",
    "latin6": "iso8859-10", "latin7": "iso8859-13", "latin8": "iso8859-14", "latin9": "iso8859-15",
    "latin0": "iso8859-15",
    "latin10": "iso8859-16", "cyrillic": "iso8859-5", "arabic": "iso8859-6", "greek": "iso8859-7",
    "hebrew": "iso8859-8",
    "iso88596e": "iso8859-6", "iso88596i": "iso8859-6", "iso88598e": "iso8859-8", "iso88598i": "iso8859-8",
    "logical": "iso8859-8", "visual": "iso8859-8",
    "koi8r": "koi8-r", "koi8": "koi8-r", "koi": "koi8-r", "cskoi8r": "koi8-r", "koi8u": "koi8-u", "koi8ru": "koi8-u",
    "koi8t": "koi8-t",
    "gb2312": "gb18030", "gb23121980": "gb18030", "euccn": "gb18030", "gbk": "gb18030", "gb18030": "gb18030",
    "cp936": "gb18030", "ms936": "gb18030", "chinese": "gb18030", "csgb2312": "gb18030", "gb": "gb18030",
    "gb180302000": "gb18030", "gb180302022": "gb18030", "isoir58": "gb18030", "gb231280": "gb18030",
    "hz": "hz", "hzgb2312": "hz", "hzgb": "hz", "iso2022cn": "gb18030",
    "big5": "big5hkscs", "big5hkscs": "big5hkscs", "cnbig5": "big5hkscs", "csbig5": "big5hkscs",
    "big5eten": "big5hkscs",
    "cp950": "cp950", "euctw": "big5hkscs",
    "shiftjis": "cp932", "sjis": "cp932", "windows31j": "cp932", "mskanji": "cp932", "cswindows31j": "cp932",
    "shiftjisx0213": "shift_jisx0213", "shiftjis2004": "shift_jis_2004", "csshiftjis": "cp932", "cp932": "cp932",
    "cp943": "cp932", "ms932": "cp932",
    "eucjp": "euc_jp", "ujis": "euc_jp", "eucjpms": "euc_jp", "cp51932": "euc_jp",
    "iso2022jp": "iso-2022-jp", "jis": "iso-2022-jp", "csiso2022jp": "iso-2022-jp", "iso2022jpesc": "iso-2022-jp",
    "iso2022jp1": "iso-2022-jp", "iso2022jp2": "iso2022_jp_2", "iso2022jp3": "iso2022_jp_3", "cp50220": "iso-2022-jp",
    "cp50221": "iso-2022-jp", "cp50222": "iso-2022-jp", "iso2022jp2004": "iso2022_jp_2004",
    "iso2022jpms": "iso-2022-jp",
    "ksc56011987": "cp949", "ksc5601": "cp949", "euckr": "cp949", "korean": "cp949", "uhc": "cp949", "ksx1001": "cp949",
    "ksc56011989": "cp949", "cseuckr": "cp949", "johab": "johab", "iso2022kr": "iso2022_kr", "cp949": "cp949",
    "ms949": "cp949", "isoir149": "cp949", "ksc5601x": "cp949",
    "tis620": "cp874", "tis62025330": "cp874", "tis62025291": "cp874", "thai": "cp874",
    "viscii": "cp1258", "tcvn": "cp1258",
    "mac": "mac_roman", "macintosh": "mac_roman", "macroman": "mac_roman", "csmacintosh": "mac_roman",
    "macce": "mac_latin2", "maccentraleurope": "mac_latin2", "maccentraleurroman": "mac_latin2",
    "maclatin2": "mac_latin2",
    "maccyrillic": "mac_cyrillic", "macukrainian": "mac_cyrillic", "macgreek": "mac_greek", "macturkish": "mac_turkish",
    "maciceland": "mac_iceland", "maccroatian": "mac_croatian", "macromanian": "mac_romanian", "macjapanese": "cp932",
    "macchinesesimp": "gb18030", "macchinesetrad": "big5hkscs", "mackorean": "cp949", "macthai": "cp874",
    "machebrew": "iso8859-8", "macarabic": "mac_arabic", "macfarsi": "mac_farsi",
    "hproman8": "hp_roman8", "roman8": "hp_roman8", "ptcp154": "ptcp154", "pt154": "ptcp154", "kz1048": "kz1048",
    "rk1048": "kz1048", "ebcdicus": "cp037", "georgianps": "cp1252", "nextstep": "cp1252", "cpgr": "cp869",
}  # fmt: skip
_CODE_PAGES = frozenset(
    "37 273 424 437 500 720 737 775 850 852 855 856 857 858 860 861 862 863 864 865 866 869 874 875 1006 1026 1125 "
    "1140 "
    "1250 1251 1252 1253 1254 1255 1256 1257 1258".split()
)
_PARTS_OF_8859 = frozenset("2 3 4 5 6 7 8 10 13 14 15 16".split())
_NUMBERED = re.compile(r"^(?:windows|win|cp|ms|ibm|oem|cs?ibm|dos|codepage|ccsid|cswindows)?0*(\d{2,4})(?:[a-z]*)$")
_ISO_8859 = re.compile(r"^(?:csiso|iso)?8859(\d{1,2})(?:\d{4})?$")


def _canonical(charset: str) -> str:
    """Our codec for a charset label, or '' when we do not know it."""
    label = charset.strip().strip("\"'").lower()
    label = label.partition("*")[0].partition(";")[0]
    label = re.sub(r"^x-", "", label)
    label = re.sub(r"(:\d{4}|\$esc)$", "", label)
    label = re.sub(r"[^a-z0-9]", "", label)[:60]
    if label in _ALIASES:
        return _ALIASES[label]
    if match := _ISO_8859.match(label):
        return "iso8859-" + match[1] if match[1] in _PARTS_OF_8859 else ""
    if match := _NUMBERED.match(label):
        number = match[1]
        if "cp" + number in _ALIASES:
            return _ALIASES["cp" + number]
        if number in _CODE_PAGES:
            return "cp" + number.zfill(3)
        return {"65001": "utf-8", "28591": "cp1252", "28592": "iso8859-2", "20866": "koi8-r"}.get(number, "")
    return ""


@lru_cache(maxsize=512)
def find_codec(charset: str) -> str:
    """The codec used for a charset label ('' = unknown). Guarantees that Python has it."""
    name = _canonical(charset[:100])
    try:
        codecs.lookup(name)
    except LookupError:
        return ""
    return name


def clean(text: str) -> str:
    """The text without NUL and lone surrogates, so that any database takes it."""
    if text.isascii():
        return text.replace("\x00", "") if "\x00" in text else text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return _BAD.sub("", text)
    return text.replace("\x00", "") if "\x00" in text else text


def guess(raw: bytes, hint: str = "") -> str:
    """Text of bytes that name no charset: UTF-8, else ISO-2022-JP escapes, else the hint, else Windows-1252."""
    if raw.isascii() and b"\x1b" not in raw and b"\0" not in raw:
        return raw.decode("ascii")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        codec = find_codec(hint) if hint else ""
        if codec in ("", "ascii", "utf-8", "utf-7") or codec.startswith(("utf-16", "utf-32")):
            codec = "cp1252"
        return clean(_decode_as(raw, codec)[0])
    if "\x1b$" in text and text.isascii():
        return clean(_decode_japanese(raw))
    return clean(text.removeprefix("\ufeff"))


def decode_bytes(raw: bytes, charset: str) -> tuple[str, str]:
    """Text of the bytes and '' or a defect in short words. Never raises; gives no NUL, no lone surrogate."""
    if not raw:
        return "", ""
    if _UNKNOWN.match(charset.strip().lower()):
        return guess(raw), "" if raw.isascii() or not charset.strip() else "charset guessed"
    codec = find_codec(charset)
    if not codec:
        return guess(raw), "unknown charset"
    if codec == "ascii":
        return guess(raw), "" if raw.isascii() else "8-bit bytes in US-ASCII"
    text, whole = _decode_as(raw, codec)
    return clean(text.removeprefix("\ufeff")), "" if whole else "bytes do not fit the charset"


def _decode_as(raw: bytes, codec: str) -> tuple[str, bool]:
    """Text, and whether every byte had a meaning in the codec."""
    if codec == "iso-2022-jp":
        text = _decode_japanese(raw)
        return text, _REPLACED not in text
    if codec in ("utf-16", "utf-32"):
        codec = _with_byte_order(raw, codec)
    try:
        return raw.decode(codec), True
    except (UnicodeError, ValueError):
        pass
    if codec == "utf-8":
        return _broken_utf8(raw), False
    if codec == "cp1252":
        return _cp1252(raw), True
    if codec in ("cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1257", "cp1258", "cp874", "cp949", "gb18030"):
        return raw.decode(codec, "replace"), False
    try:
        return raw.decode("utf-8"), False
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(codec, "replace"), False
    except (UnicodeError, ValueError):
        return _cp1252(raw), False


def _cp1252(raw: bytes) -> str:
    """Windows-1252; its five unassigned bytes become the control characters that ISO-8859-1 has there."""
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1").translate(_FROM_LATIN1)


def _broken_utf8(raw: bytes) -> str:
    """UTF-8 with a few damaged bytes stays UTF-8; text that never was UTF-8 is read as Windows-1252."""
    text = raw.decode("utf-8", "replace")
    beyond_ascii = _BEYOND_ASCII.findall(text[:200_000])
    damaged = beyond_ascii.count(_REPLACED)
    return text if len(beyond_ascii) >= 2 * damaged else _cp1252(raw)


def _with_byte_order(raw: bytes, codec: str) -> str:
    """The codec with a byte order: by BOM, else big endian (RFC 2781 §4.3) unless the zeros say otherwise."""
    if codec == "utf-16":
        if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return codec
        sample = raw[:2000]
        return "utf-16-le" if sample[1::2].count(0) > sample[0::2].count(0) else "utf-16-be"
    if raw[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
        return codec
    return "utf-32-le" if raw[3:4] == b"\x00" and raw[:1] != b"\x00" else "utf-32-be"


def _decode_japanese(raw: bytes) -> str:
    """ISO-2022-JP as it is really sent: NEC's row 13 and half-width kana included."""
    for data, codec in (
        (raw, "iso2022_jp"),
        (raw, "iso2022_jp_ext"),
        (raw.replace(b"\x1b$B", b"\x1b$(Q"), "iso2022_jp_2004"),  # JIS X 0213 holds NEC's ①, ㈱ and so on
    ):
        try:
            return data.decode(codec)
        except (UnicodeError, ValueError):
            continue
    return raw.decode("iso2022_jp_ext", "replace")
