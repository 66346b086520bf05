"""The straight line against a real Dovecot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from mailwall.assignment import services as assignment_services
from mailwall.assignment.models import Link
from mailwall.email_accounts import leases
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import Attachment, Message, MessageBody
from mailwall.sync import batches, folders, queries, removal, rules, services
from mailwall.sync.models import Folder, LedgerEntry, Placement
from tests.cast import make_contact
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ago, ids, ledger

pytestmark = pytest.mark.live


def fill(mailbox: Mailbox, count: int, *, folder: str = "INBOX", days: float = 10) -> list[str]:
    """Deliver mails, oldest first, and give their Message-IDs."""
    box = [(mails.plain_mail(number, size=300), ago(days * (count - number) / count)) for number in range(count)]
    mailbox.fill(box, folder=folder)
    return [f"mail-{number}@kwiat.example" for number in range(count)]


def to_the_end(account: EmailAccount, **options) -> int:
    """Turn after turn; gives how many were needed."""
    for turn in range(1, 100):
        outcome = services.sync_account(account.pk, **options)
        assert outcome.state == "done", outcome
        if not outcome.more:
            return turn
    raise AssertionError("never done")


def test_mail_of_the_window_is_stored_assigned_and_accounted_for(account, mailbox: Mailbox):
    ewa = make_contact("Ewa", "ewa@kwiat.example")
    mailbox.deliver(mails.mail(message_id="<in@x.example>"), internaldate=ago(13.9))
    mailbox.deliver(mails.mail(message_id="<old@x.example>"), internaldate=ago(14.1))
    mailbox.deliver(mails.mail(message_id="<ancient@x.example>"), internaldate=ago(50))
    sent = mails.mail(sender=mailbox.address, to="ewa@kwiat.example", message_id="<out@x.example>")
    mailbox.deliver(sent, folder="Sent", internaldate=ago(2))

    outcome = services.sync_account(account.pk)

    assert (outcome.state, outcome.more, outcome.new, outcome.assigned) == ("done", False, 2, 2)
    assert ids(account) == {"in@x.example", "out@x.example"}
    assert Link.objects.filter(contact=ewa).count() == 2
    assert Message.objects.get(message_id="out@x.example").direction == "sent"
    told = ledger(account)
    assert (told["inbox"].on_server, told["inbox"].stored) == (3, 1)
    assert told["inbox"].skipped == {"before_window": 2}
    assert all(entry.accounted == entry.on_server and entry.waiting == 0 for entry in told.values())
    account.refresh_from_db()
    assert account.last_synchronized_at and account.next_sync_at > account.last_synchronized_at
    assert account.lease_until is None and account.lease_token == ""
    assert set(Folder.objects.filter(selected=True).values_list("role", flat=True)) == {"inbox", "sent"}


@pytest.mark.parametrize("hours", [0, 14, -11, 5.5, -3.5])
def test_the_window_is_exact_whatever_the_zone_of_internaldate(account, mailbox: Mailbox, hours):
    zone = timezone(timedelta(hours=hours))
    for name, moment in (
        ("first", account.import_since + timedelta(seconds=1)),
        ("last-before", account.import_since - timedelta(seconds=2)),
        ("future", NOW + timedelta(hours=20)),
    ):
        raw = mails.mail(message_id=f"<{name}@x.example>", date=NOW - timedelta(days=400))
        mailbox.deliver(raw, internaldate=moment.astimezone(zone))
    services.sync_account(account.pk)
    assert ids(account) == {"first@x.example", "future@x.example"}


@pytest.mark.parametrize(
    ("store", "kept"),
    [("received", {"in"}), ("sent", {"out", "alias", "assistant"}), ("both", {"in", "out", "alias", "assistant"})],
)
def test_only_the_chosen_direction_is_kept_and_the_rest_is_named(connect, mailbox: Mailbox, store, kept):
    account = connect(mailbox, store=store, aliases=["Other@Ours.Example"])
    me = mailbox.address
    mailbox.deliver(mails.mail(message_id="<in@x.example>"))
    mailbox.deliver(mails.mail(sender="other@ours.example", to="ewa@kwiat.example", message_id="<alias@x.example>"))
    mailbox.deliver(mails.mail(sender=me.upper(), to="ewa@kwiat.example", message_id="<out@x.example>"), folder="Sent")
    mailbox.deliver(mails.mail(sender="pa@ours.example", message_id="<assistant@x.example>"), folder="Sent")
    services.sync_account(account.pk)
    assert ids(account) == {f"{name}@x.example" for name in kept}
    told = ledger(account)
    assert sum(entry.skipped.get("direction", 0) for entry in told.values()) == 4 - len(kept)
    assert all(entry.accounted == entry.on_server for entry in told.values())


def test_no_text_of_the_sent_folder_is_asked_for_when_only_received_mail_is_kept(connect, mailbox: Mailbox):
    mailbox.deliver(mails.mail(sender=mailbox.address), folder="Sent")
    with Proxy(mailbox.dovecot.port) as proxy:
        services.sync_account(connect(mailbox, port=proxy.port, store="received").pk)
        assert not [line for line in proxy.commands if b"BODY" in line]


def test_reading_changes_nothing_on_the_server(account, mailbox: Mailbox):
    fill(mailbox, 5)
    mailbox.deliver(mails.mail())
    before = mailbox.dovecot.flags(mailbox.address)
    to_the_end(account)
    assert mailbox.dovecot.flags(mailbox.address) == before


def test_no_command_could_change_anything(connect, mailbox: Mailbox):
    fill(mailbox, 3)
    with Proxy(mailbox.dovecot.port) as proxy:
        services.sync_account(connect(mailbox, port=proxy.port).pk)
        said = b"\n".join(proxy.commands).upper()
    assert b"EXAMINE" in said
    for word in (b" SELECT ", b" STORE ", b"EXPUNGE", b" CREATE ", b" CLOSE", b" APPEND ", b"BODY[", b" RFC822 "):
        assert word not in said


def test_no_attachment_byte_is_fetched_but_everything_is_known_of_it(connect, mailbox: Mailbox):
    mailbox.deliver(mails.attachment_mail(1, size_bytes=400_000))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        assert proxy.to_client < 20_000
    file = Attachment.objects.get(message__account=account)
    assert file.filename == "report żółty 1.pdf" and abs(file.size_bytes - 400_000) < 8_000
    assert "Please find file 1 attached." in MessageBody.objects.get().text


def test_walls_fill_newest_first(account, mailbox: Mailbox, monkeypatch):
    names = fill(mailbox, 25)
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 5)
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 5)
    outcome = services.sync_account(account.pk, messages=5, others_wait=lambda: True)
    assert outcome.more and outcome.new == 5
    assert ids(account) == set(names[-5:])
    progress = queries.progress_of([account.pk])[account.pk]
    assert (progress.total, progress.seen, progress.done) == (25, 5, False)
    account.refresh_from_db()
    assert account.last_synchronized_at is None and account.next_sync_at is not None
    to_the_end(account)
    assert ids(account) == set(names)
    assert queries.progress_of([account.pk])[account.pk].done


def test_new_mail_comes_before_the_rest_of_the_import(account, mailbox: Mailbox, monkeypatch):
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 5)
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 5)
    fill(mailbox, 30)
    services.sync_account(account.pk, messages=5, others_wait=lambda: True)
    mailbox.deliver(mails.mail(message_id="<fresh@x.example>"))
    services.sync_account(account.pk, messages=5, others_wait=lambda: True)
    assert "fresh@x.example" in ids(account)
    to_the_end(account)
    assert Message.objects.filter(account=account).count() == 31


def test_an_unchanged_account_costs_one_round_trip_and_no_batch(connect, mailbox: Mailbox):
    fill(mailbox, 3)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        EmailAccount.objects.update(last_synchronized_at=datetime.now(UTC))
        proxy.sent.clear()
        outcome = services.sync_account(account.pk)
        words = [line.split()[1].upper() for line in proxy.commands if line]
    assert outcome.state == "done" and outcome.new == 0
    assert set(words) <= {b"CAPABILITY", b"LOGIN", b"LIST", b"STATUS", b"LOGOUT"}
    assert words.count(b"LIST") + words.count(b"STATUS") <= 2


def test_the_same_mail_in_two_folders_is_one_message_in_two_places(account, mailbox: Mailbox):
    raw = mails.mail(sender=mailbox.address, to=f"{mailbox.address}, ewa@kwiat.example", message_id="<twin@x.example>")
    mailbox.deliver(raw)
    mailbox.deliver(raw, folder="Sent")
    services.sync_account(account.pk)
    message = Message.objects.get(account=account)
    assert message.placements.count() == 2 and message.direction == "sent"


def test_reading_everything_again_changes_nothing(account, mailbox: Mailbox):
    fill(mailbox, 12)
    to_the_end(account)
    before = (ids(account), Placement.objects.count(), Link.objects.count())
    Folder.objects.update(import_done=False, low_uid=8, import_seen=0)
    Folder.objects.filter(role="inbox").update(high_uid=3, uidnext=4)
    to_the_end(account)
    assert (ids(account), Placement.objects.count(), Link.objects.count()) == before


def test_drafts_trash_and_others_are_not_read_unless_chosen(account, mailbox: Mailbox):
    for name in ("Drafts", "Trash", "Projects"):
        mailbox.deliver(mails.mail(message_id=f"<{name}@x.example>"), folder=name)
    services.sync_account(account.pk)
    assert ids(account) == set()
    chosen = Folder.objects.get(account=account, name="Projects")
    folders.choose(account.owner, account, [chosen.pk])
    to_the_end(account)
    assert ids(account) == {"Projects@x.example"}


def test_a_folder_that_disappears_is_missing_and_the_others_go_on(account, mailbox: Mailbox):
    mailbox.deliver(mails.mail(message_id="<p@x.example>"), folder="Projects")
    services.sync_account(account.pk)
    both = Folder.objects.filter(account=account, name__in=["INBOX", "Projects"])
    folders.choose(account.owner, account, both.values_list("pk", flat=True))
    to_the_end(account)
    with mailbox.dovecot.client(mailbox.address) as client:
        client.delete("Projects")
    mailbox.deliver(mails.mail(message_id="<in@x.example>"))
    assert services.sync_account(account.pk).state == "done"
    assert ids(account) == {"p@x.example", "in@x.example"}
    assert Folder.objects.get(account=account, name="Projects").missing


def test_a_removed_message_stays_removed(account, mailbox: Mailbox):
    uid = mailbox.deliver(mails.mail(message_id="<gone@x.example>"))
    services.sync_account(account.pk)
    mailstore_services.remove_message(account.owner, Message.objects.get(account=account).pk)
    later = datetime.now(UTC) + mailstore_services.UNDO_FOR
    for _ in range(2):  # before it is buried, and after
        Folder.objects.update(uidnext=uid, high_uid=uid - 1)
        services.sync_account(account.pk)
        assert not Message.objects.visible_to(account.owner).exists()
        removal.bury_removed(later)
        told = ledger(account)["inbox"]
        assert told.skipped == {"removed_here": 1} and told.accounted == told.on_server
    assert ids(account) == set()


def test_an_expunged_message_keeps_its_text_and_is_not_on_the_server(account, mailbox: Mailbox):
    uid = mailbox.deliver(mails.mail(message_id="<a@x.example>"))
    mailbox.deliver(mails.mail(message_id="<b@x.example>"))
    services.sync_account(account.pk)
    mailbox.dovecot.expunge(mailbox.address, [uid])
    services.sync_account(account.pk)
    assert dict(Message.objects.values_list("message_id", "on_server")) == {"a@x.example": False, "b@x.example": True}
    told = ledger(account)["inbox"]
    assert (told.on_server, told.stored) == (1, 1)


def test_a_moved_message_is_found_again_where_it_lies(account, mailbox: Mailbox):
    uid = mailbox.deliver(mails.mail(message_id="<moved@x.example>"))
    mailbox.deliver(mails.mail(), folder="Archive 2026")
    services.sync_account(account.pk)
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select("INBOX")
        client.uid("MOVE", str(uid), '"Archive 2026"')
    services.sync_account(account.pk)
    message = Message.objects.get(message_id="moved@x.example")
    assert message.on_server
    assert message.placements.get().folder.name == "Archive 2026"


def test_a_uid_that_shows_late_is_fetched_after_all(account, mailbox: Mailbox):
    """The cursor stands above it: seen by the count of messages."""
    fill(mailbox, 4)
    services.sync_account(account.pk)
    late = Placement.objects.order_by("uid")[1]
    late.message.delete()
    Folder.objects.filter(role="inbox").update(on_server=3)
    services.sync_account(account.pk)
    assert Placement.objects.filter(uid=late.uid).exists()
    assert ledger(account)["inbox"].accounted == 4


def test_another_uidvalidity_loses_and_doubles_nothing(account, mailbox: Mailbox):
    fill(mailbox, 8)
    to_the_end(account)
    before = dict(Message.objects.values_list("message_id", "pk"))
    Folder.objects.filter(role="inbox").update(uidvalidity=4_294_967_295)  # larger than the server's: != counts
    to_the_end(account)
    assert dict(Message.objects.values_list("message_id", "pk")) == before
    assert Placement.objects.count() == 8
    inbox = Folder.objects.get(role="inbox")
    assert set(Placement.objects.values_list("uidvalidity", flat=True)) == {inbox.uidvalidity}
    assert inbox.uidvalidity_changes == 1


def test_the_third_uidvalidity_in_a_day_pauses_the_folder_and_not_the_account(account, mailbox: Mailbox):
    fill(mailbox, 2)
    for number in range(3):
        to_the_end(account)
        Folder.objects.filter(role="inbox").update(uidvalidity=number + 1)
    assert services.sync_account(account.pk).state == "done"
    assert Folder.objects.get(role="inbox").paused_reason == "uidvalidity_changes"
    account.refresh_from_db()
    assert account.state == State.ACTIVE
    folders.choose(account.owner, account, [Folder.objects.get(role="inbox").pk])
    to_the_end(account)
    assert Placement.objects.count() == 2


def test_a_message_that_the_store_refuses_is_noted_and_the_rest_goes_on(account, mailbox: Mailbox, monkeypatch):
    names = fill(mailbox, 9)
    store = mailstore_services.store_messages

    def refusing(account, incoming):
        if any(item.parsed.message_id == names[4] for item in incoming):
            raise ValueError("poison")
        return store(account, incoming)

    monkeypatch.setattr(mailstore_services, "store_messages", refusing)
    to_the_end(account)
    assert ids(account) == set(names) - {names[4]}
    entry = LedgerEntry.objects.get()
    assert (entry.outcome, entry.rule, entry.attempts) == ("failed", "not_storable", 1)
    assert entry.next_try_at > datetime.now(UTC)
    monkeypatch.setattr(mailstore_services, "store_messages", store)
    LedgerEntry.objects.update(next_try_at=NOW)
    to_the_end(account)
    assert ids(account) == set(names) and not LedgerEntry.objects.exists()


def test_a_batch_of_any_size_takes_the_same_number_of_queries(account, mailbox: Mailbox):
    services.sync_account(account.pk)
    counts = []
    for size in (20, 60, 90):
        mailbox.fill([(mails.plain_mail(100 * size + number, size=200), ago(1)) for number in range(size)])
        with CaptureQueriesContext(connection) as made:
            services.sync_account(account.pk)
        counts.append(len(made))
    assert Message.objects.count() == 170
    assert max(counts) - min(counts) <= 2 and max(counts) < 76, counts


@pytest.mark.parametrize("where", ["after the commit", "inside the transaction"])
def test_an_interruption_at_every_batch_loses_and_doubles_nothing(account, mailbox: Mailbox, monkeypatch, where):
    names = fill(mailbox, 30)
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 4)
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 4)
    module, name = (batches, "_commit") if where == "after the commit" else (assignment_services, "assign_messages")
    real = getattr(module, name)
    calls = []

    def breaking(*args):
        answer = real(*args)
        calls.append(answer)
        if where == "after the commit" or len(calls) % 2 == 0:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(module, name, breaking)
    interrupted = 0
    while Message.objects.count() < 30:
        try:
            services.sync_account(account.pk)
        except KeyboardInterrupt:
            interrupted += 1
        low = Folder.objects.get(role="inbox").low_uid
        assert set(Placement.objects.values_list("uid", flat=True)) == set(range(low, 31))
    monkeypatch.setattr(module, name, real)
    assert interrupted >= 5
    to_the_end(account)
    assert ids(account) == set(names) and Placement.objects.count() == 30
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())


def test_a_worker_that_was_overtaken_writes_nothing(account, mailbox: Mailbox, monkeypatch):
    fill(mailbox, 10)
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 5)
    commit = batches._commit

    def overtaken(*args):
        if Message.objects.exists():
            EmailAccount.objects.filter(pk=account.pk).update(lease_until=ago(1))
            assert leases.take_lease(account.pk)
        return commit(*args)

    monkeypatch.setattr(batches, "_commit", overtaken)
    outcome = services.sync_account(account.pk)
    assert outcome.state == "busy"
    assert Message.objects.count() == 5
    account.refresh_from_db()
    assert account.lease_token and account.failed_attempts == 0 and account.last_synchronized_at is None


def test_a_busy_account_is_left_alone(account, mailbox: Mailbox):
    token = leases.take_lease(account.pk)
    assert services.sync_account(account.pk).state == "busy"
    assert leases.renew_lease(account.pk, token)


def test_text_that_sections_do_not_give_is_read_whole_in_the_same_run(account, mailbox: Mailbox):
    raw = (
        b"From: ewa@kwiat.example\r\nTo: alice@example.org\r\nSubject: Broken\r\nMessage-ID: <broken@x.example>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="right"\r\n\r\n'
        b"--wrong\r\nContent-Type: text/plain\r\n\r\n"
        + b"The text stands here all the same.\r\n" * 20
        + b"--wrong--\r\n"
    )
    mailbox.deliver(raw)
    to_the_end(account)
    assert "stands here" in MessageBody.objects.get().text
    assert not LedgerEntry.objects.exists()
