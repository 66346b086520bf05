"""The copy in Sent of a mail that left by Mailwall, where the server gave it another Message-ID, as Microsoft does.

It is known by the id that the server gave before, by the original one in a field beside it, else by all that makes a
mail: From, Date to the second, subject, receivers and words, in the very account. What is not certain stays a mail of
its own. Servers' ids are kept, for answers and bounces name those.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from mailwall.mailstore import hooks, rules, sql, threads
from mailwall.mailstore.models import Direction, Message, OtherMessageId, ParticipantRole
from mailwall.mailstore.store import MAX_MESSAGE_ID_BYTES, NewMessage
from mailwall.mime.types import ParsedMessage

_WINDOW = timedelta(hours=1)  # between the row and the server's INTERNALDATE, where nothing but its content tells
_NAME_LENGTH = 998
_ROLES = (ParticipantRole.FROM, ParticipantRole.TO, ParticipantRole.CC)
_NOT_WORDS = re.compile(r"[\W_]+")


def recognise(account_id: int, messages: Sequence[NewMessage]) -> None:
    """Give each copy the dedupe_key of the mail that it is of, so that it becomes no row; once and again.

    A batch without mail that was sent asks nothing. In the transaction that stores the batch.
    """
    sent = [m for m in messages if m.incoming.direction == Direction.SENT and m.parsed.message_id]
    if not sent:
        return
    named = _named_before(account_id, sent)
    waiting = [m for m in sent if m.parsed.message_id not in named]
    rows = _candidates(account_id, waiting)
    taken = set(named.values())
    for message in waiting:
        row = next((row for row in rows if row.pk not in taken and _is_copy(message.parsed, row)), None)
        if row is not None:
            taken.add(row.pk)
            named[message.parsed.message_id] = row.pk
            message.dedupe_key = row.dedupe_key
            _note(row, message.parsed.message_id)


def original_ids(names: Iterable[str]) -> frozenset[str]:
    """These Message-IDs, and for each that a server gave to a mail of ours the mail's own."""
    asked = frozenset(names)
    if not asked:
        return asked
    rows = OtherMessageId.objects.filter(name__one_of=sorted(asked))
    return asked | frozenset(rows.values_list("message__message_id", flat=True))


def known_as(message: Message) -> str:
    """The Message-ID by which its receivers know it."""
    other = OtherMessageId.objects.filter(message=message).order_by("pk").values_list("name", flat=True).first()
    return other or message.message_id


def _named_before(account_id: int, sent: Sequence[NewMessage]) -> dict[str, int]:
    """{the server's id: our row} of what was recognised before; those get their key."""
    names = sorted({message.parsed.message_id for message in sent})
    rows = OtherMessageId.objects.filter(name__one_of=names, message__account=account_id)
    found = {name: (pk, key) for name, pk, key in rows.values_list("name", "message_id", "message__dedupe_key")}
    for message in sent:
        if message.parsed.message_id in found:
            message.dedupe_key = found[message.parsed.message_id][1]
    return {name: pk for name, (pk, _key) in found.items()}


def _candidates(account_id: int, waiting: Sequence[NewMessage]) -> list[Message]:
    """Mail that left by Mailwall: named beside another id, or lately written. None has another id already."""
    originals = {m.parsed.original_id for m in waiting if m.parsed.original_id not in ("", m.parsed.message_id)}
    fresh = [m.incoming.internaldate for m in waiting if not m.parsed.original_id]
    ours = Message.objects.filter(account=account_id, removed_at=None).exclude(delivery_state="")
    ours = ours.filter(other_message_ids=None)
    rows = list(ours.filter(message_id__one_of=sorted(originals))) if originals else []
    since = datetime.now(UTC) - timedelta(days=1)  # an import of old mail is not compared word by word
    if fresh and max(fresh) > since:
        low, high = max(min(fresh), since) - _WINDOW, max(fresh) + _WINDOW
        rows += ours.filter(pk__gte=rules.key_before(low), pk__lt=rules.key_before(high)).order_by("pk")
    return rows


def _is_copy(parsed: ParsedMessage, row: Message) -> bool:
    if parsed.message_id == row.message_id or _line(parsed.subject) != _line(row.subject):
        return False
    people = row.participants.filter(role__in=_ROLES).values_list("role", "address__address")
    if _people(parsed) != {(role, address) for role, address in people}:
        return False
    if parsed.original_id:
        return parsed.original_id == row.message_id
    at = parsed.date.astimezone(UTC) if parsed.date else None
    return at == row.date and _words(parsed.text) == _words(row.body.text)


def _people(parsed: ParsedMessage) -> set[tuple[str, str]]:
    roles = zip(_ROLES, (parsed.from_, parsed.to, parsed.cc), strict=True)
    return {(str(role), person.address) for role, people in roles for person in people if person.address}


def _line(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> str:
    """Servers write the text anew from the HTML: letters and digits stay."""
    return _NOT_WORDS.sub("", text).casefold()


def _note(row: Message, name: str) -> None:
    """Remember the server's id, let it be of the thread, and have answers to it that came before read again."""
    if len(name) > _NAME_LENGTH or len(name.encode("utf-8", "replace")) > MAX_MESSAGE_ID_BYTES:
        return
    sql.insert_rows(OtherMessageId, ["message_id", "name"], [(row.pk, name)], conflict="ON CONFLICT DO NOTHING")
    ids = rules.thread_ids(row.message_id, row.in_reply_to, row.references)
    [thread_key] = threads.settle_threads([(*ids, name)])
    received = Message.objects.filter(thread_key=thread_key, direction=Direction.RECEIVED)
    answers = received.values_list("pk", "in_reply_to", "references")
    hooks.tell_answers_found([pk for pk, in_reply_to, references in answers if name in (in_reply_to, *references)])
