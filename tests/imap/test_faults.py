"""What no well-behaved server does: odd greetings, refused sign-ins, OK without a body, lengths that lie."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from mailwall.imap.errors import (
    ImapBusy,
    ImapError,
    ImapLoginRefused,
    ImapProtocolError,
    ImapTimeout,
    ImapTlsFailed,
    ImapUnreachable,
)
from mailwall.imap.session import open_session
from mailwall.imap.types import FetchedMessage
from mailwall.mime.types import BodyPart
from mailwall.net.types import NetworkPolicy, Security, ServerSettings
from tests.fakes.imap_script import ScriptedImap

BASICS = b'UID 1 INTERNALDATE "24-Nov-2026 08:00:00 +0000" RFC822.SIZE 22 FLAGS ()'
STRUCTURE = b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 5 1 NIL NIL NIL NIL)'
HEADER = b"BODY[HEADER] {14}\r\nSubject: odd\r\n"
WHOLE = b"Subject: odd\r\n\r\nhello\r\n"
FULL = b"* 1 FETCH (" + BASICS + b" BODYSTRUCTURE " + STRUCTURE + b" " + HEADER + b")\r\n{tag} OK done\r\n"
TEXT = b"* 1 FETCH (UID 1 BODY[1]<0> {5}\r\nhello)\r\n{tag} OK done\r\n"
WHOLE_ANSWER = b"* 1 FETCH (UID 1 BODY[] {23}\r\n" + WHOLE + b")\r\n{tag} OK done\r\n"
FIRST, CAREFUL = r"UID FETCH \S+ \(.*BODYSTRUCTURE", r"UID FETCH \S+ \(.*BODY.PEEK\[HEADER\]"
SECTION, ENTIRE = r"UID FETCH \S+ \(UID BODY.PEEK\[1\]", r"UID FETCH \S+ \(UID BODY.PEEK\[\]"
OK = b"{tag} OK done\r\n"


def settings_for(server: ScriptedImap, security: Security = "none") -> ServerSettings:
    return ServerSettings(
        host="127.0.0.1",
        port=server.port,
        security=security,
        username="alice@example.org",
        password="canary",
        policy=NetworkPolicy(hosts_allow=("127.0.0.1",)),
        connect_timeout_seconds=2,
        read_timeout_seconds=2,
    )


def every_text(root: BodyPart) -> list[BodyPart]:
    return [part for part in root.walk() if part.content_type == "text/plain"]


def fetched(answers: dict[str, bytes | Callable[[bytes], bytes]]) -> tuple[FetchedMessage, list[bytes]]:
    with ScriptedImap(answers) as server:
        with open_session(settings_for(server)) as session:
            session.examine(b"INBOX")
            [message] = session.fetch_messages([1], choose_sections=every_text)
        return message, server.commands


@pytest.mark.parametrize(
    ("greeting", "kind", "code"),
    [
        (b"* BYE Too many simultaneous connections\r\n", ImapBusy, "imap_busy"),
        (b"* BYE [UNAVAILABLE] later\r\n", ImapBusy, "imap_busy"),
        (b"* BYE go away\r\n", ImapUnreachable, "imap_unreachable"),
        (b"220 mail.example.org ESMTP\r\n", ImapProtocolError, "imap_protocol_error"),
        (b"\x15\x03\x01\x00\x02\x02\x32", ImapTlsFailed, "imap_tls_failed"),
        (b"", ImapTimeout, "imap_timeout"),
        (b"* OK ready", ImapTimeout, "imap_timeout"),
    ],
)
def test_greeting_tells_what_is_wrong(greeting: bytes, kind: type[ImapError], code: str) -> None:
    begin = time.monotonic()
    with ScriptedImap(greeting=greeting) as server, pytest.raises(kind) as raised:
        open_session(settings_for(server))
    assert raised.value.code == code
    assert raised.value.message == raised.value.msgid % raised.value.params
    assert time.monotonic() - begin < 8


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (b"{tag} NO [AUTHENTICATIONFAILED] Authentication failed.\r\n", ImapLoginRefused, "user name or password"),
        (b"{tag} NO Login failed: canary\r\n", ImapLoginRefused, "user name or password"),
        (b"{tag} NO [ALERT] Application-specific password required\r\n", ImapLoginRefused, "app password"),
        (b"{tag} NO [WEBALERT https://example.org] Web login required.\r\n", ImapLoginRefused, "app password"),
        (b"{tag} NO [PRIVACYREQUIRED] No\r\n", ImapTlsFailed, "encrypted connection"),
        (b"{tag} NO [EXPIRED] Your password has expired\r\n", ImapLoginRefused, "Your password has expired"),
        (b"{tag} NO [CONTACTADMIN] Ask your admin\r\n", ImapLoginRefused, "Ask your admin"),
        (b"{tag} NO [AUTHORIZATIONFAILED] IMAP is off\r\n", ImapLoginRefused, "IMAP is off"),
        (b"{tag} NO [UNAVAILABLE] Backend is down\r\n", ImapBusy, "busy"),
        (b"{tag} NO [LIMIT] Too many\r\n", ImapBusy, "busy"),
        (b"{tag} NO [INUSE] locked\r\n", ImapBusy, "busy"),
        (b"{tag} NO Too many simultaneous connections. (Failure)\r\n", ImapBusy, "busy"),
        (b"{tag} NO [ALERT] Too many simultaneous connections. (Failure)\r\n", ImapBusy, "busy"),
        (b"* BYE Too many connections\r\nHANGUP", ImapBusy, "busy"),
        (b"HANGUP", ImapUnreachable, "closed the connection"),
        (b"{tag} BAD what\r\n", ImapLoginRefused, "user name or password"),
    ],
)
def test_refused_sign_in_says_why(answer: bytes, kind: type[ImapError], words: str) -> None:
    with ScriptedImap({"LOGIN": answer}) as server, pytest.raises(kind) as raised:
        open_session(settings_for(server))
    assert words in raised.value.message
    assert "canary" not in raised.value.message + raised.value.details
    assert raised.value.retryable is (kind is not ImapLoginRefused)


def test_disabled_login_sends_no_password() -> None:
    with ScriptedImap(capabilities=b"IMAP4rev1 LOGINDISABLED") as server:
        with pytest.raises(ImapTlsFailed):
            open_session(settings_for(server))
        assert not any(b"canary" in command for command in server.commands)


@pytest.mark.parametrize("greeting", [b"* PREAUTH hello\r\n", b"* OK ready\r\n"])
def test_no_encryption_no_password(greeting: bytes) -> None:
    with ScriptedImap(greeting=greeting) as server:
        with pytest.raises(ImapTlsFailed):
            open_session(settings_for(server, "starttls"))
        assert not any(b"canary" in command for command in server.commands)


def test_refused_starttls_sends_no_password() -> None:
    with ScriptedImap({"STARTTLS": b"{tag} NO no\r\n"}, capabilities=b"IMAP4rev1 STARTTLS") as server:
        with pytest.raises(ImapTlsFailed):
            open_session(settings_for(server, "starttls"))
        assert not any(b"canary" in command for command in server.commands)


def test_message_in_two_passes_is_complete() -> None:
    message, commands = fetched({FIRST: FULL, SECTION: TEXT})
    assert (message.raw_sections, message.problem) == ({"1": b"hello"}, "")
    assert len([command for command in commands if b"FETCH" in command]) == 2


@pytest.mark.parametrize(
    "empty",
    [
        OK,
        b"* 1 FETCH (UID 1 BODY[1]<0> NIL)\r\n{tag} OK done\r\n",
        b"* 1 FETCH (UID 1 BODY[1]<0> {0}\r\n)\r\n{tag} OK done\r\n",
        b'* 1 FETCH (UID 1 BODY[1]<0> "")\r\n{tag} OK done\r\n',
        b"{tag} NO [SERVERBUG] sorry\r\n",
    ],
)
def test_ok_without_a_body_is_asked_for_again_whole(empty: bytes) -> None:
    message, _ = fetched({FIRST: FULL, SECTION: empty, ENTIRE: WHOLE_ANSWER})
    assert (message.raw_whole, message.problem) == (WHOLE, "")


def test_body_that_never_comes_is_a_problem_and_no_empty_mail() -> None:
    message, _ = fetched({FIRST: FULL, SECTION: OK, ENTIRE: OK})
    assert (message.raw_whole, message.raw_sections, message.problem) == (None, {}, "empty")


def test_structure_that_cannot_be_read_brings_the_whole_message() -> None:
    broken = FULL.replace(STRUCTURE, b'("text" "pl"ain" NIL')
    message, _ = fetched({FIRST: broken, ENTIRE: WHOLE_ANSWER})
    assert (message.structure, message.raw_whole, message.problem) == (None, WHOLE, "")


def test_large_message_without_structure_keeps_its_header() -> None:
    broken = FULL.replace(STRUCTURE, b"NIL").replace(b"RFC822.SIZE 22", b"RFC822.SIZE 99000000")
    message, commands = fetched({FIRST: broken})
    assert (message.raw_header, message.raw_whole) == (b"Subject: odd\r\n", None)
    assert message.problem == "unparsable structure"
    assert not any(b"BODY.PEEK[]" in command for command in commands)


@pytest.mark.parametrize("refusal", [b"{tag} NO [SERVERBUG] oops\r\n", b"{tag} BAD oops\r\n"])
def test_server_that_chokes_on_a_structure_still_gives_the_message(refusal: bytes) -> None:
    careful = FULL.replace(b" BODYSTRUCTURE " + STRUCTURE, b"")
    message, _ = fetched({FIRST: refusal, CAREFUL: careful, ENTIRE: WHOLE_ANSWER})
    assert (message.raw_whole, message.problem) == (WHOLE, "")


def test_message_that_is_not_answered_has_vanished() -> None:
    message, _ = fetched({FIRST: OK, CAREFUL: OK})
    assert message.problem == "vanished"


def test_message_without_size_and_header_has_vanished() -> None:
    """Dovecot's answer for what another session expunged."""
    nothing = FULL.replace(b"RFC822.SIZE 22", b"RFC822.SIZE 0").replace(HEADER, b"BODY[HEADER] NIL")
    message, _ = fetched({FIRST: nothing, SECTION: OK, ENTIRE: OK})
    assert (message.raw_whole, message.problem) == (None, "vanished")


def test_answers_of_many_messages_may_come_in_any_order() -> None:
    def first(command: bytes) -> bytes:
        lines = [FULL.split(b"{tag}")[0].replace(b"UID 1 ", b"UID %d " % uid) for uid in (3, 1, 2)]
        return b"* 2 FETCH (FLAGS (\\Seen))\r\n".join(lines) + b"* 9 EXISTS\r\n" + OK

    def section(command: bytes) -> bytes:
        texts = [b"* 1 FETCH (BODY[1]<0> {5}\r\ntext%d UID %d)\r\n" % (uid, uid) for uid in (2, 3, 1)]
        return b"".join(texts) + OK

    with ScriptedImap({FIRST: first, SECTION: section}) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        found = list(session.fetch_messages([1, 2, 3], choose_sections=every_text))
    assert {message.uid: message.raw_sections["1"] for message in found} == {1: b"text1", 2: b"text2", 3: b"text3"}


@pytest.mark.parametrize("lie", [-3, -1, 1, 3, 1000])
def test_lying_length_is_an_error_and_no_message(lie: int) -> None:
    lying = TEXT.replace(b"{5}", b"{%d}" % (5 + lie))
    with ScriptedImap({FIRST: FULL, SECTION: lying}) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        with pytest.raises((ImapProtocolError, ImapTimeout)):
            list(session.fetch_messages([1], choose_sections=every_text))
        assert session.closed


def test_server_that_dislikes_several_commands_gets_one_at_a_time() -> None:
    refused: list[bytes] = []

    def first(command: bytes) -> bytes:
        if len(refused) < 1:
            refused.append(command)
            return b"{tag} BAD one at a time\r\n"
        uids = re.search(rb"FETCH (\d+)(?::(\d+))?", command)
        assert uids is not None
        low, high = int(uids.group(1)), int(uids.group(2) or uids.group(1))
        line = FULL.split(b"{tag}")[0]
        return b"".join(line.replace(b"UID 1 ", b"UID %d " % uid) for uid in range(low, high + 1)) + OK

    def section(command: bytes) -> bytes:
        uids = re.search(rb"FETCH (\d+)(?::(\d+))?", command)
        assert uids is not None
        low, high = int(uids.group(1)), int(uids.group(2) or uids.group(1))
        return b"".join(TEXT.split(b"{tag}")[0].replace(b"UID 1", b"UID %d" % u) for u in range(low, high + 1)) + OK

    with ScriptedImap({FIRST: first, SECTION: section}) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        found = list(session.fetch_messages(range(1, 1001), choose_sections=every_text))
        assert session.batches_in_flight == 1
    assert sorted(message.uid for message in found) == list(range(1, 1001))
    assert not any(message.problem for message in found)


def test_broken_search_falls_back_to_a_plain_fetch() -> None:
    answers = {
        "UID SEARCH": b"{tag} NO [SERVERBUG] SEARCH failed\r\n",
        r"UID FETCH 1:\* \(UID\)": b"* 1 FETCH (UID 4)\r\n* 2 FETCH (UID 9)\r\n{tag} OK done\r\n",
        r"UID FETCH 5:\* \(UID\)": b"* 2 FETCH (UID 4)\r\n{tag} OK done\r\n",
    }
    with ScriptedImap(answers) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        assert session.uid_set() == [4, 9]
        assert session.search_uids(5) == []


def test_last_message_is_filtered_from_an_open_range() -> None:
    answers = {"UID SEARCH": b"* SEARCH 9\r\n{tag} OK done\r\n"}
    with ScriptedImap(answers) as server, open_session(settings_for(server)) as session:
        session.examine(b"INBOX")
        assert session.search_uids(10) == []
