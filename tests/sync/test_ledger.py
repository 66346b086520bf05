"""Completeness: what became of every message, what failed and is tried again, why one is missing, paused folders."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from mailwall.sync import failed, missing, renumbering, services, tasks
from mailwall.sync.batches import Work
from mailwall.sync.errors import GoneFromServer, NoSuchFile
from mailwall.sync.models import Folder, LedgerEntry, Placement, SyncRun
from tests.cast import make_account
from tests.rig import mails
from tests.rig.processes import free_port
from tests.sync.conftest import NOW, ago, ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list[int]:
    noted: list[int] = []
    monkeypatch.setattr(tasks, "download_task", noted.append)
    monkeypatch.setattr(tasks, "sync_account_task", noted.append)
    return noted


@pytest.fixture
def read(connect, mailbox):
    """An account that stores received mail: three in the window, one older, one sent, two in a folder of their own."""
    mailbox.fill([(mails.mail(message_id=f"<{n}@x.example>", subject=f"Offer {n}"), ago(n)) for n in (40, 3, 2, 1)])
    mailbox.fill([(mails.mail(sender=mailbox.address, message_id="<s@x.example>"), ago(2))], folder="Sent")
    mailbox.fill([(mails.mail(message_id=f"<p{n}@y.example>"), ago(n)) for n in (2, 1)], folder="Projekty")
    account = connect(mailbox, store="received")
    services.sync_account(account.pk)
    return account


def break_one(account) -> LedgerEntry:
    """As if the message of a day ago could not have been stored."""
    placement = Placement.objects.get(message__message_id="1@x.example")
    mailstore.delete_messages([placement.message_id])
    return LedgerEntry.objects.create(
        folder=placement.folder, uidvalidity=placement.uidvalidity, uid=placement.uid, outcome="failed",
        rule="not_parsable", internaldate=ago(1), size_bytes=400, attempts=3, next_try_at=ago(-1),
    )  # fmt: skip


def page(account, viewer=None, part="ledger/") -> str:
    client = Client()
    client.force_login(viewer or account.owner)
    answer = client.get(f"/settings/email-accounts/{account.pk}/{part}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def test_the_page_accounts_for_every_message_of_the_folders_that_are_read(read):
    break_one(read)
    said = page(read)
    assert "5 of 5 accounted for" in said
    assert "Older than what is fetched: 1" in said and "Not of the direction that is stored: 1" in said
    assert "It could not be understood." in said and "tried 3 times" in said
    assert "Projekty" not in said


def test_a_failed_message_is_tried_again_at_once(read, woken):
    entry = break_one(read)
    client = Client()
    client.force_login(read.owner)
    client.post(f"/settings/email-accounts/{read.pk}/ledger/retry/", {"entry": entry.pk})
    assert woken == [read.pk] and SyncRun.objects.filter(state="waiting").count() == 1
    services.sync_account(read.pk)
    assert "1@x.example" in ids(read) and not LedgerEntry.objects.filter(outcome="failed").exists()
    assert "Nothing failed." in page(read)


def test_nothing_is_tried_again_while_the_account_is_deactivated(read):
    entry = break_one(read)
    EmailAccount.objects.update(state="deactivated")
    read.refresh_from_db()
    with pytest.raises(Exception, match="deactivated"):
        failed.retry(read)
    entry.refresh_from_db()
    assert entry.next_try_at == ago(-1)


def test_the_original_of_a_failed_message_is_its_owners(read, cast_of):
    entry = break_one(read)
    raw = b"".join(failed.open_original(read.owner, entry.pk).chunks)
    assert b"Message-ID: <1@x.example>" in raw
    for viewer in cast_of(read):
        with pytest.raises(NoSuchFile):
            failed.open_original(viewer, entry.pk)
    Folder.objects.filter(pk=entry.folder_id).update(raw_name=b"Elsewhere")
    with pytest.raises(GoneFromServer):
        failed.open_original(read.owner, entry.pk)


@pytest.fixture
def cast_of():
    """Everybody but the owner."""

    def _cast_of(account):
        return type(account.owner).objects.exclude(pk=account.owner_id)

    return _cast_of


# -- why is a message missing?


def verdict_of(account, text, viewer=None):
    return missing.explain(viewer or account.owner, account, text)


def kinds(account, text) -> set[str]:
    return {found.kind for found in verdict_of(account, text).found}


def test_a_stored_message_is_shown_by_message_id_address_or_subject(read):
    for text in ("<2@x.example>", "2@x.example", " 2@x.example "):
        assert [m.message_id for m in verdict_of(read, text).stored] == ["2@x.example"]
        assert not verdict_of(read, text).asked_server
    assert len(verdict_of(read, "ewa@kwiat.example").stored) == 3
    assert [m.subject for m in verdict_of(read, "offer 2").stored] == ["Offer 2"]


def test_every_reason_has_its_verdict(read, mailbox):
    break_one(read)
    mailstore.remove_message(read.owner, Message.objects.get(message_id="3@x.example").pk)
    services.sync_account(read.pk)
    mailbox.deliver(mails.mail(message_id="<new@x.example>"))
    assert kinds(read, "40@x.example") == {"window"}
    assert kinds(read, "s@x.example") == {"skipped"}
    assert kinds(read, "p1@y.example") == {"not_read"}
    assert kinds(read, "1@x.example") == {"failed"}
    assert kinds(read, "new@x.example") == {"new"}
    none = verdict_of(read, "nowhere@x.example")
    assert none.asked_server and not (none.found or none.stored or none.error)
    Folder.objects.filter(role="inbox").update(paused_reason="uidvalidity_changes")
    assert kinds(read, "new@x.example") == {"paused"}


def test_the_verdict_stands_on_the_page_in_words(read):
    assert "This folder is not read." in page(read, part="missing/?q=p1@y.example")
    said = page(read, part="missing/?q=40@x.example")
    assert "older than what is fetched" in said and "Fetch older messages" in said
    assert "Not on the mail server" in page(read, part="missing/?q=x@nowhere.example")
    assert "Stored here: 1 message" in page(read, part="missing/?q=2@x.example")


def test_others_learn_nothing_of_mail_that_is_for_the_owner_alone(read, cast_of):
    Message.objects.filter(message_id="2@x.example").update(only_owner=True)
    for viewer in cast_of(read):
        for text in ("2@x.example", "Offer 2", "p1@y.example"):
            told = verdict_of(read, text, viewer)
            assert not (told.stored or told.found or told.asked_server)
    read.visibility = "owner_and_managers"
    read.save()
    client = Client()
    for viewer in cast_of(read).exclude(name="Bob"):
        client.force_login(viewer)
        for part in ("ledger/", "missing/?q=2@x.example"):
            assert client.get(f"/settings/email-accounts/{read.pk}/{part}").status_code == 404
        for part in ("ledger/retry/", "folders/1/again/"):
            assert client.post(f"/settings/email-accounts/{read.pk}/{part}").status_code == 404


def test_a_server_that_does_not_answer_is_said_in_words(read):
    EmailAccount.objects.update(imap_port=free_port())
    read.refresh_from_db()
    told = verdict_of(read, "nowhere@x.example")
    assert "refuses connections" in told.error


# -- a folder that is paused


def test_a_folder_paused_for_its_numbering_is_told_and_read_again(read):
    inbox = Folder.objects.get(role="inbox")
    for uidvalidity in (7, 8, 9):
        renumbering.begin(Work(account=read, token=lease_of(read)), inbox, uidvalidity, NOW)
    assert "INBOX is paused: the mail server numbered" in page(read)
    client = Client()
    client.force_login(read.owner)
    assert "Folder paused: INBOX" in client.get("/settings/email-accounts/").content.decode()
    client.post(f"/settings/email-accounts/{read.pk}/folders/{inbox.pk}/again/")
    EmailAccount.objects.update(lease_token="", lease_until=None)
    services.sync_account(read.pk)
    inbox.refresh_from_db()
    assert inbox.import_done and Placement.objects.filter(folder=inbox).count() == 3
    assert "is paused" not in page(read)


def lease_of(account) -> str:
    EmailAccount.objects.filter(pk=account.pk).update(lease_token="mine", lease_until=ago(-1))
    return "mine"


def test_before_the_first_synchronisation_the_page_says_so(cast):
    assert "Nothing was read yet." in page(make_account(cast.alice))
