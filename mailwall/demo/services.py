"""Writes of the demo: load it, find its ports, clear exactly what was loaded."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import ProtectedError

from mailwall.contacts import services as contact_services
from mailwall.contacts.errors import AddressTaken, ContactNotFound
from mailwall.contacts.models import Contact, Kind
from mailwall.contacts.rules import ContactInput
from mailwall.demo import envelopes, mail_store, story
from mailwall.email_accounts import services as account_services
from mailwall.email_accounts.drafts import AccountDraft, ServerDraft
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sync import removal
from mailwall.team import queries as team_queries
from mailwall.team import services as team_services
from mailwall.team.errors import TeamRefused
from mailwall.team.models import Role, Team, User
from mailwall.wall import services as wall_services


class DemoRefused(MailwallError):
    """Nothing was changed; the sentence says why."""

    code = "demo_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was loaded, by ids; with the users' password and that of their mailboxes."""

    password: str
    mail_password: str
    imap_port: int
    smtp_port: int
    users: list[int] = field(default_factory=list)
    teams: list[int] = field(default_factory=list)
    contacts: list[int] = field(default_factory=list)
    accounts: list[int] = field(default_factory=list)


def loaded() -> Loaded | None:
    """What is loaded now, None when nothing is."""
    try:
        return Loaded(**json.loads(_record().read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def mail_folder() -> Path:
    return Path(settings.DATA_DIR) / "demo" / "mail"


def load(*, into_other_data: bool = False) -> Loaded:
    """Users, contacts and mailboxes of the story; their mail comes by ordinary synchronisation.

    into_other_data: also where somebody works already. Nobody gets to be administrator there.
    :raises DemoRefused: loaded already, other data is there, or the story's addresses are taken.
    """
    if loaded() is not None:
        raise DemoRefused("The demo is loaded already. To begin anew: mailwall demo clear")
    if not into_other_data and (User.objects.exists() or Contact.objects.exists()):
        raise DemoRefused("Somebody works here already. To put the demo beside it: mailwall demo load --force")
    shutil.rmtree(mail_folder(), ignore_errors=True)
    fresh = Loaded(
        password=f"{secrets.choice(_WORDS)}-{secrets.choice(_WORDS)}-{secrets.randbelow(9000) + 1000}",
        mail_password=secrets.token_urlsafe(12),
        imap_port=free_port(),
        smtp_port=free_port(),
    )
    try:
        with transaction.atomic():
            fresh = _make_rows(fresh)
            _fill_mailboxes(datetime.now(UTC))
            _write(fresh)
    except (TeamRefused, AddressTaken) as error:
        _forget()
        raise DemoRefused(f"The demo's people are here already: {error.message}") from error
    except BaseException:
        _forget()
        raise
    return fresh


def find_ports(demo: Loaded) -> Loaded:
    """The demo's ports, moved, with its accounts, when another program has taken them meanwhile."""
    moved = replace(
        demo,
        imap_port=demo.imap_port if _is_free(demo.imap_port) else free_port(),
        smtp_port=demo.smtp_port if _is_free(demo.smtp_port) else free_port(),
    )
    if moved != demo:
        EmailAccount.objects.filter(pk__in=demo.accounts).update(imap_port=moved.imap_port, smtp_port=moved.smtp_port)
        _write(moved)
    return moved


def clear() -> list[str]:
    """Delete what load() made, with the mail of its accounts; gives the names of users who had to stay.

    What was connected or made later stays: a user who owns such a thing stays too, but cannot sign in any more.
    :raises DemoRefused: nothing is loaded.
    """
    demo = loaded()
    if demo is None:
        raise DemoRefused("No demo is loaded here.")
    for account in EmailAccount.objects.filter(pk__in=demo.accounts).select_related("owner"):
        if account.removed_at is None:
            account_services.remove_account(account.owner, account.pk, keep_messages=False)
        EmailAccount.objects.filter(pk=account.pk).update(purging=True)
        removal.purge(account.pk)
    for contact in Contact.objects.filter(pk__in=demo.contacts).select_related("owner"):
        with contextlib.suppress(ContactNotFound):
            contact_services.delete_contact(contact.owner or _any_admin(), contact.pk)
    stay = [user.name for user in User.objects.filter(pk__in=demo.users) if not _delete_user(user)]
    Team.objects.filter(pk__in=demo.teams, members__isnull=True).delete()
    _forget()
    return stay


# -- rows


def _make_rows(demo: Loaded) -> Loaded:
    about = story.story()
    first_admin = not team_queries.admins().exists()
    team = team_services.create_team(None, name=about["company"]["team"])
    users = {entry["key"]: _make_user(entry, team, demo.password, first_admin) for entry in about["user"]}
    team_services.update_team(None, team, managers=[users["maria"]])
    contacts = [pk for company in about["customer"] for pk in _make_customer(users, company)]
    contacts += [_make_person(users["anna"], person).pk for person in about["single"]]
    accounts = [_connect(users[entry["key"]], entry, demo) for entry in about["user"]]
    return replace(
        demo, users=[user.pk for user in users.values()], teams=[team.pk], contacts=contacts, accounts=accounts
    )


def _make_user(entry: dict[str, Any], team: Team, password: str, first_admin: bool) -> User:
    role = entry["role"]
    if role == "first_admin":
        role = Role.ADMIN if first_admin else Role.USER
    return team_services.create_user(
        None,
        email=entry["address"],
        name=entry["name"],
        role=role,
        team=team if entry["key"] in ("anna", "ben") else None,
        may_connect=True,
        password=password,
    )


def _make_customer(users: dict[str, User], entry: dict[str, Any]) -> list[int]:
    by = users[entry.get("note", {}).get("by", "anna")]
    company = contact_services.create_contact(
        by, ContactInput(kind=Kind.COMPANY, name=entry["name"], emails=entry["emails"])
    )
    people = [_make_person(by, person, company.pk) for person in entry["people"]]
    if "note" in entry:
        wall_services.add_note(by, company, entry["note"]["text"])
    return [*(person.pk for person in people), company.pk]


def _make_person(by: User, entry: dict[str, Any], company_id: int | None = None) -> Contact:
    return contact_services.create_contact(
        by,
        ContactInput(
            name=entry["name"],
            title=entry.get("title", ""),
            phone=entry.get("phone", ""),
            company_id=company_id,
            emails=[entry["address"]],
        ),
    )


def _connect(owner: User, entry: dict[str, Any], demo: Loaded) -> int:
    imap = ServerDraft(
        host="127.0.0.1",
        port=demo.imap_port,
        security="none",
        username=entry["address"],
        password=demo.mail_password,
    )
    smtp = replace(imap, port=demo.smtp_port, password="")
    draft = AccountDraft(address=entry["address"], imap=imap, smtp=smtp, visibility=entry["visibility"])
    return account_services.create_account(owner, draft, verify=False).pk  # its server starts with the product


def _delete_user(user: User) -> bool:
    try:
        with transaction.atomic():
            user.delete()
    except ProtectedError:
        team_services.update_user(None, user, is_active=False)
        return False
    return True


def _any_admin() -> User:
    return team_queries.admins()[0]


# -- the folder


def _fill_mailboxes(now: datetime) -> None:
    ours = {person.address for person in story.users()}
    for letter in story.letters(now):
        raw = envelopes.raw_mail(letter)
        if letter.sender.address in ours:
            mail_store.add(mail_folder(), letter.sender.address, mail_store.SENT, raw, letter.at)
        for receiver in {letter.to.address, *(person.address for person in letter.cc)} & ours:
            mail_store.add(mail_folder(), receiver, mail_store.INBOX, raw, letter.at)


def _record() -> Path:
    return Path(settings.DATA_DIR) / "demo" / "loaded.json"


def _write(demo: Loaded) -> None:
    path, new = _record(), _record().with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    new.touch(mode=0o600)
    new.write_text(json.dumps(asdict(demo)), encoding="utf-8")
    new.replace(path)


def _forget() -> None:
    shutil.rmtree(_record().parent, ignore_errors=True)


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_WORDS = ("amber", "birch", "cedar", "clover", "copper", "harbour", "juniper", "maple", "meadow", "river", "willow")
