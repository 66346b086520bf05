"""The straight line on every kind of provider: import, new mail, deleted mail, a file; and what each does its own way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest

from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore.models import Attachment, Message, MessageBody
from mailwall.sync import attachments, comparing, services
from mailwall.sync.errors import GoneFromServer
from mailwall.sync.models import Folder, LedgerEntry, Placement
from tests.fakes.imap_server import ImapServer
from tests.fakes.providers import EVERY, Exchange, Gmail, ICloud, Yahoo
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import NOW, ago, ids, ledger

pytestmark = pytest.mark.live

FILE = b"%PDF-1.7\n" + bytes(range(256)) * 40


def on(server: ImapServer) -> Mailbox:
    return Mailbox(dovecot=server, address="alice@example.org", ca_file="")  # type: ignore[arg-type]


@pytest.fixture(params=EVERY, ids=lambda kind: kind.__name__)
def mailbox(request) -> Iterator[Mailbox]:
    with request.param() as server:
        yield on(server)


def name_of(mailbox: Mailbox, role: str) -> str:
    """Of the folder with that role, as the server calls it."""
    names = {"sent": ("Sent", "Sent Items", "Sent Messages", Gmail.sent.decode())}[role]
    return next(name for name in names if name.encode() in mailbox.dovecot.folders)  # type: ignore[attr-defined]


def plain(name: str, **fields) -> bytes:
    return mails.mail(message_id=f"<{name}@kwiat.example>", **fields)


def with_file(name: str) -> bytes:
    return plain(name, text="The offer is attached.\n", attachments=[("oferta żółta.pdf", "application/pdf", FILE)])


def sha_of(account: EmailAccount, name: str) -> str:
    attachment = Attachment.objects.get(message__message_id=f"{name}@kwiat.example", message__account=account)
    download = attachments.open_attachment(account.owner, attachment.message_id, attachment.pk)
    return hashlib.sha256(b"".join(download.chunks)).hexdigest()


def test_the_straight_line_passes_on_every_provider(connect, mailbox: Mailbox):
    mailbox.deliver(plain("ancient"), internaldate=ago(40))
    mailbox.deliver(with_file("offer"), internaldate=ago(3))
    for number in range(5):
        mailbox.deliver(plain(f"letter-{number}", html=f"<p>Letter {number}</p>"), internaldate=ago(2 - number / 10))
    mailbox.deliver(plain("reply", sender=mailbox.address, to="ewa@kwiat.example"), folder=name_of(mailbox, "sent"))
    account = connect(mailbox)

    oracle.to_the_end(account)
    first = {"offer", "reply", *(f"letter-{number}" for number in range(5))}
    assert ids(account) == {f"{name}@kwiat.example" for name in first}
    assert Message.objects.get(message_id="reply@kwiat.example").direction == "sent"
    assert not MessageBody.objects.filter(text="").exists()
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())
    assert sha_of(account, "offer") == hashlib.sha256(FILE).hexdigest()

    mailbox.deliver(plain("new"))
    oracle.to_the_end(account)
    assert ids(account) == {f"{name}@kwiat.example" for name in {*first, "new"}}

    mailbox.dovecot.expunge(mailbox.address, [2, 5])
    if isinstance(mailbox.dovecot, Gmail):  # deleted there means: from All Mail as well
        mailbox.dovecot.expunge(mailbox.address, [2, 5], folder=Gmail.all_mail.decode())
    oracle.to_the_end(account)
    gone = Message.objects.filter(on_server=False)
    assert set(gone.values_list("message_id", flat=True)) == {"offer@kwiat.example", "letter-2@kwiat.example"}
    assert MessageBody.objects.filter(message__in=gone).exclude(text="").count() == 2
    with pytest.raises(GoneFromServer):
        sha_of(account, "offer")
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())
    account.refresh_from_db()
    assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)
    assert not any(flags for flags in mailbox.dovecot.flags(mailbox.address).values())


@pytest.mark.parametrize("kind", [Exchange, Yahoo])
def test_a_mail_that_the_provider_cannot_render_costs_no_other(connect, kind):
    with kind() as server:
        mailbox = on(server)
        for number in range(9):
            mailbox.deliver(plain(f"letter-{number}", headers={"X-Poison": "yes"} if number == 4 else {}))
        account = connect(mailbox)
        oracle.to_the_end(account)
        here = {f"letter-{number}@kwiat.example" for number in range(9)}
        failed = LedgerEntry.objects.filter(outcome="failed").count()
        assert here - ids(account) <= {"letter-4@kwiat.example"} and len(ids(account)) + failed == 9


def test_commands_stay_short_for_exchange(connect):
    """Every second mail is gone, so that the set of uids is as long as it can be."""
    with Exchange() as server:
        mailbox = on(server)
        for number in range(3000):
            mailbox.deliver(
                b"From: ewa@kwiat.example\r\nMessage-ID: <%d@kwiat.example>\r\n\r\nText %d\r\n" % (number, number)
            )
        mailbox.dovecot.expunge(mailbox.address, range(2, 3001, 2))
        account = connect(mailbox)
        oracle.to_the_end(account)
        assert Message.objects.filter(account=account).count() == 1500
        assert max(map(len, server.commands)) < Exchange.max_command_bytes


@pytest.mark.parametrize(
    ("kind", "obstacle"), [(Exchange, {"throttled": 1}), (Yahoo, {"limit": 3}), (Yahoo, {"unavailable": 1})]
)
def test_a_provider_that_wants_less_is_left_alone_and_nothing_is_lost(connect, kind, obstacle):
    with kind() as server:
        mailbox = on(server)
        for number in range(6):
            mailbox.deliver(plain(f"letter-{number}"))
        account = connect(mailbox)
        for name, value in obstacle.items():
            setattr(server, name, value)
        outcome = services.sync_account(account.pk)
        assert (outcome.state, outcome.error_code) == ("failed", "imap_busy")
        assert sum(b"BODYSTRUCTURE" in command for command in server.commands) <= 1
        account.refresh_from_db()
        assert account.state == State.ACTIVE and account.next_sync_at > NOW
        assert not LedgerEntry.objects.exists()
        oracle.to_the_end(account)
        assert len(ids(account)) == 6


def test_broken_search_still_finds_what_was_moved(connect):
    with Yahoo() as server:
        mailbox = on(server)
        mailbox.deliver(with_file("offer"))
        account = connect(mailbox)
        oracle.to_the_end(account)
        mail = server.folders[b"INBOX"].remove(1)
        server.put(b"Archive", mail.raw, mail.internaldate)
        oracle.to_the_end(account)
        assert Placement.objects.get().folder.name == "Archive"
        assert sha_of(account, "offer") == hashlib.sha256(FILE).hexdigest()


def test_vanished_mail_that_is_still_there_stays(connect):
    """iCloud names other uids than those that went: they are not believed."""
    with ICloud() as server:
        mailbox = on(server)
        for number in range(6):
            mailbox.deliver(plain(f"letter-{number}"))
        account = connect(mailbox)
        oracle.to_the_end(account)
        mailbox.dovecot.expunge(mailbox.address, [4, 5])
        oracle.to_the_end(account)
        assert any(b"VANISHED" in command for command in server.commands)
        assert set(Placement.objects.values_list("uid", flat=True)) == {1, 2, 3, 6}


def test_labels_of_gmail_make_one_message_and_all_mail_is_not_read(connect):
    with Gmail() as server:
        mailbox = on(server)
        raw = plain("labelled")
        mailbox.deliver(raw)
        mailbox.deliver(raw, folder="Klienci")
        account = connect(mailbox)
        oracle.to_the_end(account)
        Folder.objects.filter(name="Klienci").update(selected=True)
        oracle.to_the_end(account)
        assert Message.objects.count() == 1
        assert set(Placement.objects.values_list("folder__name", flat=True)) == {"INBOX", "Klienci"}
        assert Folder.objects.get(role="sent").name == "[Gmail]/Wysłane"
        assert not any(b"EXAMINE" in line and b"Wszystkie" in line for line in server.commands)
        mailbox.dovecot.expunge(mailbox.address, [1])
        mailbox.dovecot.expunge(mailbox.address, [1], folder="Klienci")
        oracle.to_the_end(account)
        assert Message.objects.get().on_server
        assert Placement.objects.get().folder.role == "all"


def test_too_many_connections_at_gmail_are_no_refused_login(connect):
    with Gmail() as server:
        mailbox = on(server)
        mailbox.deliver(plain("letter"))
        account = connect(mailbox)
        others = [mailbox.dovecot.client(mailbox.address) for _ in range(Gmail.max_connections)]
        outcome = services.sync_account(account.pk)
        account.refresh_from_db()
        assert (outcome.error_code, account.state) == ("imap_busy", State.ACTIVE)
        for other in others:
            other.logout()
        oracle.to_the_end(account)
        assert len(ids(account)) == 1


def test_a_normal_password_at_gmail_is_told_to_be_the_wrong_kind(connect):
    with Gmail() as server:
        server.refuses_normal_passwords = True
        account = connect(on(server))
        outcome = services.sync_account(account.pk)
        assert outcome.error_code == "imap_login_refused" and "app password" in outcome.error_message


def test_without_condstore_a_day_is_the_longest_that_anything_stays_unseen(connect):
    """One goes and one comes below the cursor, so that all counts stay: the nightly comparison of uids finds both."""
    with ImapServer() as server:
        mailbox = on(server)
        for number in range(6):
            mailbox.deliver(plain(f"letter-{number}"))
        inbox = server.folders[b"INBOX"]
        late = inbox.mails.pop(3)
        account = connect(mailbox)
        oracle.to_the_end(account)
        del inbox.mails[5]
        inbox.mails[3] = late
        oracle.to_the_end(account)
        assert set(Placement.objects.values_list("uid", flat=True)) == {1, 2, 4, 5, 6}
        Folder.objects.update(compared_at=NOW - comparing.COMPARE_EVERY)
        oracle.to_the_end(account)
        assert set(Placement.objects.values_list("uid", flat=True)) == {1, 2, 3, 4, 6}
        assert not Message.objects.get(message_id="letter-4@kwiat.example").on_server
