"""The batch write behind `services.store_messages`: rows of a message and all that hangs on it, table by table."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection

from mailwall.mailstore import preparing, rules, search_index, sql, threads
from mailwall.mailstore.models import Address, Attachment, Message, MessageBody, Participant
from mailwall.mailstore.types import IncomingMessage, Prepared
from mailwall.mime import types as mime

MAX_MESSAGE_ID_BYTES = 2_000  # an index entry of PostgreSQL ends at 2,704
KEY_ATTEMPTS = 40
#: columns that a better copy of an incomplete message overwrites
_CONTENT_COLUMNS = [
    "date", "odd_date", "subject", "snippet", "message_id", "in_reply_to", "references", "thread_key", "dedupe_key",
    "content_key", "counterpart", "size_bytes", "has_attachments", "automatic", "list_id", "incomplete", "defects",
]  # fmt: skip
_COLUMNS = ["id", "account_id", "direction", "internaldate", "on_server", "only_owner", *_CONTENT_COLUMNS]


@dataclass(slots=True, kw_only=True)
class NewMessage:
    """An incoming message with its keys, on the way to its row. id: once it has one."""

    incoming: IncomingMessage
    prepared: Prepared
    dedupe_key: str
    content_key: str
    counterpart: str
    thread_key: str = ""
    only_owner: bool = False
    id: int = 0

    @property
    def parsed(self) -> mime.ParsedMessage:
        return self.incoming.parsed


def prepare(incoming: IncomingMessage, own_addresses: Collection[str]) -> NewMessage:
    """With its keys and its counterpart; the rest comes when it turns out to be new."""
    parsed = incoming.parsed
    prepared = incoming.prepared or preparing.prepared_of(parsed)
    return NewMessage(
        incoming=incoming,
        prepared=prepared,
        dedupe_key=prepared.dedupe_key,
        content_key=prepared.content_key,
        counterpart=rules.counterpart(parsed, own_addresses),
    )


def settle_threads(account_owner_id: int, messages: Sequence[NewMessage]) -> None:
    """Give each its thread; what comes into a thread that its owner narrowed is for the owner alone as well."""
    ids = [rules.thread_ids(m.parsed.message_id, m.parsed.in_reply_to, m.parsed.references) for m in messages]
    keys = threads.settle_threads([of_one or (m.dedupe_key,) for of_one, m in zip(ids, messages, strict=True)])
    narrowed = _narrowed(account_owner_id, set(keys))
    for message, key in zip(messages, keys, strict=True):
        message.thread_key = key
        message.only_owner = key in narrowed


def insert_messages(account_id: int, messages: Sequence[NewMessage], now: datetime) -> dict[str, int]:
    """Insert the rows and set their ids; gives {content_key: id} of those that another worker stored meanwhile.

    An id that is taken by another message is drawn again. Rows go in by content_key, so that two workers wait for each
    other at most, never in a circle.
    """
    waiting = sorted(messages, key=lambda message: message.content_key)
    foreign: dict[str, int] = {}
    for attempt in range(KEY_ATTEMPTS):
        for message in waiting:
            # a crowded second (a migration stamped all mail alike) spills into the next ones
            moment = message.incoming.internaldate + timedelta(seconds=attempt // 4)
            message.id = rules.message_key(moment, secrets.randbits(rules.KEY_BITS))
        rows = [_row(account_id, message, now) for message in waiting]
        sql.insert_rows(Message, _COLUMNS, rows, conflict="ON CONFLICT DO NOTHING")
        stored = ids_by_content(account_id, [message.content_key for message in waiting])
        foreign |= {m.content_key: stored[m.content_key] for m in waiting if stored.get(m.content_key, m.id) != m.id}
        waiting = [message for message in waiting if message.content_key not in stored]
        if not waiting:
            return foreign
    raise RuntimeError("no free message key")


def ids_by_content(account_id: int, content_keys: Collection[str]) -> dict[str, int]:
    condition = sql.one_of("content_key")
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT content_key, id FROM mailstore_message WHERE account_id = %s AND {condition}",  # noqa: S608
            [account_id, sql.values_of(content_keys)],
        )
        return dict(cursor.fetchall())


def complete_messages(account_id: int, messages: Sequence[NewMessage], now: datetime) -> None:
    """Write better copies over incomplete rows (their `id`); few and rare, so one statement each."""
    ids = [message.id for message in messages]
    for table in (MessageBody, Participant, Attachment):
        table.objects.filter(message_id__in=ids).delete()
    for message in messages:
        values = dict(zip(_COLUMNS, _row(account_id, message, now), strict=True))
        Message.objects.filter(pk=message.id).update(**{name: values[name] for name in _CONTENT_COLUMNS})


def insert_details(messages: Sequence[NewMessage]) -> None:
    """Bodies, participants, attachments and search documents of messages that have their ids."""
    bodies = [
        (m.id, m.parsed.text, m.parsed.html, "html truncated" in m.parsed.defects, m.parsed.report) for m in messages
    ]
    sql.insert_rows(MessageBody, ["message_id", "text", "html", "html_truncated", "report"], bodies)
    people = [(m.id, role, place, person) for m in messages for role, place, person in _participants(m.parsed)]
    address_ids = intern_addresses({person.address for *_rest, person in people})
    rows = [(id_, address_ids[person.address], role, place, person.name[:300]) for id_, role, place, person in people]
    sql.insert_rows(Participant, ["message_id", "address_id", "role", "position", "name"], rows)
    sql.insert_rows(
        Attachment,
        [
            "message_id", "position", "section", "filename", "content_type", "size_bytes", "encoded_size_bytes",
            "encoding", "inline", "content_id",
        ],
        [row for message in messages for row in _attachments(message)],
    )  # fmt: skip
    search_index.index_words_of([(message.id, message.prepared.words) for message in messages])


def intern_addresses(addresses: Collection[str]) -> dict[str, int]:
    """{address: id}; unknown ones get a row, in one order for all workers."""
    known = _address_ids(addresses)
    missing = sorted(set(addresses) - known.keys())
    if missing:
        sql.insert_rows(Address, ["address"], [(address,) for address in missing], conflict="ON CONFLICT DO NOTHING")
        known |= _address_ids(missing)
    return known


def _address_ids(addresses: Collection[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT address, id FROM mailstore_address WHERE {sql.one_of('address')}",  # noqa: S608
            [sql.values_of(addresses)],
        )
        return dict(cursor.fetchall())


def _narrowed(owner_id: int, thread_keys: Collection[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT m.thread_key FROM mailstore_message m "  # noqa: S608
            "JOIN email_accounts_emailaccount a ON a.id = m.account_id "
            f"WHERE {sql.one_of('m.thread_key')} AND m.only_owner AND a.owner_id = %s",
            [sql.values_of(thread_keys), owner_id],
        )
        return {key for (key,) in cursor.fetchall()}


def _row(account_id: int, message: NewMessage, now: datetime) -> tuple[object, ...]:
    incoming, parsed = message.incoming, message.parsed
    date = rules.choose_date(parsed.date, incoming.internaldate, now)
    return (
        message.id,
        account_id,
        incoming.direction,
        incoming.internaldate,
        True,
        message.only_owner,
        date,
        rules.odd_date(date, incoming.internaldate),
        parsed.subject,
        message.prepared.snippet,
        rules.cut_bytes(parsed.message_id, MAX_MESSAGE_ID_BYTES),
        parsed.in_reply_to,
        list(parsed.references),
        message.thread_key,
        message.dedupe_key,
        message.content_key,
        message.counterpart,
        incoming.size_bytes,
        any(not attachment.inline for attachment in parsed.attachments),
        parsed.automatic[:20],
        parsed.list_id[:300],
        incoming.incomplete,
        list(parsed.defects),
    )


def _participants(parsed: mime.ParsedMessage) -> Iterator[tuple[str, int, mime.Address]]:
    for role, people in (
        ("from", parsed.from_),
        ("to", parsed.to),
        ("cc", parsed.cc),
        ("bcc", parsed.bcc),
        ("reply_to", parsed.reply_to),
    ):
        yield from ((role, place, person) for place, person in enumerate(people) if person.address)


def _attachments(message: NewMessage) -> Iterator[tuple[object, ...]]:
    for place, found in enumerate(message.parsed.attachments):
        yield (
            message.id,
            place,
            found.section[:120],
            found.filename[:300],
            found.content_type[:120],
            found.size_bytes,
            found.encoded_size_bytes,
            found.encoding[:40],
            found.inline,
            found.content_id[:300],
        )
