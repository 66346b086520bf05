"""The part tree of a whole message: the sections an IMAP server would count, from any bytes, in linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.scan import MAX_DEPTH, MAX_PARTS, scan_message, structure_of


def multipart(boundary: str, *parts: bytes, kind: str = "mixed") -> bytes:
    """Header and body of a multipart; each part is header, blank line and body."""
    body = b"".join(b"--%s\r\n%s\r\n" % (boundary.encode(), part) for part in parts)
    return (
        f"Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n".encode() + body + f"--{boundary}--\r\n".encode()
    )


def leaf(text: bytes, content_type: bytes = b"text/plain") -> bytes:
    return b"Content-Type: " + content_type + b"\r\n\r\n" + text


def test_sections_are_numbered_as_imap_does() -> None:
    inner = multipart("in", leaf(b"2.1"), leaf(b"2.2"))
    deep = multipart("d", leaf(b"3.1"), multipart("dd", leaf(b"3.2.1")))
    single = leaf(b"4.1")
    raw = multipart(
        "out",
        leaf(b"1"),
        b"Content-Type: message/rfc822\r\n\r\n" + inner,
        deep,
        b"Content-Type: message/rfc822\r\n\r\n" + single,
    )
    structure, sections = structure_of(raw)
    assert [(part.section, part.content_type) for part in structure.walk()] == [
        ("", "multipart/mixed"),
        ("1", "text/plain"),
        ("2", "message/rfc822"), ("2", "multipart/mixed"), ("2.1", "text/plain"), ("2.2", "text/plain"),
        ("3", "multipart/mixed"), ("3.1", "text/plain"), ("3.2", "multipart/mixed"), ("3.2.1", "text/plain"),
        ("4", "message/rfc822"), ("4.1", "text/plain"),
    ]  # fmt: skip
    assert sections == {"1": b"1", "2": inner, "3.1": b"3.1", "3.2.1": b"3.2.1", "4": single}


def test_a_message_of_one_part_is_section_one() -> None:
    structure, sections = structure_of(leaf(b"Hello\r\n--not a boundary\r\n"))
    assert (structure.section, structure.size_bytes) == ("1", 25)
    assert sections == {"1": b"Hello\r\n--not a boundary\r\n"}


def test_the_line_break_before_a_boundary_belongs_to_it() -> None:
    raw = multipart("b", leaf(b"one\r\n\r\n"), leaf(b""))
    assert structure_of(raw)[1] == {"1": b"one\r\n\r\n", "2": b""}
    assert structure_of(raw.replace(b"\r\n", b"\n"))[1] == {"1": b"one\n\n", "2": b""}


def test_a_part_without_a_blank_line_is_all_header() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png\r\n--b\r\n\r\nx\r\n--b--"
    structure, sections = structure_of(raw)
    assert [part.content_type for part in structure.children] == ["image/png", "text/plain"]
    assert sections == {"1": b"", "2": b"x"}


def test_parts_of_a_digest_are_messages() -> None:
    structure, _ = structure_of(multipart("b", b"\r\nSubject: a\r\n\r\nx", kind="digest"))
    assert structure.children[0].content_type == "message/rfc822"


def test_five_thousand_nested_multiparts_are_cut_with_a_defect() -> None:
    opened = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(5_000))
    begun = time.process_time()
    scan = scan_message(opened + b"\r\ndeep")
    assert time.process_time() - begun < 1
    assert "nested too deep" in scan.defects
    assert sum(1 for _ in scan.structure.walk()) <= MAX_DEPTH + 2


def test_five_thousand_nested_messages_are_cut_with_a_defect() -> None:
    begun = time.process_time()
    scan = scan_message(b"Content-Type: message/rfc822\r\n\r\n" * 5_000 + b"\r\ndeep")
    assert time.process_time() - begun < 1
    assert "nested too deep" in scan.defects


def test_ten_thousand_parts_are_cut_with_a_defect_in_time() -> None:
    begun = time.process_time()
    scan = scan_message(multipart("b", *[leaf(b"part %d" % n) for n in range(10_000)]))
    assert time.process_time() - begun < 2
    assert "too many parts" in scan.defects
    assert len(scan.raw_sections) == MAX_PARTS - 1
    assert scan.raw_sections["1"] == b"part 0"


@pytest.mark.parametrize(
    "piece",
    [
        b"--b\r\n",
        b"--b--\r\n",
        b"--\r\n",
        b"--b\r\n\r\n",
        b"--x\r\n",
        b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\nContent-Type: message/rfc822\r\n\r\n",
        b"\r\n ",
        b"--b\r\nA",
        b"\n",
    ],
)
def test_hostile_boundaries_take_linear_time(piece: bytes) -> None:
    begun = time.process_time()
    scan_message(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + piece * 150_000)
    assert time.process_time() - begun < 3


PIECES = [
    b"--b",
    b"--b--",
    b"--c",
    b"--c--",
    b"\r\n",
    b"\n",
    b"\r",
    b"Content-Type: multipart/mixed; boundary=b",
    b"x",
    b" ",
    b"\x00",
    b"Content-Type: multipart/alternative; boundary=c",
    b"Content-Type: message/rfc822",
    b"Content-Type: text/html",
    b":",
    b"\xff",
    b"Content-Disposition: attachment; filename*0*=utf-8''%C3",
    b"Content-Transfer-Encoding: base64",
    b"Content-Type: multipart/x",
]
messages = st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join) | st.binary(max_size=200)


@given(messages)
def test_any_bytes_give_a_tree_whose_sections_lie_in_order_in_the_message(raw: bytes) -> None:
    scan = scan_message(raw)
    position = len(scan.raw_header)
    assert raw.startswith(scan.raw_header)
    for part in scan.structure.walk():
        assert part.section or part.children
        assert 0 <= part.size_bytes <= len(raw)
        assert part.content_type == part.content_type.lower() and "/" in part.content_type
    for section, body in scan.raw_sections.items():
        found = raw.find(body, position)
        assert found >= position, section
        position = found + len(body)


@given(messages)
def test_sections_are_told_once(raw: bytes) -> None:
    structure = scan_message(raw).structure
    leaves = [part.section for part in structure.walk() if not part.children]
    assert len(leaves) == len(set(leaves))
