"""What the server has, read by another program, compared with what Mailwall stored: the ledger of every fault test."""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections import Counter
from collections.abc import Collection

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message, MessageBody
from mailwall.sync import services
from mailwall.sync.models import Folder, LedgerEntry, Placement
from mailwall.sync.services import SyncOutcome
from tests.rig.fixtures import Mailbox

Entry = tuple[str, str]


def server_ledger(mailbox: Mailbox, folder: str = "INBOX") -> tuple[int, dict[int, Entry]]:
    """(uidvalidity, {uid: (Message-ID, sha of text)}) as a stdlib client sees the folder."""
    found: dict[int, Entry] = {}
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select(f'"{folder}"', readonly=True)
        uidvalidity = int(client.untagged_responses["UIDVALIDITY"][0])
        _, answer = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
    for item in answer:
        if isinstance(item, tuple):
            uid = int(re.search(rb"UID (\d+)", item[0])[1])
            found[uid] = _entry_of(item[1])
    return uidvalidity, found


def stored_ledger(account: EmailAccount, folder: str = "INBOX") -> tuple[int | None, dict[int, Entry]]:
    """The same of what Mailwall has placed in that folder."""
    row = Folder.objects.get(account=account, name=folder)
    placed = Placement.objects.filter(folder=row)
    assert set(placed.values_list("uidvalidity", flat=True)) <= {row.uidvalidity}
    bodies = dict(MessageBody.objects.filter(message__account=account).values_list("message_id", "text"))
    rows = placed.values_list("uid", "message_id", "message__message_id")
    return row.uidvalidity, {uid: (message_id, _sha(bodies[pk])) for uid, pk, message_id in rows}


def assert_equal(
    account: EmailAccount, mailbox: Mailbox, folders: Collection[str] = ("INBOX",), *, where: object = ""
) -> None:
    """Every mail of these folders is stored, in its place, whole, once; nothing else is noted there."""
    for folder in folders:
        assert stored_ledger(account, folder) == server_ledger(mailbox, folder), (folder, where)
        assert not LedgerEntry.objects.filter(folder__account=account, folder__name=folder).exists(), where
    assert_no_duplicates(account, where=where)


def assert_no_duplicates(account: EmailAccount, *, where: object = "") -> None:
    """Message-IDs of the rig are unique, so two rows with one are a duplicate."""
    ids = Counter(Message.objects.filter(account=account).values_list("message_id", flat=True))
    assert [name for name, number in ids.items() if number > 1] == [], where


def to_the_end(account: EmailAccount, *, turns: int = 50) -> SyncOutcome:
    """Turns until nothing is left, as the worker takes them."""
    for _ in range(turns):
        outcome = services.sync_account(account.pk)
        if not outcome.more:
            return outcome
    raise AssertionError(f"not done after {turns} turns")


def forget(account: EmailAccount) -> None:
    """As if the account had just been connected."""
    Message.objects.filter(account=account).delete()
    Folder.objects.filter(account=account).delete()
    EmailAccount.objects.filter(pk=account.pk).update(failed_attempts=0, last_synchronized_at=None)


def _entry_of(raw: bytes) -> Entry:
    parsed = email.message_from_bytes(raw, policy=email.policy.default)
    plain = parsed.get_body(("plain",))
    return str(parsed["Message-ID"] or "").strip().strip("<>"), _sha(plain.get_content() if plain else "")


def _sha(text: str) -> str:
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
