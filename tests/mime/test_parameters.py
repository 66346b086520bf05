"""Parameters of Content-Type and Content-Disposition, in every dialect seen in the wild."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.parameters import join_parameters, parse_parameters


@pytest.mark.parametrize(
    ("raw", "value", "parameters"),
    [
        (b"text/plain", "text/plain", {}),
        (b"Text/Plain; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        (
            b'text/plain; charset="utf-8" (really); format=flowed',
            "text/plain",
            {"charset": "utf-8", "format": "flowed"},
        ),
        (b"text/plain; charset=us-ascii (Plain text)", "text/plain", {"charset": "us-ascii"}),
        (b"text/plain (comment); charset=x", "text/plain", {"charset": "x"}),
        (b"text/plain;charset=x;;", "text/plain", {"charset": "x"}),
        (b"text/plain charset=x", "text/plain", {"charset": "x"}),
        (b"attachment; filename=my file (2).pdf; size=3", "attachment", {"filename": "my file (2).pdf", "size": "3"}),
        (b'attachment; filename="a\\"b.pdf"', "attachment", {"filename": 'a"b.pdf'}),
        (b'attachment; filename="C:\\temp\\b.pdf"', "attachment", {"filename": "C:\\temp\\b.pdf"}),
        (b'attachment; filename="a; b=c.pdf"', "attachment", {"filename": "a; b=c.pdf"}),
        (b"attachment; filename=", "attachment", {"filename": ""}),
        (b"attachment; filename=a.pdf; filename=b.pdf", "attachment", {"filename": "a.pdf"}),
        ("attachment; filename=Łódź.pdf".encode("iso8859-1", "replace"), "attachment", {"filename": "?\u00f3d?.pdf"}),
        (b"multipart/mixed; boundary=----=_Part:1/2?3", "multipart/mixed", {"boundary": "----=_Part:1/2?3"}),
        (b"", "", {}),
        (b";;;", "", {}),
    ],
)
def test_fields_are_read(raw: bytes, value: str, parameters: dict[str, str]) -> None:
    assert parse_parameters(raw) == (value, parameters)


@pytest.mark.parametrize(
    ("pairs", "name"),
    [
        ([("FILENAME*", "utf-8'pl'%C5%81.pdf")], "Ł.pdf"),
        ([("filename*0*", "utf-8''%C5"), ("filename*1*", "%81"), ("filename*2", ".pdf")], "Ł.pdf"),
        ([("filename*0", "a"), ("filename*1", "b.pdf")], "ab.pdf"),
        ([("filename*1", "b.pdf"), ("filename*0", "a")], "ab.pdf"),
        ([("filename*", "nothing quoted")], "nothing quoted"),
        ([("filename*", "''%41")], "A"),
        ([("filename*", "utf-8''%zz%")], "%zz%"),
        ([(b"filename", b"=?utf-8?q?=C5=81?=.pdf")], "Ł.pdf"),
        ([("filename*0*", "=?utf-8?q?=C5=81?=.pdf")], "Ł.pdf"),
        ([("filename", "Ł.pdf".encode())], "Ł.pdf"),
        ([("filename", "a\x00b\r\nc.pdf")], "ab c.pdf"),
    ],
)
def test_names_are_joined_and_decoded(pairs: list[tuple[str | bytes, str | bytes]], name: str) -> None:
    assert join_parameters(pairs)["filename"] == name


@pytest.mark.parametrize("piece", [b"a=b;", b'"', b'a="', b'a="\\', b"(", b";", b"=", b"a*1=b;", b"=?a?q?", b" ", b"a"])
def test_hostile_fields_take_linear_time(piece: bytes) -> None:
    begun = time.process_time()
    parse_parameters(b"text/plain; " + piece * 100_000)
    assert time.process_time() - begun < 1


@given(
    st.binary(max_size=200)
    | st.from_regex(rb"[a-z]/b(; ?(file)?name(\*\d?\*?)?=[\"'%a-fA-F0-9=?]{0,9}){0,5}", fullmatch=True)
)
def test_any_bytes_give_clean_strings(raw: bytes) -> None:
    value, parameters = parse_parameters(raw)
    for text in (*parameters, *parameters.values()):
        assert "\x00" not in text
        text.encode("utf-8")
    assert value == value.lower()
