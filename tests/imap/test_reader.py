"""Literal server bytes become tokens, however the network cuts them; lies about lengths are found out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailwall.imap import reader
from mailwall.imap.commands import Commands
from mailwall.imap.errors import ImapError, ImapProtocolError, ImapTimeout, ImapUnreachable
from mailwall.imap.wire import Wire
from mailwall.net.types import ServerSettings

SERVER = ServerSettings(host="imap.example.org", port=143, security="none", read_timeout_seconds=1)
FETCH = (
    b'* 1 FETCH (UID 5 FLAGS (\\Seen) RFC822.SIZE 44 INTERNALDATE "24-Nov-2026 08:00:00 +0100" '
    b'BODYSTRUCTURE ("text" "plain" ("charset" "utf-8" "name" {3}\r\na"b) NIL NIL "7bit" 5 1 NIL NIL NIL NIL) '
    b"BODY[HEADER] {12}\r\nSubject: x\r\n BODY[1]<0> {5}\r\nhe)lo)\r\n"
)
TAGGED = b"w1 OK done\r\n"


def wire_of(raw: bytes, *, hang_up: bool = True) -> Wire:
    """A Wire whose server says these bytes and then hangs up (or stays silent)."""
    ours, theirs = socket.socketpair()
    theirs.sendall(raw)
    if hang_up:
        theirs.close()
    wire = Wire(ours, SERVER)
    wire.other_end = theirs  # type: ignore[attr-defined]  # kept open as long as the wire
    return wire


def fetched(wire: Wire) -> dict[bytes, reader.Token]:
    items = reader.fetch_items(reader.read_response(wire))
    assert items is not None
    return items


def test_fetch_answer_gives_every_item_by_name() -> None:
    items = fetched(wire_of(FETCH))
    assert items[b"UID"] == b"5"
    assert items[b"FLAGS"] == [b"\\Seen"]
    assert items[b"BODY[HEADER]"] == b"Subject: x\r\n"
    assert items[b"BODY[1]<0>"] == b"he)lo"
    assert items[b"BODYSTRUCTURE"][2] == [b"charset", b"utf-8", b"name", b'a"b']


@pytest.mark.parametrize("cut", range(1, len(FETCH)))
def test_answer_split_at_any_byte_reads_the_same(cut: int) -> None:
    ours, theirs = socket.socketpair()
    wire = Wire(ours, SERVER)
    theirs.sendall(FETCH[:cut])
    wire.receive_available()
    theirs.sendall(FETCH[cut:] + TAGGED)
    assert fetched(wire) == fetched(wire_of(FETCH))
    assert reader.read_response(wire).tag == b"w1"
    ours.close()
    theirs.close()


@pytest.mark.parametrize("cut", range(1, len(FETCH)))
def test_connection_lost_at_any_byte_gives_no_message(cut: int) -> None:
    with pytest.raises(ImapUnreachable):
        reader.read_response(wire_of(FETCH[:cut]))


@pytest.mark.parametrize("lie", [-1000, -12, -5, -2, -1, 1, 2, 5, 100])
def test_wrong_literal_length_is_never_taken_for_a_message(lie: int) -> None:
    body = b"".join(b"w%07d some words here\r\n" % number for number in range(200))
    raw = b"* 1 FETCH (UID 5 BODY[1] {%d}\r\n%b)\r\n" % (len(body) + lie, body)
    wire = wire_of(raw + b"* 2 FETCH (UID 6 BODY[1] {2}\r\nhi)\r\n" + TAGGED)
    with pytest.raises((reader.Unreadable, ImapError)):
        reader.fetch_items(reader.read_response(wire))


@pytest.mark.parametrize(
    "rest", [b" (see below)", b" UID 7)", b") and more (so on)", b" see (below))", b")", b" FLAGS (a) words)"]
)
def test_rest_of_a_cut_literal_is_not_taken_for_items(rest: bytes) -> None:
    for structure in (b"", b'BODYSTRUCTURE ("text" "pl"ain" (NIL '):
        raw = b"* 1 FETCH (UID 5 " + structure + b"BODY[HEADER] {5}\r\nhello" + rest + b"\r\nworld\r\n)\r\n" + TAGGED
        wire = wire_of(raw)
        with pytest.raises((reader.Unreadable, ImapError)):
            reader.fetch_items(reader.read_response(wire))
            Commands(wire).next()


def test_unsolicited_answer_is_no_fetch() -> None:
    assert reader.fetch_items(reader.read_response(wire_of(b"* 5 EXISTS\r\n"))) is None


def test_unreadable_structure_keeps_uid_and_literals() -> None:
    raw = (
        b'* 1 FETCH (UID 5 RFC822.SIZE 9 FLAGS () INTERNALDATE "24-Nov-2026 08:00:00 +0000" '
        b'BODYSTRUCTURE ("text" "pl"ain" (NIL BODY[HEADER] {3}\r\na\r\n)\r\n'
    )
    items = fetched(wire_of(raw))
    assert b"UNREADABLE" in items
    assert (items[b"UID"], items[b"RFC822.SIZE"], items[b"BODY[HEADER]"]) == (b"5", b"9", b"a\r\n")


def test_nil_differs_from_a_quoted_nil() -> None:
    assert reader.tokens([b'NIL "NIL" ""'], []) == [None, b"NIL", b""]


def test_escapes_in_quoted_strings_are_undone() -> None:
    assert reader.tokens([rb'"a\"b\\c"'], []) == [rb'a"b\c']


@pytest.mark.parametrize("text", [b"(", b")", b'"', b"(a))", b"(" * 5000])
def test_unbalanced_answer_is_unreadable(text: bytes) -> None:
    with pytest.raises(reader.Unreadable):
        reader.tokens([text], [])


def test_endless_literal_is_refused_before_it_is_read() -> None:
    with pytest.raises(ImapProtocolError):
        reader.read_response(wire_of(b"* 1 FETCH (UID 5 BODY[] {4000000000}\r\n"))


def test_silent_server_ends_at_the_read_deadline() -> None:
    wire = wire_of(b"* 1 FETCH (UID", hang_up=False)
    wire.read_timeout_seconds = 0.2
    with pytest.raises(ImapTimeout):
        reader.read_response(wire)


def test_dripping_server_ends_at_the_read_deadline_too() -> None:
    ours, theirs = socket.socketpair()

    def drip() -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs.sendall(b"x")
                time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    dripping = Wire(ours, SERVER)
    dripping.read_timeout_seconds = 0.3
    begin = time.monotonic()
    with pytest.raises(ImapTimeout):
        reader.read_response(dripping)
    assert time.monotonic() - begin < 2


def test_job_deadline_ends_a_talkative_server() -> None:
    ours, theirs = socket.socketpair()

    def talk() -> None:
        with contextlib.suppress(OSError):
            while True:
                theirs.sendall(b"* 1 EXISTS\r\n")
                time.sleep(0.01)

    threading.Thread(target=talk, daemon=True).start()
    wire = Wire(ours, SERVER, job_deadline_seconds=0.2)
    with pytest.raises(ImapTimeout):
        while True:
            reader.read_response(wire)


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_end_in_answers_or_a_known_error(raw: bytes) -> None:
    wire = wire_of(raw)
    try:
        while True:
            reader.fetch_items(reader.read_response(wire))
    except (ImapError, reader.Unreadable):
        pass
    finally:
        wire.close()


@given(st.text(alphabet='()"\\{}[] NILabc123\r\n*', max_size=200))
@settings(max_examples=500, deadline=None)
def test_any_tokens_are_read_or_unreadable(text: str) -> None:
    with contextlib.suppress(reader.Unreadable):
        reader.tokens([text.encode()], [])
