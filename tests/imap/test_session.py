"""The session against a real Dovecot, with and without a fault-injecting proxy between."""

from __future__ import annotations

import base64
import random
import re
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from imapclient import imap_utf7

from mailwall.imap.errors import (
    ImapError,
    ImapFolderGone,
    ImapLoginRefused,
    ImapTimeout,
    ImapTlsFailed,
    ImapUnreachable,
)
from mailwall.imap.session import open_session
from mailwall.mime.types import BodyPart
from tests.rig import mails
from tests.rig.dovecot import Dovecot
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.live
NOW = datetime.now(UTC).replace(microsecond=0)


def texts(root: BodyPart) -> Sequence[BodyPart]:
    return [
        part
        for part in root.walk()
        if part.content_type in ("text/plain", "text/html") and part.disposition != "attachment" and not part.filename
    ]


def filled(mailbox: Mailbox, count: int) -> None:
    mailbox.fill([(mails.plain_mail(number, date=NOW), NOW - timedelta(minutes=number)) for number in range(count)])


@pytest.fixture
def proxy(dovecot: Dovecot) -> Iterator[Proxy]:
    with Proxy(dovecot.port) as between:
        yield between


def test_folders_have_roles_and_status_in_one_round_trip(mailbox: Mailbox, proxy: Proxy) -> None:
    mailbox.deliver(mails.mail(), folder="Kunden")
    with open_session(mailbox.settings(port=proxy.port)) as session:
        found = {folder.name: folder for folder in session.list_folders()}
        assert {name: folder.role for name, folder in found.items()} == {
            "INBOX": "inbox",
            "Sent": "sent",
            "Drafts": "drafts",
            "Trash": "trash",
            "Kunden": "",
        }
        before = len(proxy.commands)
        status = session.status(folder.raw_name for folder in found.values())
        assert len(proxy.commands) - before == 1
    assert status[b"Kunden"].messages == 1
    assert status[b"Kunden"].highestmodseq is not None


def test_unchanged_poll_takes_two_round_trips_and_a_goodbye(mailbox: Mailbox, proxy: Proxy) -> None:
    with open_session(mailbox.settings(port=proxy.port)) as session:
        session.status([b"INBOX", b"Sent"])
    assert [command.split()[1] for command in proxy.commands if command] == [b"LOGIN", b"LIST", b"LOGOUT"]


def test_status_leaves_out_folders_that_are_gone(mailbox: Mailbox) -> None:
    with open_session(mailbox.settings()) as session:
        assert set(session.status([b"INBOX", b"No such folder", b"Sent"])) == {b"INBOX", b"Sent"}
        assert set(session.status([b"inbox"])) == {b"inbox"}


def test_folder_that_is_gone_is_said_to_be_gone(mailbox: Mailbox) -> None:
    with open_session(mailbox.settings()) as session:
        for name in (b"No such folder", b"a\r\nb", b"&bad", b'we"ird\\'):
            with pytest.raises(ImapFolderGone):
                session.examine(name)
        assert session.examine(b"INBOX").messages == 0


def test_every_message_comes_with_header_structure_and_text(mailbox: Mailbox) -> None:
    filled(mailbox, 620)
    with open_session(mailbox.settings()) as session:
        assert session.examine(b"INBOX").messages == 620
        found = list(session.fetch_messages(range(1, 621), choose_sections=texts))
    assert sorted(message.uid for message in found) == list(range(1, 621))
    for message in found:
        assert not message.problem
        assert re.search(rb"Message-ID: <mail-\d+@kwiat.example>", message.raw_header, re.I)
        assert message.raw_sections
        assert message.structure is not None
        sizes = {part.section: part.size_bytes for part in message.structure.walk()}
        assert all(len(raw) == sizes[number] for number, raw in message.raw_sections.items())
        assert not message.truncated_sections


def test_internaldate_is_utc(mailbox: Mailbox) -> None:
    uid = mailbox.deliver(mails.mail(), internaldate=NOW - timedelta(days=3))
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        [overview] = session.fetch_overviews([uid])
        [message] = session.fetch_messages([uid], choose_sections=texts)
    assert overview.internaldate == message.internaldate == NOW - timedelta(days=3)
    assert overview.size_bytes == message.size_bytes > 0


def test_no_attachment_byte_crosses_the_wire(mailbox: Mailbox, proxy: Proxy) -> None:
    for number in range(20):
        mailbox.deliver(mails.attachment_mail(number, size_bytes=300_000))
    with open_session(mailbox.settings(port=proxy.port)) as session:
        session.examine(b"INBOX")
        found = list(session.fetch_messages(session.uid_set(), choose_sections=texts))
    assert proxy.to_client < 20_000
    assert sum(message.size_bytes for message in found) > 8_000_000
    assert all(b"Please find file" in message.raw_sections["1"] for message in found)
    attachment = found[0].structure.children[1] if found[0].structure else None
    assert attachment is not None
    assert attachment.filename.startswith("report żółty")


def test_reading_changes_nothing_on_the_server(mailbox: Mailbox, proxy: Proxy) -> None:
    filled(mailbox, 5)
    before = mailbox.dovecot.flags(mailbox.address)
    with open_session(mailbox.settings(port=proxy.port)) as session:
        session.examine(b"INBOX")
        list(session.fetch_messages(session.uid_set(), choose_sections=texts))
        session.fetch_whole(1)
        list(session.stream_section(1, ""))
    assert mailbox.dovecot.flags(mailbox.address) == before
    said = b"\n".join(proxy.commands).upper()
    assert b"EXAMINE" in said
    assert not re.search(rb"\bSELECT\b|\bSTORE\b|\bEXPUNGE\b|BODY\[|RFC822\b(?!\.SIZE)", said)


def test_long_text_is_cut_at_the_limit_and_said_so(mailbox: Mailbox) -> None:
    uid = mailbox.deliver(mails.mail(text="0123456789 line\n" * 1000))
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        [message] = session.fetch_messages([uid], choose_sections=texts, section_limit_bytes=1000)
    assert len(message.raw_sections["1"]) == 1000
    assert message.truncated_sections == {"1"}


def test_vanished_message_is_said_to_have_vanished(mailbox: Mailbox) -> None:
    filled(mailbox, 3)
    mailbox.dovecot.flags(mailbox.address)
    mailbox.dovecot.expunge(mailbox.address, [2])
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        found = {message.uid: message.problem for message in session.fetch_messages([1, 2, 3], choose_sections=texts)}
        assert session.fetch_whole(2).problem == "vanished"
        assert session.fetch_structure(2) == (None, 0)
    assert found == {1: "", 2: "vanished", 3: ""}


def test_search_knows_windows_ranges_and_message_ids(mailbox: Mailbox) -> None:
    for days in (30, 10, 1):
        mailbox.deliver(
            mails.mail(message_id=f"<day-{days}@kwiat.example>").replace(b"<day-10", b'<day-10"x'),
            internaldate=NOW - timedelta(days=days),
        )
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        assert session.search_since((NOW - timedelta(days=14)).date()) == [2, 3]
        assert session.search_uids(2) == [2, 3]
        assert session.search_uids(99) == []
        assert session.search_uids(1, 2) == [1, 2]
        assert session.uid_set() == [1, 2, 3]
        assert session.search_message_ids(['day-10"x@kwiat.example']) == [2]
        assert session.search_message_ids(["<żółw@kwiat.example>"]) == []
        assert session.search_message_ids(["a\r\nb"]) == []


def test_attachment_streams_byte_for_byte(mailbox: Mailbox) -> None:
    raw = random.Random(7).randbytes(1_000_003)
    uid = mailbox.deliver(mails.mail(attachments=[("a.bin", "application/octet-stream", raw)]))
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        structure, size = session.fetch_structure(uid)
        assert structure is not None
        chunks = list(session.stream_section(uid, structure.children[1].section, chunk_bytes=65_536))
        assert base64.b64decode(b"".join(chunks)) == raw
        assert len(b"".join(session.stream_section(uid, ""))) == size
        session.noop()


def test_fetch_given_up_leaves_the_session_usable(mailbox: Mailbox) -> None:
    uid = mailbox.deliver(mails.attachment_mail(1, size_bytes=2_000_000))
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        stream = session.fetch_messages([uid], choose_sections=texts)
        next(iter(stream))
        stream.close()  # type: ignore[attr-defined]
        assert session.uid_set() == [uid]


def test_section_given_up_hangs_up_at_once(mailbox: Mailbox) -> None:
    uid = mailbox.deliver(mails.attachment_mail(1, size_bytes=20_000_000))
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        stream = session.stream_section(uid, "2")
        next(stream)
        stream.close()  # type: ignore[attr-defined]
        assert session.closed
        assert session.wire.received_bytes < 10_000_000


def test_append_tells_where_the_message_is(mailbox: Mailbox) -> None:
    raw = mails.mail(subject="Copy")
    with open_session(mailbox.settings()) as session:
        told = session.append(b"Sent", raw, flags=["\\Seen"], internaldate=NOW)
        assert told is not None
        assert session.examine(b"Sent").uidvalidity == told[0]
        assert session.fetch_whole(told[1]).raw_whole == raw
        assert "\\Seen" in session.fetch_overviews([told[1]])[0].flags
        with pytest.raises(ImapFolderGone):
            session.append(b"Nowhere", raw)


def test_idle_tells_of_a_delivery(mailbox: Mailbox) -> None:
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        idle = session.idle()
        idle.start()
        assert not idle.wait(0.1)
        mailbox.deliver(mails.mail())
        assert idle.wait(10)
        idle.stop()
        assert session.uid_set() == [1]


@pytest.mark.parametrize("security", ["tls", "starttls"])
def test_verified_encryption_signs_in(mailbox: Mailbox, security) -> None:
    with open_session(mailbox.settings(security=security)) as session:
        assert session.list_folders()


def test_unknown_authority_is_refused_before_signing_in(mailbox: Mailbox) -> None:
    settings = mailbox.settings(security="tls")
    stranger = type(settings.policy)(hosts_allow=("127.0.0.1",))
    for security in ("tls", "starttls"):
        with Proxy(mailbox.dovecot.tls_port if security == "tls" else mailbox.dovecot.port) as proxy:
            changed = type(settings)(
                host="127.0.0.1",
                port=proxy.port,
                security=security,
                username="alice",
                password="canary",
                policy=stranger,
            )
            with pytest.raises(ImapTlsFailed) as raised:
                open_session(changed)
            assert "known authority" in raised.value.message
            assert b"canary" not in proxy.sent


def test_hidden_starttls_ends_before_signing_in(mailbox: Mailbox, proxy: Proxy) -> None:
    proxy.hide("STARTTLS")
    with pytest.raises(ImapTlsFailed):
        open_session(mailbox.settings(port=proxy.port, security="starttls"))
    assert b"LOGIN" not in bytes(proxy.sent).upper()


def test_answers_injected_before_encryption_are_refused(mailbox: Mailbox, proxy: Proxy) -> None:
    proxy.rewrite = lambda raw: raw + b"* CAPABILITY IMAP4rev1\r\n" if b"Begin TLS" in raw else raw
    with pytest.raises(ImapTlsFailed):
        open_session(mailbox.settings(port=proxy.port, security="starttls"))


def test_wrong_password_is_a_refused_login(mailbox: Mailbox) -> None:
    with pytest.raises(ImapLoginRefused) as raised:
        open_session(mailbox.settings(password="wr0ng"))
    assert raised.value.code == "imap_login_refused"
    assert not raised.value.retryable
    assert "wr0ng" not in raised.value.message + raised.value.details


@pytest.mark.parametrize("password", ['q"u\\o te', "zażółć gęślą", "{5}", "a b%*()"])
def test_any_password_signs_in(password: str) -> None:
    with Dovecot() as server:
        server.change_password(password)
        box = Mailbox(dovecot=server, address="alice@example.org", ca_file="")
        with open_session(box.settings()) as session:
            assert session.list_folders()


@pytest.mark.parametrize("seed", range(12))
def test_cut_connection_gives_only_complete_messages(mailbox: Mailbox, proxy: Proxy, seed: int) -> None:
    filled(mailbox, 60)
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        whole = {each.uid: each for each in session.fetch_messages(range(1, 61), choose_sections=texts)}
    proxy.cut_after = random.Random(seed).randrange(900, 200_000)
    got = {}
    with pytest.raises(ImapUnreachable), open_session(mailbox.settings(port=proxy.port)) as session:
        session.examine(b"INBOX")
        for each in session.fetch_messages(range(1, 61), choose_sections=texts):
            got[each.uid] = each
    assert all(got[uid] == whole[uid] for uid in got)


def test_black_hole_ends_at_the_deadline(mailbox: Mailbox, proxy: Proxy) -> None:
    filled(mailbox, 3)
    with open_session(mailbox.settings(port=proxy.port)) as session:
        session.examine(b"INBOX")
        session.wire.read_timeout_seconds = 0.3
        proxy.black_hole = True
        begin = time.monotonic()
        with pytest.raises(ImapTimeout):
            list(session.fetch_messages([1, 2, 3], choose_sections=texts))
        assert time.monotonic() - begin < 3
        assert session.closed


def test_job_deadline_ends_a_drip(mailbox: Mailbox, proxy: Proxy) -> None:
    with open_session(mailbox.settings(port=proxy.port), job_deadline_seconds=1) as session:
        proxy.drip_seconds = 0.05
        begin = time.monotonic()
        with pytest.raises(ImapTimeout):
            session.list_folders()
        assert time.monotonic() - begin < 3


@pytest.mark.parametrize(
    "hidden",
    [
        ("UIDPLUS",),
        ("CONDSTORE", "QRESYNC"),
        ("SPECIAL-USE",),
        ("LIST-EXTENDED", "LIST-STATUS"),
        ("ESEARCH",),
        ("UIDPLUS", "CONDSTORE", "QRESYNC", "SPECIAL-USE", "LIST-EXTENDED", "LIST-STATUS", "ESEARCH", "LITERAL+"),
    ],
)
def test_server_with_fewer_capabilities_does_as_well(mailbox: Mailbox, proxy: Proxy, hidden: tuple[str, ...]) -> None:
    filled(mailbox, 5)
    proxy.hide(*hidden)
    with open_session(mailbox.settings(port=proxy.port)) as session:
        assert not session.capabilities & set(hidden)
        names = [folder.raw_name for folder in session.list_folders() if folder.role in ("inbox", "sent")]
        assert {name: status.messages for name, status in session.status(names).items()} == {b"INBOX": 5, b"Sent": 0}
        session.examine(b"INBOX")
        assert session.uid_set() == [1, 2, 3, 4, 5]
        found = list(session.fetch_messages(session.search_uids(2), choose_sections=texts))
        assert [message.problem for message in found] == [""] * 4


def test_one_command_at_a_time_gives_the_same(mailbox: Mailbox) -> None:
    filled(mailbox, 300)
    with open_session(mailbox.settings()) as session:
        session.examine(b"INBOX")
        several = {each.uid: each for each in session.fetch_messages(range(1, 301), choose_sections=texts)}
        session.batches_in_flight = 1
        single = {each.uid: each for each in session.fetch_messages(range(1, 301), choose_sections=texts)}
    assert single == several


def test_folders_with_odd_names_are_opened(mailbox: Mailbox) -> None:
    names = ["Żółw & Co", "we'ird (x)", "a%b", "star*", 'quo"te', "emoji 😀", "NIL", "0123", "deep/" * 10 + "end"]
    with mailbox.dovecot.client(mailbox.address) as client:
        for name in names:
            raw = imap_utf7.encode(name)
            client.create('"' + raw.decode().replace("\\", "\\\\").replace('"', '\\"') + '"')
    with open_session(mailbox.settings()) as session:
        found = {folder.name: folder for folder in session.list_folders()}
        assert set(names) <= set(found)
        status = session.status(found[name].raw_name for name in names)
        assert len(status) == len(names)
        for name in names:
            session.examine(found[name].raw_name)


def test_busy_server_is_busy() -> None:
    with Dovecot(max_connections=1) as server:
        box = Mailbox(dovecot=server, address="alice@example.org", ca_file="")
        with open_session(box.settings()), pytest.raises(ImapError) as raised:
            open_session(box.settings())
        assert raised.value.code == "imap_busy"
