"""Checks 23 to 25 of reliability.md: folders of any name, Sent in any language, folders that change meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from imapclient import imap_utf7

from mailwall.email_accounts.models import State
from mailwall.mailstore.models import Message
from mailwall.sync import rules
from mailwall.sync.models import Folder, LedgerEntry
from tests.fakes import imap_server
from tests.fakes.imap_server import ImapServer
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import ago, ids, ledger

pytestmark = pytest.mark.live

SENT = {
    "Polish": "Wysłane", "German": "Gesendet", "French": "Éléments envoyés", "Spanish": "Enviados",
    "Italian": "Posta inviata", "Portuguese": "Itens Enviados", "Dutch": "Verzonden items", "Czech": "Odeslaná pošta",
    "Russian": "Отправленные", "Ukrainian": "Надіслані", "Swedish": "Skickat", "Turkish": "Gönderilmiş Öğeler",
    "Japanese": "送信済みアイテム", "Chinese": "已发送邮件", "Hungarian": "Elküldött elemek", "Danish": "Sendt post",
    "Finnish": "Lähetetyt", "English": "Sent Items",
}  # fmt: skip
ODD = {
    b"Z&APM-&AUI-w": "Zółw",
    b"Tom &- Jerry": "Tom & Jerry",
    b"raw & alone": "raw & alone",
    b"Cafe&AwE-": "Cafe\u0301",  # decomposed, and another than the next
    b"Caf&AOk-": "Café",
    b"&2D3eAA-": "😀",
    b'quo"te\\back': 'quo"te\\back',
    b"100%": "100%",
    b"star*": "star*",
    b"NIL": "NIL",
    "ünîcode".encode(): "ünîcode",
    b".".join([b"deep"] * 200): ".".join(["deep"] * 200)[:500],
    b"INBOX.Customers": "INBOX.Customers",
}


def on(server: ImapServer) -> Mailbox:
    return Mailbox(dovecot=server, address="alice@example.org", ca_file="")  # type: ignore[arg-type]


def plain(name: str, **fields) -> bytes:
    return mails.mail(message_id=f"<{name}@kwiat.example>", **fields)


def made(*names: bytes, attributes: bytes = b"") -> type[ImapServer]:
    """A bare server with an INBOX and these folders."""
    folders = ((b"INBOX", b""), *((name, attributes) for name in names))
    return type("Made", (ImapServer,), {"folders_at_first": folders})


@pytest.mark.parametrize("delimiter", [b".", b"/"])
def test_folders_of_any_name_are_read_and_shown_right(connect, delimiter):
    with made(*ODD)() as server:
        server.delimiter = delimiter
        for number, name in enumerate(ODD):
            server.put(name, plain(f"in-{number}"), ago(1))
        server.folders[b"Parent"] = imap_server.Folder(b"Parent", b"\\Noselect \\HasChildren")
        server.folders[b"other case"] = imap_server.Folder(b"Inbox")
        account = connect(on(server))
        oracle.to_the_end(account)
        chosen = Folder.objects.filter(account=account)
        assert {bytes(folder.raw_name): folder.name for folder in chosen} == {**ODD, b"INBOX": "INBOX"}
        chosen.update(selected=True)
        oracle.to_the_end(account)
        assert ids(account) == {f"in-{number}@kwiat.example" for number in range(len(ODD))}
        assert not chosen.filter(missing=True).exists() and not chosen.exclude(last_error_message="").exists()


@pytest.mark.parametrize("language", SENT)
def test_sent_is_found_by_its_name_in_any_language(connect, language):
    raw_name = imap_utf7.encode(SENT[language])
    with made(raw_name)() as server:
        server.put(raw_name, plain("from-another-address", sender="me@elsewhere.example"), ago(1))
        account = connect(on(server))
        oracle.to_the_end(account)
        assert Message.objects.get().direction == "sent"
        assert Folder.objects.get(role="sent").name == SENT[language]


def test_a_sent_folder_that_nobody_knows_is_neither_guessed_nor_made(connect):
    with made(b"Iesniegts", b"Klienti")() as server:
        account = connect(on(server))
        server.deliver("", plain("in"))
        oracle.to_the_end(account)
        assert not Folder.objects.filter(role="sent").exists()
        assert set(Folder.objects.filter(selected=True).values_list("name", flat=True)) == {"INBOX"}
        assert not any(command.startswith((b"CREATE", b"SUBSCRIBE", b"RENAME")) for command in server.commands)


class Shifting(ImapServer):
    """`change` is done when mail of Customers is read for the second time, in the middle of a synchronisation."""

    folders_at_first = ((b"INBOX", b""), (b"Sent", b""), (b"Customers", b""), (b"Suppliers", b""))
    change: Callable[[Shifting], None] | None = None
    reads = 0

    def fetch(self, folder, uids, items, modifiers) -> Iterator[bytes]:
        if folder.name == b"Customers" and self.change:
            self.reads += 1
            if self.reads == 2:
                self.change()
        return super().fetch(folder, uids, items, modifiers)

    def rename(self) -> None:
        folder = self.folders.pop(b"Customers")
        self.folders[b"Key accounts"] = imap_server.Folder(
            b"Key accounts", uidvalidity=folder.uidvalidity, uidnext=folder.uidnext, mails=folder.mails
        )

    def delete(self) -> None:
        del self.folders[b"Customers"]

    def make_again(self) -> None:
        before = self.folders[b"Customers"]
        self.folders[b"Customers"] = imap_server.Folder(b"Customers", uidvalidity=before.uidvalidity + 1)
        for mail in list(before.mails.values())[::-1]:
            self.folders[b"Customers"].add(mail.raw, mail.internaldate)


@pytest.mark.parametrize("change", ["rename", "delete", "make_again"])
def test_a_folder_that_changes_while_it_is_read_stops_no_other_and_doubles_nothing(connect, monkeypatch, change):
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 5)
    with Shifting() as server:
        account = connect(on(server))
        oracle.to_the_end(account)
        for folder in (b"INBOX", b"Customers", b"Suppliers"):
            for number in range(20):
                server.put(folder, plain(f"{folder.decode()}-{number}"), ago(1 + number / 100))
        Folder.objects.filter(account=account).update(selected=True, uidvalidity=None)
        server.change = getattr(server, change)
        oracle.to_the_end(account)
        oracle.to_the_end(account)
        assert server.reads >= 2
        oracle.assert_no_duplicates(account)
        stored = ids(account)
        for folder in ("INBOX", "Suppliers", *(() if change == "delete" else ("Customers",))):
            assert {f"{folder}-{number}@kwiat.example" for number in range(20)} <= stored
        assert not LedgerEntry.objects.exists()
        assert all(entry.accounted == entry.on_server for entry in ledger(account).values() if not entry.folder.missing)
        account.refresh_from_db()
        assert (account.state, account.failed_attempts) == (State.ACTIVE, 0)
