"""Charsets: the right text for what senders declare, and never an error."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime import charsets
from mailwall.mime.charsets import decode_bytes, find_codec, guess


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf-8", "utf-8", "Zażółć 🌷"),
        ('"UTF-8"', "utf-8", "Zażółć"),
        ("utf8mb4", "utf-8", "🌷"),
        ("UTF_8", "utf-8", "ż"),
        ("iso-8859-1", "cp1252", "“€”"),
        ("ISO8859_2", "iso8859-2", "Łódź"),
        ("latin-2", "iso8859-2", "Łódź"),
        ("iso_8859-2:1987", "iso8859-2", "Łódź"),
        ("cp-850", "cp850", "Grüße"),
        ("ibm850", "cp850", "Grüße"),
        ("windows1250", "cp1250", "Łódź"),
        ("win-1251", "cp1251", "Привет"),
        ("x-cp1251", "cp1251", "Привет"),
        ("cp1251", "cp1251", "Привет"),
        ("x-mac-roman", "mac_roman", "Grüße"),
        ("x-mac-ce", "mac_latin2", "Łódź"),
        ("x-mac-cyrillic", "mac_cyrillic", "Привет"),
        ("iso-8859-8-i", "iso8859-8", "שלום"),
        ("iso-8859-6-e", "iso8859-6", "سلام"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("gb2312", "gb18030", "朱镕基"),
        ("x-gbk", "gbk", "镕"),
        ("hz-gb-2312", "hz", "你好"),
        ("windows-31j", "cp932", "①髙"),
        ("x-sjis", "cp932", "こんにちは"),
        ("iso-2022-jp", "iso2022_jp", "日本語"),
        ("_iso-2022-jp$ESC", "iso2022_jp", "日本語"),
        ("tis-620", "cp874", "สวัสดี"),
        ("koi8-u", "koi8-u", "Привіт"),
        ("utf-7", "utf-7", "Zażółć"),
        ("unicode-1-1-utf-7", "utf-7", "ł"),
        ("utf-16", "utf-16", "Hello Ł"),
        ("utf-16", "utf-16-be", "Hello Ł"),
        ("utf-16", "utf-16-le", "Hello Ł"),
        ("ansi_x3.110-1983", "latin-1", "Grüße"),
        ("", "utf-8", "Zażółć"),
        ("", "latin-1", "Grüße"),
    ],
)
def test_declared_charsets_are_understood(label: str, codec: str, text: str) -> None:
    assert decode_bytes(text.encode(codec), label) == (text, "")


def test_half_width_kana_and_circled_digits_come_through_iso_2022_jp() -> None:
    assert decode_bytes(b"\x1b(I1\x1b(B", "iso-2022-jp")[0] == "ｱ"
    assert decode_bytes(b"\x1b$B-!\x1b(B", "iso-2022-jp")[0] == "①"


@pytest.mark.parametrize(
    ("raw", "label", "text", "defect"),
    [
        (b"abc \xc5\x82", "x-martian", "abc ł", "unknown charset"),
        (b"\xfc", "us-ascii", "ü", "8-bit bytes in US-ASCII"),
        (b"caf\xe9 cr\xe8me", "utf-8", "café crème", "bytes do not fit the charset"),
        ("Zażółć gęślą".encode()[:-1], "utf-8", "Zażółć gęśl\ufffd", "bytes do not fit the charset"),
        ("ż".encode(), "unknown-8bit", "ż", "charset guessed"),
        (b"\xff", "unknown", "ÿ", "charset guessed"),
    ],
)
def test_wrong_declarations_still_give_text_and_a_defect(raw: bytes, label: str, text: str, defect: str) -> None:
    assert decode_bytes(raw, label) == (text, defect)


@pytest.mark.parametrize(
    "label",
    [
        "zlib",
        "hex",
        "rot13",
        "base64",
        "bz2",
        "idna",
        "punycode",
        "unicode_escape",
        "mbcs",
        "undefined",
        "raw_unicode_escape",
        "uu",
        "quopri",
        "utf-8\x00",
        "x" * 10_000,
        "../etc",
        "ł",
        "cp99999",
    ],
)
def test_codecs_that_are_no_charsets_are_out_of_reach(label: str) -> None:
    assert decode_bytes(b"x\\u0041 =41", label)[0] == "x\\u0041 =41"


def test_every_alias_has_a_codec() -> None:
    assert [name for name in charsets._ALIASES if name != "koi8t" and not find_codec(name)] == []


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            "",
            "utf-8",
            "utf-7",
            "utf-16",
            "utf-32",
            "gb2312",
            "iso-2022-jp",
            "hz",
            "big5",
            "euc-kr",
            "cp1252",
            "cp1255",
            "koi8-r",
            "johab",
            "x",
            "shift_jis",
            "iso-2022-kr",
        ]
    ),
)
def test_any_bytes_in_any_charset_give_clean_text(raw: bytes, label: str) -> None:
    for text in (decode_bytes(raw, label)[0], guess(raw, label)):
        assert "\x00" not in text
        text.encode("utf-8")


@given(st.text(max_size=40))
def test_any_label_is_survived(label: str) -> None:
    assert decode_bytes(b"plain", label)[0]


def test_damage_in_ten_megabytes_costs_little() -> None:
    begun = time.process_time()
    decode_bytes(("Zażółć " * 1_000_000).encode() + b"\xff", "utf-8")
    assert time.process_time() - begun < 2
