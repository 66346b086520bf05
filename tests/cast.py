"""The fixed cast and small makers of rows. Alice, Bob, Charlie, Erin and Mallory (signed out) ask every read."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.test import Client

from mailwall.contacts.models import Contact, ContactAddress
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_whole
from mailwall.team import services as team_services
from mailwall.team.models import Team, User

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Cast:
    """Alice owns the account, Bob manages her team, Charlie is a colleague, Erin an admin who manages nobody."""

    alice: User
    bob: User
    charlie: User
    erin: User
    team: Team

    def everyone(self) -> list[User]:
        return [self.alice, self.bob, self.charlie, self.erin]


def make_user(email: str, role: str = "user", *, team: Team | None = None, **fields: Any) -> User:
    user = User(email=email, name=email.split("@")[0].title(), role=role, team=team, **fields)
    user.set_unusable_password()
    user.save()
    return user


def make_cast() -> Cast:
    team = Team.objects.create(name="Sales")
    bob = make_user("bob@ours.example", "manager")
    team.managers.add(bob)
    alice = make_user("alice@ours.example", team=team)
    return Cast(alice, bob, make_user("charlie@ours.example"), make_user("erin@ours.example", "admin"), team)


def make_account(owner: User, address: str | None = None, **fields: Any) -> EmailAccount:
    address = address or f"box{next(_numbers)}@ours.example"
    fields = {
        "imap_host": "127.0.0.1", "imap_port": 143, "imap_security": "none", "imap_username": address,
        "visibility": "everyone", "import_since": datetime.now(UTC) - timedelta(days=14), **fields,
    }  # fmt: skip
    return EmailAccount.objects.create(owner=owner, address=address, **fields)


def make_contact(name: str, *addresses: str, kind: str = "person", **fields: Any) -> Contact:
    """A contact row without the hooks of contacts.services: for tests of rooms that only read contacts."""
    contact = Contact.objects.create(kind=kind, name=name, **fields)
    for position, address in enumerate(addresses):
        ContactAddress.objects.create(contact=contact, kind=kind, address=address, position=position)
    return contact


def make_raw(
    sender: str, to: str, subject: str = "Hello", text: str = "A line.", *, days_ago: float = 1, **headers: str
) -> bytes:
    number = next(_numbers)
    when = datetime.now(UTC) - timedelta(days=days_ago)
    lines = [f"From: {sender}", f"To: {to}", f"Subject: {subject}", f"Date: {when:%a, %d %b %Y %H:%M:%S +0000}"]
    headers.setdefault("Message_ID", f"<cast-{number}@mail.example>")
    lines += [f"{key.replace('_', '-')}: {value}" for key, value in headers.items() if value]
    return (
        "\r\n".join([*lines, "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "", text, ""])
    ).encode()


def store(account: EmailAccount, raw: bytes, *, direction: str = "received", days_ago: float = 1) -> Message:
    """Store one raw mail as if it had just been synchronised (not yet assigned)."""
    incoming = IncomingMessage(
        parsed=parse_whole(raw),
        direction=direction,
        internaldate=datetime.now(UTC) - timedelta(days=days_ago),
        size_bytes=len(raw),
    )
    [stored] = mailstore.store_messages(account, [incoming])
    return Message.objects.get(pk=stored.message_id)


class Api:
    """The REST API as one user sees it."""

    def __init__(self, user: User | None) -> None:
        self.client = Client()
        self.headers = {"Authorization": f"Bearer {team_services.create_token(user)}"} if user else {}

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        options: dict[str, Any] = {"headers": self.headers}
        if body is not None:
            options |= {"data": body, "content_type": "application/json"}
        if query:
            options["query_params"] = query
        return getattr(self.client, method.lower())(f"/api/v1{path}", **options)

    def get(self, path: str, **query: Any) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any = None) -> Any:
        return self.call("POST", path, {} if body is None else body)
