"""What a card shows, loaded for a whole page at once: no query per card.

Messages pass `visible_to(viewer)` here once more, though callers ask for visible ones alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import BooleanField, Case, F, When
from django.db.models.functions import Substr

from mailwall.assignment import queries as assignment
from mailwall.email_accounts.models import EmailAccount, Visibility
from mailwall.mailstore.models import Attachment, Message, MessageBody, Participant, ParticipantRole
from mailwall.mime.types import Address
from mailwall.team.models import User
from mailwall.wall import rules
from mailwall.wall.models import Note, PictureSender, Post

MAX_LIST_TEXT_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Seer:
    """Someone who may see a message, and by which rule: 'owner', 'manager' or 'everyone'."""

    id: int
    name: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageCard:
    """A message with all that a screen or an answer shows of it. bcc: only for the account's owner.

    shows_pictures: the viewer always wants to see what this sender shows.
    """

    message: Message
    from_: Address | None
    other_senders: list[Address]
    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    reply_to: list[Address]
    text: str
    text_truncated: bool
    has_html: bool
    has_pictures: bool
    shows_pictures: bool
    attachments: list[Attachment]
    contacts: list[assignment.ContactOfMessage]
    seers: list[Seer]

    @property
    def id(self) -> int:
        return self.message.pk

    @property
    def key(self) -> str:
        """The id for the page's ids; templates would write a number with separators."""
        return str(self.message.pk)

    @property
    def is_assigned(self) -> bool:
        return bool(self.contacts)

    @property
    def is_sent(self) -> bool:
        return self.message.direction == "sent"

    @property
    def file_attachments(self) -> list[Attachment]:
        """Attachments proper; pictures that belong into the HTML come last."""
        return sorted(self.attachments, key=lambda item: item.inline)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostCard:
    """A post in words of now. message_id: of the mail that it is about, where the viewer may see it."""

    post: Post
    text: str
    message_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One entry of a wall or list: an e-mail with its thread and copies, a note, or a post of a higher room.

    at: the time that orders it. copies: in how many visible accounts the same mail lies; thread_count: how many
    different mails of its thread this list holds; whose: the contacts of a company's wall that it belongs to.
    """

    at: datetime
    message: MessageCard | None = None
    note: Note | None = None
    post: PostCard | None = None
    thread_count: int = 1
    copies: int = 1
    copies_differ: bool = False
    contacts: list[assignment.ContactOfMessage] = field(default_factory=list)
    terms: tuple[rules.Term, ...] = ()

    @property
    def type(self) -> str:
        if self.message:
            return "email"
        return "post" if self.post else "note"

    @property
    def earlier(self) -> int:
        return self.thread_count - 1

    @property
    def title(self) -> list[rules.Piece]:
        """The subject, hits marked."""
        return rules.mark_hits(self.message.message.subject if self.message else "", self.terms)

    @property
    def excerpt(self) -> list[rules.Piece]:
        """A line or two of what was written, around the first hit where something was searched for, hits marked."""
        return rules.mark_hits(rules.cut_snippet(self._source_of_excerpt(), self.terms), self.terms)

    def _source_of_excerpt(self) -> str:
        if self.note or not self.message:
            return self.note.text if self.note else ""
        if not self.terms:
            return self.message.message.snippet
        names = "\n".join(attachment.filename for attachment in self.message.attachments)
        for text in (self.message.text, names):
            if rules.find_hit(text, self.terms) >= 0:
                return text
        return self.message.message.snippet


def message_cards(viewer: User, ids: Sequence[int], *, whole_text: bool = False) -> dict[int, MessageCard]:
    """The cards of messages that `viewer` may see, by id. Text is cut at 64 kB unless whole_text."""
    messages = _messages(viewer, ids)
    people = _participants(ids)
    texts = _texts(ids, whole_text=whole_text)
    attachments: dict[int, list[Attachment]] = defaultdict(list)
    for attachment in Attachment.objects.filter(message__in=ids).order_by("position", "id"):
        attachments[attachment.message_id].append(attachment)
    wanting = _senders_with_pictures(viewer, people, texts)
    contacts = assignment.contacts_of(list(ids))
    seers = seers_of({message.account_id: message.account for message in messages.values()})
    cards: dict[int, MessageCard] = {}
    for pk, message in messages.items():
        roles = people.get(pk, {})
        senders = roles.get(ParticipantRole.FROM, [])
        body = texts.get(pk, _NO_BODY)
        cards[pk] = MessageCard(
            message=message,
            from_=senders[0] if senders else None,
            other_senders=senders[1:],
            to=roles.get(ParticipantRole.TO, []),
            cc=roles.get(ParticipantRole.CC, []),
            bcc=roles.get(ParticipantRole.BCC, []) if message.account.owner_id == viewer.pk else [],
            reply_to=roles.get(ParticipantRole.REPLY_TO, []),
            text=body.text,
            text_truncated=body.is_cut,
            has_html=body.has_html,
            has_pictures=body.has_pictures,
            shows_pictures=body.has_pictures and bool(senders) and senders[0].address in wanting,
            attachments=attachments[pk],
            contacts=contacts.get(pk, []),
            seers=[seer for seer in seers[message.account_id] if seer.rule == "owner" or not message.only_owner],
        )
    return cards


def _messages(viewer: User, ids: Sequence[int]) -> dict[int, Message]:
    """With their accounts, each read once: fifty messages are of a few accounts, whose rows are wider than theirs."""
    messages = Message.objects.visible_to(viewer).in_bulk(list(ids))
    wanted = {message.account_id for message in messages.values()}
    accounts = EmailAccount.objects.select_related("owner").in_bulk(wanted)
    shown = {pk: message for pk, message in messages.items() if message.account_id in accounts}
    for message in shown.values():
        message.account = accounts[message.account_id]
    return shown


def _participants(ids: Sequence[int]) -> dict[int, dict[str, list[Address]]]:
    people: dict[int, dict[str, list[Address]]] = defaultdict(lambda: defaultdict(list))
    rows = (
        Participant.objects.filter(message__in=ids)
        .order_by("message_id", "role", "position")
        .values_list("message_id", "role", "name", "address__address")
    )
    for message_id, role, name, address in rows:
        people[message_id][role].append(Address(name=name, address=address))
    return people


def _senders_with_pictures(
    viewer: User, people: Mapping[int, Mapping[str, list[Address]]], texts: Mapping[int, _Body]
) -> set[str]:
    """First senders of mails with pictures whose pictures the viewer always wants to see."""
    senders = [people.get(pk, {}).get(ParticipantRole.FROM, [])[:1] for pk, body in texts.items() if body.has_pictures]
    addresses = {sender.address for first in senders for sender in first}
    if not addresses:
        return set()
    wanted = PictureSender.objects.filter(user=viewer, address__in=addresses)
    return set(wanted.values_list("address", flat=True))


@dataclass(frozen=True, slots=True)
class _Body:
    text: str
    is_cut: bool
    has_html: bool
    has_pictures: bool


_NO_BODY = _Body("", False, False, False)


def _texts(ids: Sequence[int], *, whole_text: bool) -> dict[int, _Body]:
    """Bodies by message; what is cut away, and the HTML, is not even read."""
    rows = MessageBody.objects.filter(message__in=ids).annotate(
        shown=F("text") if whole_text else Substr("text", 1, MAX_LIST_TEXT_BYTES + 1),
        html_mark=Substr("html", 1, 1),
        pictures=Case(When(html__icontains="<img", then=True), default=False, output_field=BooleanField()),
    )
    found = {}
    for pk, shown, html_mark, pictures in rows.values_list("pk", "shown", "html_mark", "pictures"):
        text, is_cut = (shown, False) if whole_text else rules.cut_text(shown, MAX_LIST_TEXT_BYTES)
        found[pk] = _Body(text, is_cut, bool(html_mark), bool(pictures))
    return found


def seers_of(accounts: Mapping[int, EmailAccount]) -> dict[int, list[Seer]]:
    """Who may see the messages of each account, its owner first: the readable side of `visible_to`. Two queries."""
    owners = {account.owner_id for account in accounts.values()}
    everyone: list[tuple[int, str]] = []
    if any(account.visibility == Visibility.EVERYONE for account in accounts.values()):
        everyone = list(User.objects.filter(is_active=True).order_by("name", "id").values_list("id", "name"))
    managers: dict[int, dict[int, str]] = defaultdict(dict)
    if any(account.visibility == Visibility.OWNER_AND_MANAGERS for account in accounts.values()):
        rows = User.objects.filter(is_active=True, managed_teams__members__in=owners).order_by("name", "id")
        for owner, pk, name in rows.values_list("managed_teams__members", "id", "name"):
            managers[owner][pk] = name
    return {pk: _seers(account, everyone, managers[account.owner_id]) for pk, account in accounts.items()}


def _seers(account: EmailAccount, everyone: Iterable[tuple[int, str]], managers: Mapping[int, str]) -> list[Seer]:
    owner = account.owner
    seers = [Seer(id=owner.pk, name=str(owner), rule="owner")] if owner.is_active else []
    if account.visibility == Visibility.EVERYONE:
        seers += [Seer(id=pk, name=name, rule="everyone") for pk, name in everyone if pk != owner.pk]
    elif account.visibility == Visibility.OWNER_AND_MANAGERS:
        seers += [Seer(id=pk, name=name, rule="manager") for pk, name in managers.items() if pk != owner.pk]
    return seers
