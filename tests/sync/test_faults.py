"""What real servers do: hang up, fall silent, say OK without a body, refuse one message."""

from __future__ import annotations

import random
import time

import pytest

from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sync import rules, services
from mailwall.sync.models import Folder, LedgerEntry, Placement
from tests.fakes.imap_script import ScriptedImap
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ids, ledger

pytestmark = pytest.mark.live


def test_a_connection_cut_once_is_made_again_and_nothing_is_lost(connect, mailbox: Mailbox, monkeypatch):
    """Cut at many places of a synchronisation: afterwards the ledger equals the server."""
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 5)
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 5)
    mailbox.fill([(mails.plain_mail(number, size=600), NOW) for number in range(40)])
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        whole = proxy.to_client
        for place in sorted(random.Random(7).sample(range(1, whole), 25)):
            Message.objects.all().delete()
            Folder.objects.all().delete()
            proxy.cut_after = proxy.to_client + place
            for _ in range(3):
                outcome = services.sync_account(account.pk)
            assert (outcome.state, outcome.more) == ("done", False), (place, outcome)
            assert Message.objects.count() == Placement.objects.count() == 40, place
            assert all(entry.accounted == entry.on_server for entry in ledger(account).values())
            assert not MessageBody.objects.filter(text="").exists()
    account.refresh_from_db()
    assert account.failed_attempts == 0


def test_one_cut_connection_is_at_most_one_failed_attempt(connect, mailbox: Mailbox):
    mailbox.fill([(mails.plain_mail(number), NOW) for number in range(20)])
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        proxy.cut_after = 6000
        run = services.request_download(account)
        services.sync_account(account.pk)
    account.refresh_from_db()
    assert proxy.cuts == 1 and account.failed_attempts <= 1
    assert services.wait_for_run(run.pk, 0).state in ("done", "failed")


def test_a_silent_server_ends_as_a_failed_attempt_in_time(connect, mailbox: Mailbox, impatient):
    mailbox.fill([(mails.plain_mail(number), NOW) for number in range(5)])
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        proxy.black_hole = True
        begin = time.monotonic()
        outcome = services.sync_account(account.pk)
        assert time.monotonic() - begin < 6
        proxy.black_hole = False
        assert (outcome.state, outcome.error_code) == ("failed", "imap_timeout")
        account.refresh_from_db()
        assert account.failed_attempts == 1 and account.lease_token == ""
        assert services.sync_account(account.pk).new == 5


def test_a_refused_login_waits_for_the_owner(connect, mailbox: Mailbox):
    account = connect(mailbox)
    EmailAccount.objects.update(sealed_imap_password="")
    outcome = services.sync_account(account.pk)
    account.refresh_from_db()
    assert outcome.error_code == "imap_login_refused"
    assert (account.state, account.next_sync_at, account.failed_attempts) == (State.NEEDS_SIGN_IN, None, 1)


@pytest.mark.parametrize(
    "hidden",
    [
        ("LIST-STATUS",),
        ("CONDSTORE", "QRESYNC"),
        ("ESEARCH",),
        ("SPECIAL-USE",),
        ("LIST-STATUS", "CONDSTORE", "QRESYNC", "ESEARCH", "SPECIAL-USE", "LIST-EXTENDED", "UIDPLUS", "IDLE"),
    ],
)
def test_a_server_with_fewer_capabilities_gives_the_same(connect, mailbox: Mailbox, hidden):
    mailbox.fill([(mails.plain_mail(number), NOW) for number in range(12)])
    mailbox.deliver(mails.mail(sender=mailbox.address, message_id="<out@x.example>"), folder="Sent")
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.hide(*hidden)
        account = connect(mailbox, port=proxy.port)
        assert services.sync_account(account.pk).new == 13
        mailbox.deliver(mails.mail(message_id="<new@x.example>"))
        assert services.sync_account(account.pk).new == 1
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())


HEADER = b"From: ewa@kwiat.example\r\nSubject: One\r\nMessage-ID: <one@x.example>\r\n\r\n"
STRUCTURE = b'("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "7BIT" 7 1 NIL NIL NIL NIL)'
BASICS = b'UID 1 INTERNALDATE "%s" RFC822.SIZE 500 FLAGS ()' % f"{NOW:%d-%b-%Y %H:%M:%S} +0000".encode()


def scripted(account: EmailAccount, **fetches: bytes):
    """A server with one message whose FETCH answers are as given: full, section, whole."""
    full = b"* 1 FETCH (" + BASICS + b" BODYSTRUCTURE " + STRUCTURE + b" BODY[HEADER] {%d}\r\n%b)\r\n{tag} OK done\r\n"
    answers = {
        r"LIST ": b'* LIST () "/" INBOX\r\n{tag} OK done\r\n',
        r"STATUS ": b"* STATUS INBOX (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n{tag} OK done\r\n",
        r"UID SEARCH": b"* SEARCH 1\r\n{tag} OK done\r\n",
        r"UID FETCH 1 \(UID BODY.PEEK\[1\]": fetches.get("section", b"{tag} OK done\r\n"),
        r"UID FETCH 1 \(UID BODY.PEEK\[\]": fetches.get("whole", b"{tag} OK done\r\n"),
        r"UID FETCH 1 \(UID INTERNALDATE RFC822.SIZE FLAGS\)": b"* 1 FETCH (" + BASICS + b")\r\n{tag} OK done\r\n",
        r"UID FETCH 1 \(UID": fetches.get("full", full % (len(HEADER), HEADER)),
    }
    server = ScriptedImap(answers)
    EmailAccount.objects.filter(pk=account.pk).update(imap_port=server.port)
    return server


def test_ok_without_a_body_is_a_failure_and_heals_by_itself(account):
    with scripted(account):
        outcome = services.sync_account(account.pk)
    assert (outcome.state, outcome.new) == ("done", 0)
    entry = LedgerEntry.objects.get()
    assert (entry.outcome, entry.rule, entry.uid) == ("failed", "empty", 1)
    assert ledger(account)["inbox"].failed == 1
    LedgerEntry.objects.update(next_try_at=NOW)
    whole = HEADER + b"The text\r\n"
    with scripted(account, whole=b"* 1 FETCH (UID 1 BODY[] {%d}\r\n%b)\r\n{tag} OK done\r\n" % (len(whole), whole)):
        services.sync_account(account.pk)
    assert ids(account) == {"one@x.example"} and not LedgerEntry.objects.exists()
    assert MessageBody.objects.get().text.strip() == "The text"


def test_ok_without_any_fetch_is_tried_again_not_forgotten(account):
    with scripted(account, full=b"{tag} OK done\r\n"):
        services.sync_account(account.pk)
    assert LedgerEntry.objects.get().outcome == "failed"


def test_a_literal_whose_length_lies_stores_nothing(account):
    lie = b"* 1 FETCH (UID 1 BODY[1]<0> {3}\r\nHello and more)\r\n{tag} OK done\r\n"
    with scripted(account, section=lie):
        outcome = services.sync_account(account.pk)
    assert outcome.state == "failed" and not Message.objects.exists()
    account.refresh_from_db()
    assert account.failed_attempts == 1


def test_retries_of_a_failed_message_come_at_growing_pauses(account):
    pauses = []
    for _ in range(3):
        with scripted(account):
            services.sync_account(account.pk)
        entry = LedgerEntry.objects.get()
        pauses.append((entry.attempts, (entry.next_try_at - NOW).total_seconds()))
        LedgerEntry.objects.update(next_try_at=NOW)
    assert [attempts for attempts, _ in pauses] == [1, 2, 3]
    assert pauses[0][1] < pauses[1][1] < pauses[2][1]


def two_folders(account: EmailAccount, *, sent_search: bytes) -> ScriptedImap:
    server = scripted(account)
    full = b"* 1 FETCH (" + BASICS + b" BODYSTRUCTURE " + STRUCTURE + b" BODY[HEADER] {%d}\r\n%b)\r\n{tag} OK done\r\n"
    opened = []

    def search(command: bytes) -> bytes:
        return sent_search if opened and b"Sent" in opened[-1] else b"* SEARCH 1\r\n{tag} OK done\r\n"

    def examine(command: bytes) -> bytes:
        opened.append(command)
        return b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n{tag} OK [READ-ONLY] done\r\n"

    own = {
        r"LIST ": b'* LIST () "/" INBOX\r\n* LIST (\\Sent) "/" Sent\r\n{tag} OK done\r\n',
        r"STATUS \"Sent\"": b"* STATUS Sent (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 7)\r\n{tag} OK done\r\n",
        r"EXAMINE": examine,
        r"UID SEARCH": search,
        r"UID FETCH 1:\*": b"{tag} NO [SERVERBUG] broken\r\n",
        r"UID FETCH 1 \(UID BODY.PEEK\[1\]": b"* 1 FETCH (UID 1 BODY[1]<0> {7}\r\nHello\r\n)\r\n{tag} OK done\r\n",
        r"UID FETCH 1 \(UID INTERNALDATE RFC822.SIZE FLAGS B": full % (len(HEADER), HEADER),
    }
    server.answers = {**own, **{key: value for key, value in server.answers.items() if key not in own}}
    return server


def test_one_folder_that_cannot_be_read_does_not_stop_the_others(account):
    with two_folders(account, sent_search=b"{tag} NO cannot search\r\n"):
        outcome = services.sync_account(account.pk)
    assert (outcome.state, outcome.new) == ("done", 1), outcome
    sent = Folder.objects.get(role="sent")
    assert sent.last_error_message and not sent.missing
    account.refresh_from_db()
    assert account.failed_attempts == 0
    with two_folders(account, sent_search=b"* SEARCH 1\r\n{tag} OK done\r\n"):
        services.sync_account(account.pk)
    assert Folder.objects.get(role="sent").last_error_message == ""
    assert Placement.objects.count() == 2
