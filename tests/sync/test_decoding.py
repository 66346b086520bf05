"""Decoding while streaming gives the same as decoding at once, wherever the chunks are cut."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.transfer import decode_transfer
from mailwall.sync.decoding import decoded


def in_chunks(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


def streamed(raw: bytes, encoding: str, size: int) -> bytes:
    return b"".join(decoded(in_chunks(raw, size), encoding))


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_base64_of_any_bytes_in_any_chunks(raw, size):
    encoded = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    assert streamed(encoded, "BASE64 ", size) == raw


@given(st.binary(max_size=3000), st.integers(1, 700))
def test_quoted_printable_of_any_bytes_in_any_chunks(raw, size):
    encoded = quopri.encodestring(raw).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    assert streamed(encoded, "quoted-printable", size) == decode_transfer(encoded, "quoted-printable")[0]


@pytest.mark.parametrize("size", [1, 3, 7, 64, 5000])
@pytest.mark.parametrize(
    "encoded",
    [
        base64.b64encode(b"one") + b"\r\n" + base64.b64encode(b"two22"),
        base64.b64encode(b"one1") + b"\r\n" + base64.b64encode(b"two"),
        base64.b64encode(b"file")[:-1],
        base64.encodebytes(b"file" * 50).replace(b"\n", b"\r\n\r\n"),
        base64.b64encode(b"filex") + b"\r\n-- \r\nTo unsubscribe, go to the list's page.\r\n",
        b"",
        b"\r\n",
        b"!!",
    ],
)
def test_damaged_and_joined_base64_as_the_parser_reads_it(encoded, size):
    assert streamed(encoded, "base64", size) == decode_transfer(encoded, "base64")[0]


def test_an_endless_line_of_quoted_printable_is_not_collected():
    raw = b"ab=C4=85" * 400_000
    chunks = in_chunks(raw, 65_536)
    assert b"".join(decoded(chunks, "quoted-printable")) == "abą".encode() * 400_000
    largest = max(len(piece) for piece in decoded(chunks, "quoted-printable"))
    assert largest < 1_200_000


def test_unencoded_bytes_come_as_they_are():
    assert streamed(b"a=\x00\r\n", "8bit", 1) == b"a=\x00\r\n"


def test_uuencode_is_decoded():
    assert streamed(b"begin 644 a.txt\n%:&5L;&\\\n`\nend\n", "x-uuencode", 4) == b"hello"
