"""Checks 8 to 13 and 25: uids given anew, reused, hidden; folders renamed; mail moved and deleted meanwhile."""

from __future__ import annotations

import hashlib
import random
import re
from datetime import timedelta

import pytest

from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore.models import Attachment, Message
from mailwall.sync import attachments, comparing, folders, services
from mailwall.sync.errors import GoneFromServer
from mailwall.sync.models import Folder, LedgerEntry, Placement
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ago, ledger

pytestmark = pytest.mark.live


def with_file(number: int, *, size_bytes: int = 900) -> bytes:
    """All alike but for their Message-IDs and bytes: same size, same file name."""
    return mails.mail(
        subject="Report",
        text="The report is attached.\n",
        message_id=f"<report-{number:04}@kwiat.example>",
        date=NOW,
        attachments=[("report.pdf", "application/pdf", random.Random(number).randbytes(size_bytes))],
    )


def sha_of(account: EmailAccount, message: Message) -> str:
    """Of the attachment as a user downloads it."""
    attachment = Attachment.objects.get(message=message)
    download = attachments.open_attachment(account.owner, message.pk, attachment.pk)
    return hashlib.sha256(b"".join(download.chunks)).hexdigest()


def expected(message: Message, *, size_bytes: int = 900) -> str:
    number = int(re.search(r"report-(\d+)", message.message_id)[1])
    return hashlib.sha256(random.Random(number).randbytes(size_bytes)).hexdigest()


def test_uids_given_anew_lose_and_double_nothing_and_no_text_is_read_again(connect, mailbox: Mailbox):
    mailbox.fill([(with_file(each), NOW - timedelta(minutes=each)) for each in range(30)])
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        before = dict(Message.objects.values_list("message_id", "pk"))
        mailbox.dovecot.renumber(mailbox.address, order=lambda names: names[::-1])
        proxy.sent.clear()
        oracle.to_the_end(account)
        asked = [line for line in proxy.commands if b"FETCH" in line and b"HEADER.FIELDS" not in line]
        assert asked == [], asked[:2]
        assert dict(Message.objects.values_list("message_id", "pk")) == before
        oracle.assert_equal(account, mailbox)
        assert ledger(account)["inbox"].accounted == 30
        for message in Message.objects.all():
            assert sha_of(account, message) == expected(message)


def test_uids_that_are_other_mails_now_never_give_a_wrong_file(connect, mailbox: Mailbox):
    """Half of the mail is gone, new mail of the same shape and size took its uids."""
    mailbox.fill([(with_file(each), NOW) for each in range(10)])
    account = connect(mailbox)
    oracle.to_the_end(account)
    mailbox.fill([(with_file(each), NOW) for each in range(100, 105)])
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select("INBOX", readonly=True)
    mailbox.dovecot.renumber(mailbox.address, order=lambda names: names[10:] + names[5:10])
    wrong = right = gone = 0
    for synchronised in (False, True):
        if synchronised:
            oracle.to_the_end(account)
            oracle.to_the_end(account)
        for message in Message.objects.all():
            try:
                sha = sha_of(account, message)
            except GoneFromServer:
                gone += 1
            else:
                right += sha == expected(message)
                wrong += sha != expected(message)
    assert (wrong, right, gone) == (0, 5 + 10, 5 + 5)
    assert stored_now(account, mailbox)


def stored_now(account: EmailAccount, mailbox: Mailbox) -> bool:
    return oracle.stored_ledger(account) == oracle.server_ledger(mailbox)


def test_a_renumbering_cut_in_the_middle_is_taken_up(connect, mailbox: Mailbox):
    mailbox.fill([(with_file(each), NOW - timedelta(minutes=each)) for each in range(40)])
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        before = dict(Message.objects.values_list("message_id", "pk"))
        rng = random.Random(3)
        for _ in range(6):
            mailbox.dovecot.renumber(mailbox.address, order=lambda names: rng.sample(names, len(names)))
            Folder.objects.update(uidvalidity_changes=0)
            for _ in range(2):
                proxy.cut_after = proxy.to_client + rng.randrange(800, 9000)
                services.sync_account(account.pk)
            proxy.cut_after = None
            oracle.to_the_end(account)
            oracle.assert_equal(account, mailbox)
            assert dict(Message.objects.values_list("message_id", "pk")) == before


def test_history_before_the_window_keeps_its_place_when_uids_are_given_anew(connect, mailbox: Mailbox):
    mailbox.fill([(with_file(each), ago(each)) for each in range(1, 31)])
    account = connect(mailbox, import_since=ago(40))
    oracle.to_the_end(account)
    EmailAccount.objects.filter(pk=account.pk).update(import_since=ago(14.5))
    mailbox.dovecot.renumber(mailbox.address)
    oracle.to_the_end(account)
    assert Placement.objects.count() == 30
    assert ledger(account)["inbox"].accounted == ledger(account)["inbox"].on_server == 30


def test_a_folder_numbered_anew_in_each_session_is_paused_and_the_owner_is_told(connect, mailbox: Mailbox, mailoutbox):
    mailbox.fill([(with_file(each), NOW) for each in range(3)])
    account = connect(mailbox)
    for _ in range(4):
        oracle.to_the_end(account)
        mailbox.dovecot.renumber(mailbox.address)
    assert Folder.objects.get(role="inbox").paused_reason == "uidvalidity_changes"
    account.refresh_from_db()
    assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)
    told = [mail for mail in mailoutbox if "INBOX" in mail.body]
    assert len(told) == 2  # owner and manager, once
    folders.choose(account.owner, account, list(Folder.objects.filter(selected=True).values_list("pk", flat=True)))
    oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox)


@pytest.mark.parametrize("hidden", [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE", "ESEARCH")])
def test_what_is_expunged_is_noticed_at_once_with_any_server(connect, mailbox: Mailbox, hidden):
    mailbox.fill([(with_file(each), ago(each / 10)) for each in range(20)])
    with Proxy(mailbox.dovecot.port) as proxy:
        if hidden:
            proxy.hide(*hidden)
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        mailbox.dovecot.expunge(mailbox.address, [3, 4, 5, 11])
        mailbox.deliver(with_file(77))
        proxy.sent.clear()
        oracle.to_the_end(account)
        assert any(b"VANISHED" in line for line in proxy.commands) is not bool(hidden)
        assert Message.objects.filter(on_server=False).count() == 4
        oracle.assert_equal(account, mailbox)


def test_one_expunged_and_one_late_at_once_are_found_within_a_day(connect, mailbox: Mailbox):
    """The count stays the same, so only the daily comparison can see it."""
    mailbox.fill([(with_file(each), NOW) for each in range(6)])
    account = connect(mailbox)
    oracle.to_the_end(account)
    Placement.objects.filter(uid=2).delete()
    Message.objects.filter(placements=None).delete()
    mailbox.dovecot.expunge(mailbox.address, [5])
    Folder.objects.filter(role="inbox").update(on_server=5)
    oracle.to_the_end(account)
    assert not Placement.objects.filter(uid=2).exists()
    Folder.objects.update(compared_at=NOW - comparing.COMPARE_EVERY)
    oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox)


@pytest.mark.parametrize("last", [False, True])
def test_a_uid_that_the_server_hides_for_two_cycles_arrives_later(connect, mailbox: Mailbox, last, caplog):
    """The count includes it, the searches do not; `last`: nothing lies above it."""
    account = connect(mailbox)
    mailbox.fill([(with_file(each), NOW) for each in range(4)])
    with Proxy(mailbox.dovecot.port) as proxy:
        EmailAccount.objects.filter(pk=account.pk).update(imap_port=proxy.port)
        proxy.hide("ESEARCH")
        hide = proxy.rewrite
        oracle.to_the_end(account)
        for each in range(3):
            mailbox.deliver(with_file(10 + each))
        hidden = 7 if last else 6

        def without(raw: bytes) -> bytes:
            return re.sub(rb"(?<=[ ])%d(?=[ \r])" % hidden, b"", hide(raw)) if b"* SEARCH" in raw else hide(raw)

        proxy.rewrite = without
        for _ in range(2):
            oracle.to_the_end(account)
            assert set(Placement.objects.values_list("uid", flat=True)) == {1, 2, 3, 4, 5, 6, 7} - {hidden}
        proxy.rewrite = hide
        oracle.to_the_end(account)
    oracle.assert_equal(account, mailbox)
    assert last or any("below the cursor" in record.message for record in caplog.records)


def test_a_hundred_and_fifty_moved_mails_are_all_found_again(connect, mailbox: Mailbox):
    mailbox.fill([(with_file(each), NOW - timedelta(seconds=each)) for each in range(160)])
    for number in range(12):
        mailbox.deliver(with_file(900 + number), folder=f"Project {number}")
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        oracle.to_the_end(account)
        with mailbox.dovecot.client(mailbox.address) as client:
            client.select("INBOX")
            client.uid("MOVE", "1:150", '"Project 11"')
        proxy.sent.clear()
        oracle.to_the_end(account)
        assert sum(b"SEARCH" in line for line in proxy.commands) < 150
        assert Message.objects.filter(on_server=True).count() == 160
        assert Placement.objects.filter(folder__name="Project 11").count() == 150
        for message in Message.objects.order_by("message_id")[3:8]:
            assert sha_of(account, message) == expected(message)


def test_mail_deleted_from_a_folder_that_is_not_read_is_gone_within_a_day(account, mailbox: Mailbox):
    uid = mailbox.deliver(with_file(1))
    mailbox.deliver(with_file(2), folder="Archive")
    oracle.to_the_end(account)
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select("INBOX")
        client.uid("MOVE", str(uid), "Archive")
    oracle.to_the_end(account)
    assert Message.objects.get().on_server
    mailbox.dovecot.expunge(mailbox.address, [2], folder="Archive")
    Folder.objects.update(compared_at=NOW - comparing.COMPARE_EVERY)
    EmailAccount.objects.update(last_synchronized_at=ago(1))
    oracle.to_the_end(account)
    assert not Message.objects.get().on_server and not Placement.objects.exists()


def test_a_copy_with_another_size_still_gives_its_file(account, mailbox: Mailbox):
    """The sent copy has no Received lines: when the received one goes, the file comes from the other."""
    raw = with_file(1)
    mailbox.deliver(b"Received: from a by b\r\n" * 5 + raw)
    mailbox.deliver(raw, folder="Sent")
    oracle.to_the_end(account)
    assert Placement.objects.count() == 2
    message = Message.objects.get()
    mailbox.dovecot.expunge(mailbox.address, [1])
    assert sha_of(account, message) == expected(message)
    oracle.to_the_end(account)
    assert sha_of(account, message) == expected(message)


@pytest.fixture
def customers(account, mailbox: Mailbox) -> Folder:
    """A folder that the owner chose, with five mails, read."""
    mailbox.fill([(with_file(each), NOW) for each in range(5)], folder="Customers")
    oracle.to_the_end(account)
    chosen = Folder.objects.get(name="Customers")
    folders.choose(
        account.owner, account, [*Folder.objects.filter(selected=True).values_list("pk", flat=True), chosen.pk]
    )
    oracle.to_the_end(account)
    return chosen


@pytest.mark.parametrize("made_again", [False, True])
def test_a_renamed_folder_costs_no_mail(account, mailbox: Mailbox, customers: Folder, made_again):
    """It is read on under its new name, unless another took the old one: then that is the one that was chosen."""
    with mailbox.dovecot.client(mailbox.address) as client:
        client.rename("Customers", '"Key accounts"')
    mailbox.deliver(with_file(50), folder="Key accounts")
    if made_again:
        mailbox.deliver(with_file(60), folder="Customers")
    oracle.to_the_end(account)
    customers.refresh_from_db()
    oracle.assert_equal(account, mailbox, ("Customers" if made_again else "Key accounts",))
    assert (customers.missing, customers.selected) == (False, True)
    assert Message.objects.count() == 6 and Message.objects.filter(on_server=True).count() == 6
    for message in Message.objects.all():
        assert sha_of(account, message) == expected(message)


def test_a_folder_deleted_for_good_takes_no_text_along(account, mailbox: Mailbox, customers: Folder):
    mailbox.deliver(with_file(10))
    oracle.to_the_end(account)
    with mailbox.dovecot.client(mailbox.address) as client:
        client.delete("Customers")
    oracle.to_the_end(account)
    customers.refresh_from_db()
    assert customers.missing
    assert Message.objects.filter(on_server=True).count() == 1
    assert Message.objects.exclude(body__text="").count() == Message.objects.count() == 6


def test_skipped_mail_that_is_deleted_leaves_the_ledger(connect, mailbox: Mailbox):
    account = connect(mailbox, store="sent")
    mailbox.fill([(with_file(each), NOW) for each in range(4)])
    oracle.to_the_end(account)
    assert LedgerEntry.objects.count() == 4
    mailbox.dovecot.expunge(mailbox.address, [2])
    oracle.to_the_end(account)
    told = ledger(account)["inbox"]
    assert (told.on_server, told.accounted) == (3, 3)
