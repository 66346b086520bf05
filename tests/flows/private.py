"""Alice's mail that others may not see, and everything else that hangs on it: one token for each kind of secret."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from mailwall.assignment.models import IgnoredSender
from mailwall.contacts import services as contact_services
from mailwall.contacts.models import Contact
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount, ImportRule
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Attachment, Message
from mailwall.mime.types import Address
from mailwall.sending import services as sending
from mailwall.sending.models import DraftFile, DraftMessage, MailTemplate, Outgoing, Signature
from mailwall.sending.types import Letter
from mailwall.sequences import enrolling
from mailwall.sequences import services as sequences
from mailwall.sequences.models import Enrolment, Holiday, Suppression, Task
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.rules import StepInput
from mailwall.sync.models import Backfill, Folder, LedgerEntry, Placement
from mailwall.team import services as team
from mailwall.team.models import ApiToken
from mailwall.wall import services as wall
from tests.cast import Cast, make_account
from tests.wall.seed import deliver, deliver_raw, raw_mail

OWNER, NARROWED, MANAGERS = "quetzalcoatl", "xochipilli", "tezcatlipoca"
ALICE = "alice@ours.example"
EWA = "ewa@kwiat.example"


@dataclass(frozen=True, kw_only=True)
class World:
    """The rows, and the ids that fill the parameters of an address, by the parameter's name."""

    cast: Cast
    accounts: dict[str, EmailAccount]
    hidden: dict[str, list[int]]  # the messages with each token
    person: Contact
    ids: dict[str, list[Any]]


def make_world(cast: Cast) -> World:
    company = contact_services.create_contact(
        cast.alice, ContactInput(kind="company", name="Kwiat", emails=("office@kwiat.example",))
    )
    person = contact_services.create_contact(
        cast.alice, ContactInput(name="Ewa Lis", emails=(EWA,), company_id=company.pk)
    )
    colleague = make_account(cast.charlie, "charlie.box@ours.example")
    opened = deliver(colleague, EWA, "charlie.box@ours.example", "Plain", message_id="open@x.example", days_ago=4)
    both = raw_mail(EWA, f"{ALICE}, charlie.box@ours.example", "Both", message_id="both@x.example")
    deliver_raw(colleague, both)
    deliver(colleague, "who@new.example", "charlie.box@ours.example", "Unknown", days_ago=3)
    sends = {"smtp_host": "127.0.0.1", "smtp_port": 25, "smtp_security": "none", "sending_active": True}
    accounts = {
        OWNER: make_account(cast.alice, ALICE, visibility="owner", is_default=True, **sends),
        NARROWED: make_account(cast.alice, "alice.open@ours.example"),
        MANAGERS: make_account(cast.alice, "alice.team@ours.example", visibility="owner_and_managers"),
    }
    hidden = {token: _mail(account, token) for token, account in accounts.items()}
    hidden[OWNER].append(deliver_raw(accounts[OWNER], both).pk)
    narrowed = Message.objects.filter(pk__in=hidden[NARROWED])
    for key in set(narrowed.values_list("thread_key", flat=True)):
        mailstore.narrow_thread(cast.alice, key)
    wall.add_note(cast.alice, person, "A note for all")
    ids = _belongings(cast, accounts[OWNER], person, hidden)
    ids |= {
        "message_id": [pk for pks in hidden.values() for pk in pks[:2]],
        "attachment_id": [Attachment.objects.get(message=pk).pk for pks in hidden.values() for pk in pks[:2]],
        "account_id": [account.pk for account in accounts.values()],
        "contact_id": [person.pk, company.pk],
        "note_id": list(person.notes.values_list("pk", flat=True)),
        "user_id": [cast.alice.pk],
        "team_id": [cast.team.pk],
    }
    assert opened.pk not in ids["message_id"]
    return World(cast=cast, accounts=accounts, hidden=hidden, person=person, ids=ids)


def _mail(account: EmailAccount, token: str) -> list[int]:
    """A mail of the shared contact in a thread that all can read, one to its company, one of an unknown sender."""
    options = {"html": f"<p>{token}</p>", "files": (f"{token}.pdf",)}
    thread = {**options, "answers": "open@x.example"}
    mails = [
        deliver(account, f"{token} <{EWA}>", account.address, token, token, days_ago=2, **thread),
        deliver(account, f"{token} <{token}@else.example>", account.address, token, token, days_ago=2, **options),
        deliver(account, f"{token} <office@kwiat.example>", account.address, token, token, days_ago=1.5, **options),
        deliver(account, f"Me <{account.address}>", f"{token} <{EWA}>", token, token, direction="sent", **options),
    ]
    return [mail.pk for mail in mails]


def _belongings(
    cast: Cast, account: EmailAccount, person: Contact, hidden: dict[str, list[int]]
) -> dict[str, list[Any]]:
    """What else Alice has: each with the owner's token, as nobody else may see it."""
    alice, now, mail = cast.alice, timezone.now(), hidden[OWNER][0]
    to = (Address(name=OWNER, address=f"{OWNER}@else.example"),)
    later = sending.queue_outgoing(
        alice, Letter(account=account, to=to, subject=OWNER, text=OWNER, in_reply_to=mail), hold_seconds=3600
    )
    hidden[OWNER].append(later.message_id)
    draft = DraftMessage.objects.create(
        pk=uuid.uuid4(), writer=alice, account=account, original_id=mail, contact=person, to=f"{OWNER} <{EWA}>",
        subject=OWNER, body=OWNER, mode="reply", version=1, updated_at=now,
    )  # fmt: skip
    file = DraftFile.objects.create(
        draft=draft, filename=f"{OWNER}.pdf", content_type="application/pdf", size_bytes=1, raw_content=b"x"
    )
    Signature.objects.create(user=alice, html=f"<p>{OWNER}</p>")
    sequence = sequences.create_sequence(
        alice,
        sequences.SequenceInput(
            name=OWNER, account_id=account.pk, state="running",
            steps=(StepInput(kind="email", subject=OWNER, html=f"<p>{OWNER}</p>"), StepInput(kind="task", title=OWNER)),
        ),
    )  # fmt: skip
    [started] = enrolling.enrol(alice, sequence.pk, [person.pk])
    assert started.enrolment, started
    folder = Folder.objects.create(account=account, raw_name=OWNER.encode(), name=OWNER, selected=True, on_server=5)
    Placement.objects.create(folder=folder, uidvalidity=1, uid=1, message_id=mail)
    entry = LedgerEntry.objects.create(folder=folder, uidvalidity=1, uid=2, outcome="failed", rule="poison", attempts=1)
    Backfill.objects.create(account=account, requested_by=alice, since=datetime(2026, 1, 1, tzinfo=UTC))
    team.create_token(alice, name=OWNER)
    return {
        "draft_id": [draft.pk],
        "file_id": [file.pk],
        "outgoing_id": [later.pk],
        "sequence_id": [sequence.pk],
        "enrolment_id": [started.enrolment.pk],
        "key": [1],
        "kind": ["email"],
        "task_id": [Task.objects.create(owner=alice, contact=person, title=OWNER, created_at=now).pk],
        "template_id": [MailTemplate.objects.create(owner=alice, name=OWNER, subject=OWNER, html=OWNER).pk],
        "ignored_id": [IgnoredSender.objects.create(user=alice, address=f"{OWNER}@ignored.example").pk],
        "rule_id": [ImportRule.objects.create(owner=alice, kind="address", value=f"{OWNER}@never.example").pk],
        "folder_id": [folder.pk],
        "entry_id": [entry.pk],
        "token_id": [ApiToken.objects.get(name=OWNER).pk],
        "suppression_id": [
            Suppression.objects.create(address="gone@else.example", source="by_hand", created_at=now).pk
        ],
        "holiday_id": [Holiday.objects.create(day=datetime(2026, 12, 24, tzinfo=UTC).date()).pk],
        "word": ["sender"],
        "token": ["nothing"],
    }


def erase(world: World, *tokens: str) -> None:
    """The world without those secrets: what who may not see them must not be able to tell from the one with them."""
    if OWNER in tokens:
        DraftMessage.objects.all().delete()
        Outgoing.objects.all().delete()
        Signature.objects.all().delete()
        Enrolment.objects.all().delete()
        Task.objects.all().delete()
        SequenceRow.objects.all().delete()
        MailTemplate.objects.all().delete()
        IgnoredSender.objects.all().delete()
        ImportRule.objects.all().delete()
        Folder.objects.all().delete()
        Backfill.objects.all().delete()
        world.person.posts.all().delete()
    for token in tokens:
        mailstore.delete_messages(world.hidden[token])
