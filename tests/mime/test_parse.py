"""Whole messages: nothing raises, nothing slips through, the large ones end in time."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailwall.mime import types as mime
from mailwall.mime.parse import parse_message, parse_whole
from mailwall.mime.scan import scan_message

FIELDS = [
    b"From: ",
    b"To: ",
    b"Cc: ",
    b"Subject: ",
    b"Date: ",
    b"Message-ID: ",
    b"References: ",
    b"Content-Type: ",
    b"Content-Transfer-Encoding: ",
    b"Content-Disposition: ",
    b"List-Id: ",
    b"Auto-Submitted: ",
    b"Return-Path: ",
]
VALUES = [
    b"a@x.example",
    b"<a@x.example>",
    b"=?utf-8?q?=00=ED=A0=80?=",
    b"=?utf-7?q?+2AA-?=",
    b"\x00\xff\xfe",
    b'"',
    b"(",
    b"text/html; charset=utf-7",
    b"multipart/mixed; boundary=b",
    b"message/rfc822",
    b"base64",
    b"quoted-printable",
    b"attachment; filename*=utf-8''%ED%A0%80%00",
    b"x-uuencode",
    b"text/plain; format=flowed; charset=utf-16",
    b"text/enriched",
    b"1 Jan 2026 10:00:00 +0000",
    b"multipart/alternative; boundary=b",
]
BODIES = [
    b"\r\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"\xed\xa0\x80\x00",
    b"+2AA-",
    b"<p>&#xD800;&#0;</p>",
    b"text ",
    b"<!--",
    b"QUJD=",
    b"begin 644 x\r\n#",
]

lines = st.tuples(st.sampled_from(FIELDS), st.sampled_from(VALUES), st.just(b"\r\n")).map(b"".join)
messages = st.binary(max_size=300) | st.lists(lines | st.sampled_from(BODIES), max_size=25).map(b"".join)


def strings(value: object) -> Iterator[str]:
    """All strings inside a message."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from strings(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strings(getattr(value, field.name))


def assert_clean(parsed: mime.ParsedMessage) -> None:
    for text in strings(parsed):
        assert "\x00" not in text
        text.encode("utf-8")


@settings(max_examples=400)
@given(messages)
def test_any_bytes_are_read_without_error_into_clean_strings(raw: bytes) -> None:
    assert_clean(parse_whole(raw))


@given(st.binary(max_size=200), messages, st.booleans())
def test_any_header_and_sections_are_read(raw_header: bytes, raw: bytes, missing: bool) -> None:
    scan = scan_message(raw)
    sections = {} if missing else scan.raw_sections
    assert_clean(parse_message(raw_header, scan.structure, sections, truncated={"1"}))
    assert_clean(parse_message(raw_header, None, sections))


def test_a_cut_section_says_so() -> None:
    scan = scan_message(b"From: a@x.example\r\n\r\nHello")
    assert (
        "text truncated" in parse_message(scan.raw_header, scan.structure, scan.raw_sections, truncated={"1"}).defects
    )


def test_a_section_that_was_not_fetched_says_so() -> None:
    scan = scan_message(b"From: a@x.example\r\n\r\nHello")
    assert "text missing" in parse_message(scan.raw_header, scan.structure, {}).defects


def nested(levels: int) -> bytes:
    parts = [b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels)]
    return b"Subject: deep\r\nFrom: a@x.example\r\n" + b"".join(parts) + b"\r\nx\r\n"


HOSTILE = {
    "5,000 deep": lambda: nested(5_000),
    "10,000 parts": lambda: (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + b"--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n" * 10_000
    ),
    "20,000 headers": lambda: b"X-A: b\r\n" * 20_000 + b"\r\nbody",
    "20,000 receivers": lambda: (
        b"To: " + b", ".join(b"n%d <a%d@x.example>" % (n, n) for n in range(20_000)) + b"\r\n\r\nbody"
    ),
    "5,000 nested comments": lambda: b"To: " + b"(" * 5_000 + b")" * 5_000 + b" a@x.example\r\n\r\nbody",
    "one line of 10 MB": lambda: b"\r\n" + b"x" * 10_000_000,
    "10 MB of header": lambda: b"Subject: " + b"=?utf-8?q?x?= " * 700_000,
    "10 MB of flowed lines": lambda: b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"> word \r\n" * 1_000_000,
    "3 MB of HTML tags": lambda: b"Content-Type: text/html\r\n\r\n" + b"<div>" * 600_000,
    "1 MB of unclosed HTML": lambda: b"Content-Type: text/html\r\n\r\n" + b"<title><a b='" * 80_000,
    "5 MB of qp spaces": lambda: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b" " * 5_000_000 + b"\r\n",
    "2 MB of base64 signs": lambda: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=A\r\n" * 500_000,
    "3 MB of uuencode": lambda: (
        b"Content-Transfer-Encoding: x-uuencode\r\n\r\n" + b"begin 644 x\r\n#86)C\r\n" * 150_000
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_messages_are_read_in_time(name: str) -> None:
    raw = HOSTILE[name]()
    begun = time.process_time()
    assert_clean(parse_whole(raw))
    assert time.process_time() - begun < 5


def test_twenty_thousand_headers_are_told() -> None:
    assert "too many header fields" in parse_whole(HOSTILE["20,000 headers"]()).defects


def test_text_of_thirty_megabytes_is_whole_and_beyond_the_limit_is_cut_and_told() -> None:
    line = b"Hello Jan, this is a line.\r\n"
    whole = parse_whole(b"From: a@x.example\r\n\r\n" + line * (30_000_000 // len(line)))
    assert len(whole.text) == (len(line) - 1) * (30_000_000 // len(line))
    assert "text truncated" not in whole.defects
    beyond = parse_whole(b"From: a@x.example\r\n\r\n" + line * (40_000_000 // len(line)))
    assert "text truncated" in beyond.defects


def test_html_of_thirty_megabytes_gives_its_whole_text() -> None:
    parsed = parse_whole(
        b"Content-Type: text/html\r\n\r\n" + b"<p>" + b"Hello Jan, this is a line.<br>" * 900_000 + b"the end</p>"
    )
    assert parsed.text.endswith("the end")
