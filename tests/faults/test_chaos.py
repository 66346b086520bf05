"""Check 11 of reliability.md: another program adds, moves and deletes mail all the time while we read."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest

from mailwall.email_accounts.models import State
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sync import services
from mailwall.sync.models import Folder, LedgerEntry, Placement
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW

pytestmark = pytest.mark.live
FOLDERS = ("INBOX", "Archive")


def letter(number: int) -> bytes:
    return mails.mail(message_id=f"<chaos-{number}@x.example>", text=f"Text {number} " + "abc " * (number % 300) + "\n")


class Chaos(threading.Thread):
    """Another mail program, busy until `stop`."""

    def __init__(self, mailbox: Mailbox) -> None:
        super().__init__(daemon=True)
        self.mailbox = mailbox
        self.stop = threading.Event()
        self.deeds = 0
        self.broke = ""

    def run(self) -> None:
        rng = random.Random(5)
        try:
            with self.mailbox.dovecot.client(self.mailbox.address) as client:
                while not self.stop.is_set():
                    client.select(rng.choice(FOLDERS))
                    uids = client.uid("SEARCH", "ALL")[1][0].decode().split()
                    some = ",".join(rng.sample(uids, min(len(uids), rng.randrange(1, 4))))
                    deed = rng.randrange(4)
                    if deed == 0 and some:
                        client.uid("STORE", some, "+FLAGS", "(\\Deleted)")
                        client.expunge()
                    elif deed == 1 and some:
                        client.uid("MOVE", some, rng.choice(FOLDERS))
                    else:
                        for _ in range(rng.randrange(1, 5)):
                            client.append(rng.choice(FOLDERS), None, None, letter(1000 + self.deeds))
                            self.deeds += 1
                    self.deeds += 1
                    time.sleep(0.02)
        except Exception as error:
            self.broke = repr(error)


@pytest.fixture
def chaos(mailbox: Mailbox) -> Iterator[Chaos]:
    mailbox.fill([(letter(number), NOW) for number in range(100)])
    mailbox.deliver(letter(999), folder="Archive")
    busy = Chaos(mailbox)
    yield busy
    busy.stop.set()
    busy.join(10)


def test_a_folder_that_is_changed_all_the_time_is_read_right(connect, mailbox: Mailbox, chaos: Chaos):
    read_through(connect, mailbox, chaos, seconds=4)


@pytest.mark.exhaustive
def test_a_folder_that_is_changed_for_two_minutes_is_read_right(connect, mailbox: Mailbox, chaos: Chaos):
    read_through(connect, mailbox, chaos, seconds=120)


def read_through(connect, mailbox: Mailbox, chaos: Chaos, *, seconds: float) -> None:
    account = connect(mailbox)
    chaos.start()
    end, cycles = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        outcome = services.sync_account(account.pk)
        assert outcome.state == "done", outcome
        Folder.objects.filter(account=account, name="Archive").update(selected=True)
        cycles += 1
    chaos.stop.set()
    chaos.join(10)
    assert not chaos.broke and chaos.deeds > 10 and cycles > 2
    LedgerEntry.objects.filter(outcome="failed").update(next_try_at=NOW)
    for _ in range(2):
        oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox, FOLDERS)
    here = {entry[0] for folder in FOLDERS for entry in oracle.server_ledger(mailbox, folder)[1].values()}
    assert set(Message.objects.filter(on_server=True).values_list("message_id", flat=True)) == here
    assert Message.objects.filter(on_server=False).exists()
    assert not MessageBody.objects.filter(text="").exists()
    account.refresh_from_db()
    assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)


@pytest.mark.parametrize("moment", [b"* ESEARCH", b" FETCH ("])
def test_mail_deleted_between_the_list_and_its_text_is_no_trouble(connect, mailbox: Mailbox, moment):
    """Half of the mail goes. Dovecot tells of it as of mails without header and bytes: they are none."""
    for number in range(40):  # one by one, so that the server remembers their dates when they are gone
        mailbox.deliver(letter(number), internaldate=NOW)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        done: list[bool] = []

        def at_fetch(raw: bytes) -> bytes:
            if not done and moment in raw:
                done.append(True)
                mailbox.dovecot.expunge(mailbox.address, range(2, 41, 2))
            return raw

        proxy.rewrite = at_fetch
        for _ in range(2):
            oracle.to_the_end(account)
            LedgerEntry.objects.update(next_try_at=NOW)
        oracle.to_the_end(account)
    assert done
    oracle.assert_equal(account, mailbox)
    assert Placement.objects.count() == 20
    assert not Message.objects.filter(message_id="").exists()
    account.refresh_from_db()
    assert account.failed_attempts == 0
