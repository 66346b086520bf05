"""A store of any size in the installation under test, without a mail server: `python -m benchmarks.seed_store --help`.

The installation is the one that MAILWALL_DATA_DIR and MAILWALL_DATABASE_URL name, already migrated. The same numbers
give the same store. Senders are unevenly busy, as they are in life: the first percent writes a tenth of all mail.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
django.setup()

from django.db import connection, transaction  # noqa: E402 -- needs the line above

from mailwall.assignment import services as assignment  # noqa: E402
from mailwall.contacts.models import Contact, ContactAddress  # noqa: E402
from mailwall.contacts.rules import sort_key  # noqa: E402
from mailwall.email_accounts.models import EmailAccount  # noqa: E402
from mailwall.mailstore import rules, search_index, sql, store  # noqa: E402
from mailwall.mailstore.models import Message, MessageBody, Participant  # noqa: E402
from mailwall.mailstore.search_index import SearchDocument  # noqa: E402
from mailwall.team.models import Team, User  # noqa: E402

CHUNK = 20_000
VISIBILITIES = ("everyone", "owner_and_managers", "owner", "everyone", "owner_and_managers")
COMMON = [
    "oferta",
    "faktura",
    "spotkanie",
    "dziękuję",
    "pozdrawiam",
    "Angebot",
    "Grüße",
    "invoice",
    "contract",
    "price",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What to make. senders: who writes; contacts: of the busiest senders, from `first_contact` on, that are contacts
    when the mail comes; texts: with bodies and search documents of so many words, 0: none."""

    messages: int = 1_000_000
    senders: int = 50_000
    contacts: int = 0
    first_contact: int = 0
    texts: int = 0
    days: int = 1_000
    seed: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message on its way into the tables."""

    id: int
    account_id: int
    number: int
    sender: int
    at: datetime
    kind: str
    copied: int | None
    text: str


def address_of(sender: int) -> str:
    """Every third sender has an address at a free-mail domain, the others share domains in tens."""
    domain = "gmail.com" if sender % 3 == 0 else f"firma{sender // 10}.example"
    return f"person{sender}@{domain}"


def name_of(sender: int) -> str:
    return f"Person Number{sender}"


def seed(world: World) -> list[EmailAccount]:
    """Fill the store; gives the accounts. User 0, alice@bench.example, is an administrator and owns the first."""
    accounts = make_accounts()
    add_contacts(range(world.first_contact, world.first_contact + world.contacts))
    with transaction.atomic():
        ids = store.intern_addresses(
            [*(address_of(sender) for sender in range(world.senders)), *(account.address for account in accounts)]
        )
    chunk: list[Mail] = []
    for mail in mails(world, accounts):
        chunk.append(mail)
        if len(chunk) == CHUNK:
            write(chunk, ids, accounts, world)
            chunk = []
    write(chunk, ids, accounts, world)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return accounts


def make_accounts() -> list[EmailAccount]:
    """Five accounts of five users, of every visibility; two users are in a team that Alice manages."""
    team = Team.objects.create(name="Sales")
    accounts = []
    for number, visibility in enumerate(VISIBILITIES):
        name = ("alice", "bob", "charlie", "dave", "ewa")[number]
        user = User(email=f"{name}@bench.example", name=name.title(), role="user" if number else "admin")
        user.team = team if number in (1, 4) else None
        user.save()
        account = EmailAccount(owner=user, address=f"box{number}@bench.example", visibility=visibility)
        account.imap_host, account.imap_port, account.imap_security, account.imap_username = (
            "127.0.0.1",
            143,
            "none",
            name,
        )
        account.import_since = datetime.now(UTC) - timedelta(days=14)
        account.save()
        accounts.append(account)
    team.managers.add(User.objects.get(email="alice@bench.example"))
    return accounts


def add_contacts(senders: range, *, domain: str = "") -> None:
    """People with the addresses of these senders, straight into the tables. domain: that nobody writes from instead."""
    people = Contact.objects.bulk_create(
        [
            Contact(kind="person", name=name_of(n), sort_key=sort_key(name_of(n)), search_key=sort_key(name_of(n)))
            for n in senders
        ],
        batch_size=5_000,
    )
    addresses = [f"person{n}@{domain}" if domain else address_of(n) for n in senders]
    ContactAddress.objects.bulk_create(
        [ContactAddress(contact=c, kind="person", address=a) for c, a in zip(people, addresses, strict=True)],
        batch_size=5_000,
    )


def mails(world: World, accounts: list[EmailAccount]) -> Iterator[Mail]:
    """Newest last, as mail comes. Of 100 senders 80 are people, 15 newsletters, 5 automatic; each writes mostly to
    one account; of five mails one has a Cc."""
    chance = random.Random(world.seed)
    begin = datetime.now(UTC).replace(microsecond=0) - timedelta(days=world.days)
    words = Words(chance, world.texts)
    for number in range(world.messages):
        at = begin + timedelta(seconds=int(world.days * 86_400 * number / world.messages))
        sender = int(world.senders * chance.random() ** 2)
        share = sender * 37 % 100
        yield Mail(
            id=rules.message_key(at, number),
            account_id=accounts[sender % len(accounts)].pk if chance.random() < 0.9 else chance.choice(accounts).pk,
            number=number,
            sender=sender,
            at=at,
            kind="list" if share < 15 else "auto-generated" if share < 20 else "",
            copied=chance.randrange(world.senders) if chance.random() < 0.2 else None,
            text=words.text(number),
        )


class Words:
    """Texts with words of known frequency: each common one in most mails, `medium<n>` in 1 of 200, `rare<n>` in few."""

    def __init__(self, chance: random.Random, length: int) -> None:
        self.chance, self.length = chance, length

    def text(self, number: int) -> str:
        if not self.length:
            return ""
        words = self.chance.choices(COMMON, k=self.length)
        words[0], words[-1] = f"medium{number % 200}", f"rare{number // 5}"
        return " ".join(words)


def write(chunk: list[Mail], ids: dict[str, int], accounts: list[EmailAccount], world: World) -> None:
    """One transaction: rows, participants, texts, links and marks."""
    if not chunk:
        return
    boxes = {account.pk: account.address for account in accounts}
    with transaction.atomic():
        columns = list(_row(chunk[0]))
        sql.insert_rows(Message, columns, [tuple(_row(mail).values()) for mail in chunk])
        people = []
        for mail in chunk:
            people.append((mail.id, ids[address_of(mail.sender)], "from", 0, name_of(mail.sender)))
            people.append((mail.id, ids[boxes[mail.account_id]], "to", 0, ""))
            if mail.copied is not None:
                people.append((mail.id, ids[address_of(mail.copied)], "cc", 0, name_of(mail.copied)))
        sql.insert_rows(Participant, ["message_id", "address_id", "role", "position", "name"], people)
        if world.texts:
            sql.insert_rows(
                MessageBody,
                ["message_id", "text", "html", "html_truncated"],
                [(m.id, m.text, "", False) for m in chunk],
            )
            search_index.index_documents([_document(mail, boxes) for mail in chunk])
        assignment.assign_messages([mail.id for mail in chunk])


def _row(mail: Mail) -> dict[str, object]:
    name = f"{mail.number}@mail.bench.example"
    key = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    return {
        "id": mail.id, "account_id": mail.account_id, "direction": "received", "internaldate": mail.at, "date": mail.at,
        "subject": f"Letter {mail.number} about {COMMON[mail.number % len(COMMON)]}", "snippet": mail.text[:200],
        "message_id": name, "in_reply_to": "", "references": [], "thread_key": key, "dedupe_key": key,
        "content_key": key, "counterpart": address_of(mail.sender), "size_bytes": 4_000,
        "on_server": True, "only_owner": False,
        "has_attachments": False, "automatic": mail.kind, "list_id": "news.example" if mail.kind == "list" else "",
        "incomplete": False, "defects": [],
    }  # fmt: skip


def _document(mail: Mail, boxes: dict[int, str]) -> SearchDocument:
    sender = f"{name_of(mail.sender)} {address_of(mail.sender)}"
    subject = f"Letter {mail.number} about {COMMON[mail.number % len(COMMON)]}"
    return SearchDocument(id=mail.id, subject=subject, sender=sender, recipients=boxes[mail.account_id], body=mail.text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seed_store")
    for option, default in (("messages", 1_000_000), ("senders", 50_000), ("contacts", 0), ("texts", 0)):
        parser.add_argument(f"--{option}", type=int, default=default)
    seed(World(**vars(parser.parse_args())))
