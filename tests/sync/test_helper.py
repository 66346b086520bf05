"""The process that interprets beside ours: the same readings in the same order, whatever becomes of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import corpus
from mailwall.imap.errors import ImapUnreachable
from mailwall.imap.types import FetchedMessage
from mailwall.mailstore.models import Message, MessageBody
from mailwall.mime.scan import scan_message
from mailwall.sync import helper, interpreting, services
from mailwall.sync.helper import Helper
from mailwall.sync.interpreting import Scope
from tests.sync.conftest import ago

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SCOPE = Scope(
    account_id=1, folder_id=2, folder_role="inbox", own_addresses=frozenset({"alice@example.org"}),
    since=NOW - timedelta(days=20), store="both",
)  # fmt: skip


def fetched(uid: int) -> FetchedMessage:
    """One in three was read whole, one in fifty is older than what is wanted."""
    raw = corpus.text_mail(uid, NOW)
    at = NOW - timedelta(days=30 if uid % 50 == 0 else 1)
    if uid % 3 == 0:
        return FetchedMessage(uid=uid, internaldate=at, size_bytes=len(raw), raw_whole=raw)
    scan = scan_message(raw)
    return FetchedMessage(
        uid=uid, internaldate=at, size_bytes=len(raw), raw_header=scan.raw_header, structure=scan.structure,
        raw_sections=scan.raw_sections,
    )  # fmt: skip


MESSAGES = [fetched(uid) for uid in range(1, 451)]
HERE = list(interpreting.interpret_all(MESSAGES, SCOPE))


@pytest.fixture
def ready() -> Iterator[Helper]:
    with Helper() as started:
        assert started._channel.poll(60), "the helper does not start"
        yield started


def pid_of(started: Helper) -> int:
    assert started._process is not None
    return started._process.pid


def test_readings_are_those_made_here_in_their_order(ready):
    assert list(ready.interpret_all(iter(MESSAGES), SCOPE)) == HERE
    assert {reading.rule for reading in HERE} == {"", "before_window"}
    assert ready._is_ready and ready._process is not None, "it was not used"


def test_while_it_starts_messages_are_interpreted_here():
    with Helper() as started:
        assert list(started.interpret_all(MESSAGES, SCOPE)) == HERE


def test_it_dies_with_a_chunk_in_its_hands_and_nothing_is_lost(ready):
    def messages() -> Iterator[FetchedMessage]:
        for message in MESSAGES:
            if message.uid == 150:
                os.kill(pid_of(ready), signal.SIGKILL)
            yield message

    assert list(ready.interpret_all(messages(), SCOPE)) == HERE
    assert list(ready.interpret_all(MESSAGES, SCOPE)) == HERE


@pytest.mark.parametrize("at", [1, 150], ids=["before it is given a chunk", "with a chunk"])
def test_it_hangs_and_is_given_up(monkeypatch, at):
    monkeypatch.setattr(helper, "PATIENCE_SECONDS", 1)
    with Helper() as started:
        assert started._channel.poll(60)
        pid = pid_of(started)

        def messages() -> Iterator[FetchedMessage]:
            for message in MESSAGES:
                if message.uid == at:
                    os.kill(pid, signal.SIGSTOP)
                yield message

        assert list(started.interpret_all(messages(), SCOPE)) == HERE
        assert started._process is None
    assert not Path(f"/proc/{pid}").exists()


def test_what_was_read_before_the_connection_broke_is_given(ready):
    def messages() -> Iterator[FetchedMessage]:
        yield from MESSAGES[:250]
        raise ImapUnreachable(ImapUnreachable.MSGID_LOST, {"host": "mail.example"})

    given = []
    with pytest.raises(ImapUnreachable):
        for reading in ready.interpret_all(messages(), SCOPE):
            given.append(reading)
    assert given == HERE[:250]


def test_who_stops_in_the_middle_can_ask_again(ready):
    readings = ready.interpret_all(MESSAGES, SCOPE)
    assert [next(readings) for _ in range(120)] == HERE[:120]
    readings.close()
    assert list(ready.interpret_all(MESSAGES[7:], SCOPE)) == HERE[7:]


def test_a_message_that_cannot_be_parsed_is_noted_and_told_in_our_log(ready, caplog):
    odd = FetchedMessage(uid=9_000, internaldate=NOW, size_bytes=5, raw_header=b"A: b\n", structure="no tree")  # type: ignore[arg-type]
    *before, failed, after = ready.interpret_all([*MESSAGES[:99], odd, MESSAGES[99]], SCOPE)
    assert before == HERE[:99] and after == HERE[99]
    assert (failed.uid, failed.rule, failed.failed) == (9_000, "not_parsable", True)
    assert [record.uid for record in caplog.records] == [9_000]


def test_it_knows_no_setting_and_its_memory_is_limited(ready, monkeypatch):
    environment = Path(f"/proc/{pid_of(ready)}/environ").read_bytes()
    assert {entry.partition(b"=")[0] for entry in environment.split(b"\0")} == {b"PYTHONPATH", b""}
    limits = Path(f"/proc/{pid_of(ready)}/limits").read_text()
    assert f"Max address space         {helper.MEMORY_BYTES} " in limits


def test_it_ends_with_the_import():
    with Helper() as started:
        pid = pid_of(started)
    assert not Path(f"/proc/{pid}").exists()


def test_only_long_imports_get_one_and_no_more_than_there_are_processors(monkeypatch):
    monkeypatch.setattr(helper, "_PROCESSORS", 2)
    monkeypatch.setattr(helper, "_places", helper.threading.BoundedSemaphore(1))
    with helper.for_import(helper.MIN_MESSAGES - 1) as short, helper.for_import(helper.MIN_MESSAGES) as long:
        assert short is interpreting.interpret_all is not long
        with helper.for_import(helper.MIN_MESSAGES) as second:
            assert second is interpreting.interpret_all
    monkeypatch.setattr(helper, "_PROCESSORS", 1)
    with helper.for_import(helper.MIN_MESSAGES) as alone:
        assert alone is interpreting.interpret_all


def test_an_import_with_a_helper_stores_what_one_without_stores(mailbox, connect, monkeypatch):
    for number in range(40):
        mailbox.deliver(corpus.text_mail(number, NOW), internaldate=ago(1))
    stored = []
    for minimum in (1, 1_000):
        monkeypatch.setattr(helper, "MIN_MESSAGES", minimum)
        monkeypatch.setattr(helper, "CHUNK_MESSAGES", 7)
        account = connect(mailbox, store="both")
        assert services.sync_account(account.pk).new == 40
        rows = Message.objects.filter(account=account).values_list("message_id", "content_key", "subject", "thread_key")
        texts = MessageBody.objects.filter(message__account=account).values_list("text", "html")
        stored.append((set(rows), set(texts)))
        account.delete()
    assert stored[0] == stored[1]
