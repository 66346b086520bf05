"""A section that streams: whatever pieces it comes in, and whatever the server does in the middle."""

from __future__ import annotations

import pytest

from mailwall.imap.errors import ImapError, ImapProtocolError, ImapTimeout, ImapUnreachable
from mailwall.imap.session import open_session
from tests.fakes.imap_script import ScriptedImap
from tests.imap.test_faults import settings_for


def streamed(answer: bytes, *, piece_bytes: int = 8) -> list[bytes]:
    with ScriptedImap({"UID FETCH": answer}) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        return list(session.stream_section(5, "2", chunk_bytes=piece_bytes))


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        (b"* 1 FETCH (UID 5 BODY[2] {10}\r\nab\r\ncd\r\nef)\r\n{tag} OK\r\n", b"ab\r\ncd\r\nef"),
        (b"* 1 FETCH (BODY[2] {3}\r\nabc UID 5)\r\n{tag} OK\r\n", b"abc"),
        (b"* 1 fetch (uid 5 flags (\\Seen) body[2] {3+}\r\nabc)\r\n{tag} OK\r\n", b"abc"),
        (b"* 1 FETCH (UID 5 BODY[2] ~{3}\r\n\0bc)\r\n{tag} OK\r\n", b"\0bc"),
        (b'* 1 FETCH (UID 5 BODY[2] "abc")\r\n{tag} OK\r\n', b"abc"),
        (b"* 1 FETCH (UID 5 BODY[2] {0}\r\n)\r\n{tag} OK\r\n", b""),
        (b'* 1 FETCH (UID 5 BODY[2] "")\r\n{tag} OK\r\n', b""),
        (
            b"* 7 FETCH (FLAGS (\\Seen))\r\n* 9 EXISTS\r\n* 1 FETCH (UID 5 BODY[2] {20}\r\n"
            b"a line of 20 bytes.\n)\r\n* 2 FETCH (UID 6 FLAGS ())\r\n{tag} OK\r\n",
            b"a line of 20 bytes.\n",
        ),
    ],
)
@pytest.mark.parametrize("piece_bytes", [1, 3, 8, 1000])
def test_all_bytes_come_in_order_however_the_server_puts_it(answer, content, piece_bytes):
    assert b"".join(streamed(answer, piece_bytes=piece_bytes)) == content


def test_pieces_end_with_a_line_so_that_what_is_decoded_has_no_rest():
    raw = b"".join(b"%076d\r\n" % number for number in range(100))
    answer = b"* 1 FETCH (UID 5 BODY[2] {%d}\r\n%b)\r\n{tag} OK\r\n" % (len(raw), raw)
    pieces = streamed(answer, piece_bytes=1000)
    assert b"".join(pieces) == raw
    assert max(map(len, pieces)) <= 1000
    assert all(piece.endswith(b"\r\n") for piece in pieces)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"* 1 FETCH (UID 5 BODY[2] {20}\r\nabcdefghijHANGUP", ImapUnreachable),
        (b"* 1 FETCH (UID 5 BODY[2] {20}\r\nabcdefghij* BYE\r\nHANGUP", ImapUnreachable),
        (b"* 1 FETCH (UID 5 BODY[2] {10}\r\nabcdefghijHANGUP", ImapUnreachable),
        (b"* 1 FETCH (UID 5 BODY[2] {10}\r\nabcdefghij)\r\nHANGUP", ImapUnreachable),
        (b"* 1 FETCH (UID 5 BODY[2] {10}\r\nabcdefghij)\r\n{tag} NO cannot read on\r\n", ImapProtocolError),
        (b"* 1 FETCH (UID 5 BODY[2] {10}\r\nabcdefghij)\r\n* BYE\r\nHANGUP", ImapUnreachable),
        (b"* 1 FETCH (UID 5 BODY[2] {4}\r\nabcdefghij)\r\n{tag} OK\r\n", ImapProtocolError),
        (b"* 1 FETCH (BODY[2] {4}\r\nabcd UID 6)\r\n{tag} OK\r\n", ImapProtocolError),
        (b"* 1 FETCH (UID 5 BODY[3] {4}\r\nabcd)\r\n{tag} OK\r\n", ImapProtocolError),
        (b"* 1 FETCH (UID 5 BODY[2] NIL)\r\n{tag} OK\r\n", ImapProtocolError),
        (b"{tag} NO gone\r\n", ImapProtocolError),
        (b"{tag} OK done\r\n", ImapProtocolError),
    ],
)
def test_what_is_not_the_whole_section_raises_instead_of_ending(answer: bytes, kind: type[ImapError]) -> None:
    with pytest.raises(kind):
        streamed(answer)


def test_a_server_that_falls_silent_in_the_middle_times_out() -> None:
    answers = {"UID FETCH": b"* 1 FETCH (UID 5 BODY[2] {20}\r\nabc"}
    with ScriptedImap(answers) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        session.wire.read_timeout_seconds = 0.2
        with pytest.raises(ImapTimeout):
            list(session.stream_section(5, "2"))
