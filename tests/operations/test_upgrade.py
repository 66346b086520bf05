"""An installation of the first schema that had data, brought up to date: nothing is lost, all of it is of use.

first-schema.sqlite3.gz was made by the program as it was then (commit 707d432): Alice's mailbox that only she may read,
Charlie's open to all, ten messages each, a contact with a note, a mail that waits, a sealed password.
"""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from tests.operations.conftest import Installation

pytestmark = pytest.mark.slow
KEY = {"MAILWALL_SECRET_KEY": "the-first-key"}

ASK = """
import json
from mailwall.assignment.models import Unassigned
from mailwall.contacts.models import Contact
from mailwall.email_accounts.connection import imap_settings
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sending.models import Outgoing, OutgoingContent
from mailwall.sync.models import Folder, LedgerEntry, Placement, SyncRun
from mailwall.team.models import User
from mailwall.wall import rules, search
from mailwall.wall.models import Note
users = {user.email.partition("@")[0]: user for user in User.objects.all()}
alices = EmailAccount.objects.get(address="alice@ours.example")
def found(name, words): return len(search.find_messages(users[name], rules.parse_query(words), limit=50))
print(json.dumps({
    "rows": [table.objects.count() for table in (Message, MessageBody, Placement, LedgerEntry, SyncRun, Contact, Note)],
    "password": imap_settings(alices).password, "signs_in": users["alice"].check_password("correct horse battery staple"),
    "seen": [Message.objects.visible_to(users[name]).count() for name in ("alice", "charlie", "erin")],
    "found": [found("alice", "gesla"), found("charlie", "gesla"), found("alice", "zolc oferta")],
    "cursor": list(Folder.objects.values_list("uidvalidity", "high_uid", "import_done")),
    "outgoing": [Outgoing.objects.get().state, "Good morning" in bytes(OutgoingContent.objects.get().raw).decode()],
    "assigned": Message.objects.filter(links__isnull=False).distinct().count(),
    "unassigned": Unassigned.objects.count(),
}))
"""
MARKS = """
import json
from mailwall.assignment import marks, senders
from mailwall.assignment.models import Unassigned, UnknownSender
def rows(table, *names): return sorted(map(list, table.objects.values_list(*names)))
def all(): return [rows(Unassigned, "pk", "account", "counterpart", "only_owner", "kind"),
                   rows(UnknownSender, "account", "address", "only_owner", "kind", "messages", "newest_id")]
found = all()
marks.heal()
senders.rebuild()
print(json.dumps([found, found == all()]))
"""

WRONG = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM mailstore_message "
                   "WHERE assigned <> (id IN (SELECT message_id FROM assignment_link))")
    print(cursor.fetchone()[0])
"""


@pytest.fixture(scope="module")
def upgraded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("upgraded")
    packed = Path(__file__).with_name("first-schema.sqlite3.gz")
    (data / "mailwall.sqlite3").write_bytes(gzip.decompress(packed.read_bytes()))
    Installation(data=data, env=KEY).ok("migrate")
    return data


@pytest.fixture
def upgraded(upgraded_once: Path, tmp_path: Path) -> Installation:
    shutil.copytree(upgraded_once, tmp_path / "data")
    return Installation(data=tmp_path / "data", env=KEY)


def test_the_first_schema_with_data_comes_up_to_date_and_is_of_use(upgraded: Installation):
    assert upgraded.ok("migrate").strip().endswith("No migrations to apply.")
    assert json.loads(upgraded.python(ASK)) == {
        "rows": [21, 21, 10, 1, 1, 1, 1],
        "password": "first-password",
        "signs_in": True,
        "seen": [21, 10, 10],
        "found": [20, 10, 13],
        "cursor": [[7, 20, True]],
        "outgoing": ["held", True],
        "assigned": 14,
        "unassigned": 7,
    }
    assert "✔ migrations" in upgraded.run("doctor", "--no-network").stdout  # its account is long overdue


def test_marks_of_messages_come_from_the_links_and_find_the_way_back(upgraded: Installation):
    found, is_right = json.loads(upgraded.python(MARKS))
    assert is_right, "nothing to heal, nothing to count anew"
    assert len(found[0]) == 7
    upgraded.ok("migrate", "assignment", "0003")
    assert upgraded.python(WRONG).strip() == "0"
    upgraded.ok("migrate")
    assert json.loads(upgraded.python(MARKS)) == [found, True]
