"""What a scripted server and a real Dovecot answer alike: else a test with it would prove nothing."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from mailwall.imap.errors import ImapFolderGone, ImapLoginRefused
from mailwall.imap.session import ImapSession, open_session
from mailwall.mime.reports import sections_to_read
from mailwall.mime.types import BodyPart
from tests.fakes import providers
from tests.rig import mails
from tests.rig.fixtures import Mailbox

pytestmark = pytest.mark.live
NOW = datetime.now(UTC).replace(microsecond=0)
PLAIN = mails.mail(text="Zażółć\n", message_id="<plain@kwiat.example>")
FILES = mails.mail(
    text="Text\n",
    html="<p>Text</p>",
    message_id="<files@kwiat.example>",
    attachments=[("żółty raport.pdf", "application/pdf", b"%PDF" * 999), ("empty.csv", "text/csv", b"")],
)
NESTED = (
    b"From: ewa@kwiat.example\r\nSubject: Fwd\r\nMessage-ID: <nested@kwiat.example>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=nest\r\n\r\n--nest\r\nContent-Type: text/plain\r\n\r\nSee below\r\n"
    b"--nest\r\nContent-Type: message/rfc822\r\n\r\n" + FILES + b"\r\n--nest--\r\n"
)


@pytest.fixture(params=["Dovecot", *(kind.__name__ for kind in providers.EVERY)])
def box(request, dovecot, authority) -> Iterator[Mailbox]:
    """A mailbox with three mails on each kind of server."""
    if request.param == "Dovecot":
        yield filled(request.getfixturevalue("mailbox"))
        return
    kind = {kind.__name__: kind for kind in providers.EVERY}[request.param]
    with kind() as server:
        yield filled(Mailbox(dovecot=server, address="alice@example.org", ca_file=""))  # type: ignore[arg-type]


def filled(mailbox: Mailbox) -> Mailbox:
    for days, raw in ((40, PLAIN), (3, FILES), (1, NESTED)):
        mailbox.deliver(raw, internaldate=NOW - timedelta(days=days))
    return mailbox


@pytest.fixture
def session(box: Mailbox) -> Iterator[ImapSession]:
    with open_session(box.settings()) as opened:
        yield opened


def test_roles_are_known(session: ImapSession) -> None:
    roles = [folder.role for folder in session.list_folders() if folder.role in ("inbox", "sent", "trash")]
    assert sorted(roles) == ["inbox", "sent", "trash"]


def test_status_and_examine_agree(session: ImapSession) -> None:
    names = {folder.role: folder.raw_name for folder in session.list_folders()}
    told = session.status([names["inbox"], names["sent"], b"Nowhere"])
    assert {name: status.messages for name, status in told.items()} == {names["inbox"]: 3, names["sent"]: 0}
    assert session.examine(b"INBOX").uidnext == told[names["inbox"]].uidnext == 4
    assert session.examine(b"inbox") == session.examine(b"INBOX")
    with pytest.raises(ImapFolderGone):
        session.examine(b"Nowhere")


def test_uids_are_found_by_day_range_and_message_id(session: ImapSession, box: Mailbox) -> None:
    session.examine(b"INBOX")
    assert session.uid_set() == [1, 2, 3]
    assert session.search_uids(2) == [2, 3]
    assert session.search_uids(9) == []
    assert session.search_message_ids(["files@kwiat.example", "<plain@kwiat.example>"]) == [1, 2]
    assert session.search_since((NOW - timedelta(days=5)).date()) == [2, 3]


def test_overviews_tell_date_flags_and_message_id(session: ImapSession) -> None:
    session.examine(b"INBOX")
    seen = session.fetch_overviews([1, 2, 3, 4], with_message_ids=True)
    assert [(each.uid, each.internaldate, each.message_id) for each in seen] == [
        (1, NOW - timedelta(days=40), "plain@kwiat.example"),
        (2, NOW - timedelta(days=3), "files@kwiat.example"),
        (3, NOW - timedelta(days=1), "nested@kwiat.example"),
    ]


def test_headers_and_texts_come_whole(session: ImapSession) -> None:
    session.examine(b"INBOX")
    found = {each.uid: each for each in session.fetch_messages([1, 2, 3], choose_sections=sections_to_read)}
    assert [found[uid].problem for uid in (1, 2, 3)] == ["", "", ""]
    assert all(b"Message-ID: <" in each.raw_header and each.raw_header.endswith(b"\r\n\r\n") for each in found.values())
    texts = found[2].raw_sections or {"whole": found[2].raw_whole}
    assert any(b"Text" in (raw or b"") for raw in texts.values())


def test_structures_have_the_same_parts(session: ImapSession, box: Mailbox) -> None:
    session.examine(b"INBOX")
    told = {uid: session.fetch_structure(uid)[0] for uid in (1, 2, 3)}
    assert all(told.values())
    assert [_outline(told[uid]) for uid in (1, 2)] == [
        [("text/plain", "1", "", "")],
        [
            ("multipart/mixed", "", "", ""),
            ("multipart/alternative", "1", "", ""),
            ("text/plain", "1.1", "", ""),
            ("text/html", "1.2", "", ""),
            ("application/pdf", "2", "attachment", "żółty raport.pdf"),
            ("text/csv", "3", "attachment", "empty.csv"),
        ],
    ]
    assert [part.content_type for part in told[3].children] == ["text/plain", "message/rfc822"]


def _outline(root: BodyPart) -> list[tuple[str, ...]]:
    return [(part.content_type, part.section, part.disposition, part.filename) for part in root.walk()]


def test_sections_stream_byte_for_byte(session: ImapSession) -> None:
    session.examine(b"INBOX")
    nested = b"".join(session.stream_section(3, "2", chunk_bytes=700))
    assert nested == FILES
    assert b"".join(session.stream_section(2, "")) == FILES
    assert b"".join(session.stream_section(2, "3")) == b""


def test_a_new_mail_is_told_while_idle(session: ImapSession, box: Mailbox) -> None:
    if "IDLE" not in session.capabilities:
        pytest.skip("this one cannot push")
    session.examine(b"INBOX")
    idle = session.idle()
    idle.start()
    threading.Timer(0.05, box.deliver, [PLAIN]).start()
    assert idle.wait(5)
    idle.stop()
    session.noop()


def test_a_copy_can_be_filed(session: ImapSession) -> None:
    [sent] = [folder.raw_name for folder in session.list_folders() if folder.role == "sent"]
    session.append(sent, PLAIN, flags=("\\Seen",))
    assert session.status([sent])[sent].messages == 1
    with pytest.raises(ImapFolderGone):
        session.append(b"Nowhere", PLAIN)


def test_a_wrong_password_is_a_refused_login(box: Mailbox) -> None:
    with pytest.raises(ImapLoginRefused):
        open_session(dataclasses.replace(box.settings(), password="wr0ng"))
