"""Header fields: split, decoded, dated, whatever was sent."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.headers import (
    MAX_HEADERS,
    MAX_ID_LENGTH,
    MAX_IDS,
    clean,
    decode_text,
    parse_date,
    parse_message_ids,
    split_headers,
)


def test_fields_come_in_order_unfolded_and_in_lower_case() -> None:
    raw = b"Received: a\r\n\tb\r\nSUBJECT : Hi\r\nno field\r\nX-Empty:\r\nreceived: c\r\n\r\n"
    assert split_headers(raw) == [("received", b"a\tb"), ("subject", b"Hi"), ("x-empty", b""), ("received", b"c")]


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_any_line_end_separates_fields(line_end: bytes) -> None:
    assert split_headers(line_end.join([b"A: 1", b"B: 2", b" 3", b"", b""])) == [("a", b"1"), ("b", b"2 3")]


def test_twenty_thousand_fields_are_cut_at_the_limit_quickly() -> None:
    begun = time.process_time()
    assert len(split_headers(b"X-A: b\r\n" * 20_000)) == MAX_HEADERS
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?Hall=C3?= =?utf-8?q?=B6?=", "Hallö"),
        (b"=?UTF-8?Q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?iso-8859-2?q?=A3?= x =?utf-8?b?xYE=?=", "Ł x Ł"),
        (b"a=?utf-8?q?b?=c", "abc"),
        (b"=?utf-8?q?=80=81?=", "\u20ac\x81"),
        (b"=?utf-8?b?!!!!?=", ""),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=??q?abc?=", "=??q?abc?="),
        (b"=?idna?q?abc?=", "abc"),
        ("Gr\u00fc\u00dfe".encode("latin-1"), "Grüße"),
        (b"\xef\xbb\xbfbom", "bom"),
        (b" spaces ", "spaces"),
        (b"tab\there", "tab here"),
        (b"nul\x00", "nul"),
    ],
)
def test_text_is_decoded(raw: bytes, text: str) -> None:
    assert decode_text(raw) == text


def test_a_hint_decides_raw_bytes() -> None:
    assert decode_text("Łódź".encode("iso8859-2"), "iso-8859-2") == "Łódź"
    assert decode_text("Łódź".encode(), "iso-8859-2") == "Łódź"


@pytest.mark.parametrize("piece", [b"=?", b"=?a?q?", b"=?a?q?x", b"=?utf-8?b?QQ==?=", b"?=", b"=?a?q? ?", b"=?a*"])
def test_hostile_words_take_linear_time(piece: bytes) -> None:
    begun = time.process_time()
    decode_text(piece * 150_000)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("raw", "date"),
    [
        (b"Tue, 10 Nov 2026 09:30:00 +0100", datetime(2026, 11, 10, 8, 30, tzinfo=UTC)),
        (b"10 nov 2026 09:30 GMT", datetime(2026, 11, 10, 9, 30, tzinfo=UTC)),
        (b"Tue, 10 Nov 26 09:30:00 EST", datetime(2026, 11, 10, 14, 30, tzinfo=UTC)),
        (b"Tue, 10 Nov 98 09:30:00 -0000", datetime(1998, 11, 10, 9, 30, tzinfo=UTC)),
        (b"Tue, 10 Nov 126 09:30:00 +0000", datetime(2026, 11, 10, 9, 30, tzinfo=UTC)),
        (b"Tue, 10 Nov 0100 09:30:00 +0000", datetime(100, 11, 10, 9, 30, tzinfo=UTC)),
        (b"Fri, 31 Dec 9999 23:59:59 +0000", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"Thu, 31 Dec 2026 23:59:60 +0000", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"Tue Nov 10 09:30:00 2026", datetime(2026, 11, 10, 9, 30, tzinfo=UTC)),
        (b"2026-11-10 09:30:00", datetime(2026, 11, 10, 9, 30, tzinfo=UTC)),
        (b"Tue,10 Nov 2026 09:30:00 +0100", datetime(2026, 11, 10, 8, 30, tzinfo=UTC)),
    ],
)
def test_dates_become_moments_in_utc(raw: bytes, date: datetime) -> None:
    assert parse_date(raw) == date
    found = parse_date(raw)
    assert found is not None and found.tzinfo is UTC


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"junk",
        b"31 Feb 2026 10:00:00 +0000",
        b"Fri, 31 Dec 9999 23:59:59 -0100",
        b"1 Jan 0001 00:00:00 +0100",
        b"1 Jan 0000 00:00:00 +0000",
        b"1 Jan 2026 25:00:00 +0000",
        b"1 Jan 2026 10:00:00 +99999999",
        b"\xff\xfe",
        b"1" * 5_000,
    ],
)
def test_junk_is_no_date(raw: bytes) -> None:
    assert parse_date(raw) is None


@given(
    st.binary(max_size=60)
    | st.from_regex(rb"\d{1,3} [A-Z][a-z]{2} \d{1,5} \d\d:\d\d(:\d\d)? [+-]\d{1,6}", fullmatch=True)
)
def test_any_date_field_gives_none_or_an_aware_moment(raw: bytes) -> None:
    date = parse_date(raw)
    assert date is None or date.utcoffset() is not None


@pytest.mark.parametrize(
    ("raw", "ids"),
    [
        (b"<a@x.example>", ("a@x.example",)),
        (b"<a@x.example><b@x.example>  <a@x.example>", ("a@x.example", "b@x.example")),
        (b"< a@x .example >", ("a@x.example",)),
        (b"a@x.example", ("a@x.example",)),
        (b"12345", ("12345",)),
        (b"Your message of Tuesday", ()),
        (b"Message of Ewa <ewa-1@x.example> (Tuesday)", ("ewa-1@x.example",)),
        (b"<>", ()),
        (b"", ()),
        ("<ł@x.example>".encode(), ("ł@x.example",)),
    ],
)
def test_ids_lose_their_brackets(raw: bytes, ids: tuple[str, ...]) -> None:
    assert parse_message_ids(raw) == ids


def test_many_and_long_ids_are_cut_but_the_root_stays() -> None:
    ids = parse_message_ids(b" ".join(b"<%d@x.example>" % number for number in range(5_000)))
    assert len(ids) == MAX_IDS and ids[0] == "0@x.example" and ids[-1] == "4999@x.example"
    assert len(parse_message_ids(b"<" + b"x" * 2_000 + b">")[0]) == MAX_ID_LENGTH


@given(st.binary(max_size=300))
def test_any_bytes_give_clean_strings(raw: bytes) -> None:
    for name, value in split_headers(raw):
        for text in (name, decode_text(value), *parse_message_ids(value)):
            assert "\x00" not in text
            text.encode("utf-8")


@given(st.text())
def test_clean_removes_only_what_no_database_takes(text: str) -> None:
    cleaned = clean(text)
    assert cleaned == "".join(char for char in text if char != "\x00" and not "\ud800" <= char <= "\udfff")


@given(st.text(alphabet="a:\r\n \t", max_size=30))
def test_a_field_goes_on_where_white_space_begins_the_next_line_whatever_the_line_ends(text):
    raw = text.encode()
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")
    unfolded = re.sub(rb"\r*\n(?=[ \t])", b"", raw)
    fields = [line.partition(b":") for line in unfolded.split(b"\n")]
    assert split_headers(text.encode()) == [
        ("a" * name.strip().count(b"a"), value.strip())
        for name, colon, value in fields
        if colon and re.fullmatch(b"a+", name.strip())
    ]
