"""Transfer encodings, whole and damaged; sizes told from the encoded ones."""

from __future__ import annotations

import base64
import quopri

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.transfer import decode_transfer, decoded_size

ENCODINGS = ["base64", "quoted-printable", "x-uuencode", "7bit", "8bit", "x-strange", ""]


@given(st.binary(max_size=400))
def test_whole_encodings_come_back_as_they_were(data: bytes) -> None:
    assert decode_transfer(base64.encodebytes(data).replace(b"\n", b"\r\n"), " BASE64 ") == (data, "")
    lines = data.replace(b"\r", b"").rstrip(b"\n")
    assert decode_transfer(quopri.encodestring(lines), "quoted-printable") == (lines, "")


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"SGVsbG8", b"Hello"),
        (b"SGVsbG8=SGVsbG8=", b"HelloHello"),
        (b"SGVsbG8=\r\nlist footer, in plain text\r\n", b"Hello"),
        (b"SGVsbG8=\r\n-- \r\nfooter", b"Hello"),
        (b"S", b""),
        (b"====", b""),
        (b"SG!Vs\x00bG8=", b"Hello"),
    ],
)
def test_broken_base64_gives_what_there_is(raw: bytes, data: bytes) -> None:
    assert decode_transfer(raw, "base64")[0] == data


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        (b"a=\r\nb", b"ab"),
        (b"a= \t\r\nb", b"ab"),
        (b"a=C5=81", b"a\xc5\x81"),
        (b"a=c5", b"a\xc5"),
        (b"a=XYb", b"a=XYb"),
        (b"a=", b"a"),
    ],
)
def test_quoted_printable_junk_is_kept_as_it_is(raw: bytes, data: bytes) -> None:
    assert decode_transfer(raw, "quoted-printable")[0] == data


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS))
def test_any_bytes_decode(raw: bytes, encoding: str) -> None:
    data, defect = decode_transfer(raw, encoding)
    assert isinstance(data, bytes) and isinstance(defect, str)


@given(st.integers(min_value=0, max_value=200_000), st.booleans())
def test_sizes_of_base64_are_told_within_two_percent(size: int, final_break: bool) -> None:
    encoded = base64.encodebytes(bytes(size)).replace(b"\n", b"\r\n")
    if not final_break:
        encoded = encoded.removesuffix(b"\r\n")
    assert abs(decoded_size(len(encoded), "base64") - size) <= max(2, size * 0.02)


def test_other_sizes_are_those_on_the_wire() -> None:
    assert decoded_size(1_000, "8bit") == decoded_size(1_000, "7bit") == 1_000
    assert decoded_size(0, "base64") == 0
