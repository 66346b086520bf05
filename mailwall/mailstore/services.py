"""Writes of stored mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import hooks, own_copies, search_index, store
from mailwall.mailstore.errors import MessageNotFound
from mailwall.mailstore.models import Direction, Message, MessageQuerySet, Tombstone
from mailwall.mailstore.store import NewMessage
from mailwall.mailstore.types import IncomingMessage, StoredMessage
from mailwall.team import services as team_services
from mailwall.team.models import User

DELETE_BATCH = 500
UNDO_FOR = timedelta(minutes=15)


def store_messages(account: EmailAccount, incoming: Sequence[IncomingMessage]) -> list[StoredMessage]:
    """Store mails of one account with bodies, participants, attachment information, threads and search documents.

    The answer has the order of `incoming`. Idempotent: the same mail (content_key) is the same row, also when two
    workers store it at once; a mail that its owner removed here stays removed (message_id None). An incomplete row
    is completed by a better copy; a mail that left by Mailwall stays as it left, though servers and lists change the
    copies that come back; an incomplete copy of a stored mail adds nothing. A mail that was gone from the
    server and comes back is `on_server` again. Replies may come before what they answer. About 17 statements for a
    batch of any size (500 to 1,000 are good), in the caller's transaction.
    """
    if not incoming:
        return []
    now, own = timezone.now(), account_queries.own_addresses()
    with transaction.atomic():
        messages = [store.prepare(item, own) for item in incoming]
        own_copies.recognise(account.pk, messages)
        plan = _plan(account.pk, messages)
        store.settle_threads(account.owner_id, [*plan.new, *plan.better])
        foreign = store.insert_messages(account.pk, plan.new, now)
        created = {message.content_key: message for message in plan.new if message.content_key not in foreign}
        store.complete_messages(account.pk, plan.better, now)
        store.insert_details([*created.values(), *plan.better])
        hooks.tell_messages_changed([message.id for message in plan.better])
        ids = plan.ids | foreign | {key: message.id for key, message in created.items()}
        ids |= {key: ids[other] for key, other in plan.same_as.items()}
        _refresh([(ids[message.content_key], message.incoming.direction) for message in plan.messages])
    return [
        # of two copies in one batch the first created the row
        StoredMessage(message_id=ids[m.content_key], created=created.pop(m.content_key, None) is not None)
        for m in plan.messages
    ]


@dataclass(slots=True, kw_only=True)
class _Plan:
    """What to do with a batch. ids: of known content, None under a tombstone; same_as: content of an incomplete copy
    to that of the whole one in the same batch."""

    messages: list[NewMessage]
    ids: dict[str, int | None] = field(default_factory=dict)
    new: list[NewMessage] = field(default_factory=list)
    better: list[NewMessage] = field(default_factory=list)
    same_as: dict[str, str] = field(default_factory=dict)


def _plan(account_id: int, messages: list[NewMessage]) -> _Plan:
    plan = _Plan(messages=messages)
    rows = _stored_copies(account_id, {message.dedupe_key for message in messages})
    by_content = {row.content_key: row for row in rows}
    by_mail = {row.dedupe_key: row for row in rows}
    incomplete = {row.dedupe_key: row for row in rows if row.incomplete}
    left_here = {row.dedupe_key for row in rows if row.delivery_state}
    new_by_mail: dict[str, NewMessage] = {}
    settled = _tombstones(account_id, messages)
    plan.ids.update(dict.fromkeys(settled))
    for message in sorted(messages, key=lambda message: message.incoming.incomplete):  # whole copies first
        key, mail, is_whole = message.content_key, message.dedupe_key, not message.incoming.incomplete
        is_own_copy = mail in left_here and message.incoming.direction == Direction.SENT
        if key in settled:
            continue
        settled.add(key)
        stored = by_content.get(key) or (None if is_whole and not is_own_copy else by_mail.get(mail))
        if is_whole and mail in incomplete and (stored is None or stored.incomplete):
            message.id = plan.ids[key] = incomplete.pop(mail).pk
            plan.better.append(message)
        elif stored is not None:
            plan.ids[key] = stored.pk
        elif not is_whole and mail in new_by_mail:
            plan.same_as[key] = new_by_mail[mail].content_key
        else:
            plan.new.append(message)
            new_by_mail[mail] = message
    return plan


def _stored_copies(account_id: int, dedupe_keys: Iterable[str]) -> list[Message]:
    rows = Message.objects.filter(account_id=account_id, dedupe_key__one_of=dedupe_keys)
    return list(rows.only("content_key", "dedupe_key", "incomplete", "delivery_state"))


def _tombstones(account_id: int, messages: Sequence[NewMessage]) -> set[str]:
    keys = {message.content_key for message in messages}
    rows = Tombstone.objects.filter(account_id=account_id, content_key__one_of=keys)
    return set(rows.values_list("content_key", flat=True))


def _refresh(seen: Sequence[tuple[int | None, str]]) -> None:
    """What was seen is on the server; what was seen in Sent or sent by the owner is sent, wherever else it lies."""
    ids = {pk for pk, _direction in seen if pk is not None}
    sent = {pk for pk, direction in seen if pk is not None and direction == Direction.SENT}
    Message.objects.filter(id__one_of=ids, on_server=False).update(on_server=True)
    Message.objects.filter(id__one_of=sent).exclude(direction=Direction.SENT).update(direction=Direction.SENT)


def mark_gone_from_server(message_ids: Iterable[int]) -> int:
    """These lie in no folder of the server any more: their text stays, their attachments are gone. How many changed."""
    return _mark(message_ids, on_server=False)


def mark_on_server(message_ids: Iterable[int]) -> int:
    """These were found again on the server. How many changed."""
    return _mark(message_ids, on_server=True)


def _mark(message_ids: Iterable[int], *, on_server: bool) -> int:
    rows = Message.objects.filter(id__one_of=message_ids, on_server=not on_server)
    return int(rows.update(on_server=on_server))


def remove_message(owner: User, message_id: int) -> int:
    """Take a mail away from every screen at once, with all copies in the owner's accounts; others' copies stay.

    It can be brought back with restore_message for UNDO_FOR; then it is gone for good. Gives how many copies.
    :raises MessageNotFound: it is not there, or not the owner's own.
    """
    return _set_removed(owner, message_id, timezone.now())


def restore_message(owner: User, message_id: int) -> int:
    """Take back remove_message.

    :raises MessageNotFound: it was gone for good already, or is not the owner's own.
    """
    return _set_removed(owner, message_id, None)


def _set_removed(owner: User, message_id: int, removed_at: datetime | None) -> int:
    own = Message.objects.filter(account__owner=owner)
    with transaction.atomic():
        dedupe_key = own.filter(pk=message_id).values_list("dedupe_key", flat=True).first()
        if dedupe_key is None:
            raise MessageNotFound("There is no such message among your own.")
        copies = own.filter(dedupe_key=dedupe_key, removed_at__isnull=removed_at is not None)
        action = "message.removed" if removed_at else "message.restored"
        return _update_audited(owner, copies, action, removed_at=removed_at)


def removed_ids(now: datetime, limit: int = DELETE_BATCH) -> list[int]:
    """Removed messages that can be brought back no longer."""
    old = Message.objects.filter(removed_at__lt=now - UNDO_FOR).order_by("removed_at")
    return list(old.values_list("pk", flat=True)[:limit])


def bury(message_ids: Sequence[int]) -> None:
    """Delete removed messages for good. Tombstones keep them away at every later fetch."""
    with transaction.atomic():
        rows = Message.objects.filter(id__one_of=message_ids, removed_at__isnull=False)
        gone = list(rows.values_list("pk", "account_id", "content_key"))
        tombstones = [Tombstone(account_id=account_id, content_key=key) for _pk, account_id, key in gone]
        Tombstone.objects.bulk_create(tombstones, ignore_conflicts=True)
        delete_messages([pk for pk, _account_id, _key in gone])


def delete_messages(message_ids: Sequence[int]) -> None:
    """Delete rows with all that hangs on them, in higher rooms too, and their search documents. No tombstones."""
    with transaction.atomic():
        search_index.delete_documents(message_ids)
        hooks.tell_messages_leave(message_ids)
        Message.objects.filter(pk__in=message_ids).delete()


def delete_account_messages(account_id: int) -> int:
    """Delete all messages and tombstones of an account in short transactions; may be called again after a crash."""
    deleted = 0
    rows = Message.objects.filter(account_id=account_id).order_by()
    while ids := list(rows.values_list("pk", flat=True)[:DELETE_BATCH]):
        delete_messages(ids)
        deleted += len(ids)
    Tombstone.objects.filter(account_id=account_id).delete()
    return deleted


def narrow_thread(owner: User, thread_key: str) -> int:
    """Make the owner's messages of a thread, and what will come into it, visible to the owner alone. How many changed.

    Others' copies of the same mails stay as they are: those are their owners' to decide.
    """
    return _set_only_owner(owner, thread_key, True)


def widen_thread(owner: User, thread_key: str) -> int:
    """Take back narrow_thread: the thread is as visible as its accounts. How many changed."""
    return _set_only_owner(owner, thread_key, False)


def _set_only_owner(owner: User, thread_key: str, value: bool) -> int:
    rows = Message.objects.filter(account__owner=owner, thread_key=thread_key).exclude(only_owner=value)
    action = "message.thread_narrowed" if value else "message.thread_widened"
    with transaction.atomic():
        return _update_audited(owner, rows, action, only_owner=value)


def _update_audited(owner: User, rows: MessageQuerySet, action: str, **values: object) -> int:
    """Update rows and write down, by account, how many they were; never which."""
    account_of = dict(rows.order_by().values_list("pk", "account_id"))
    changed = int(rows.update(**values))
    hooks.tell_messages_changed(list(account_of))
    for account_id, number in sorted(Counter(account_of.values()).items()):
        team_services.audit(owner, action, f"email_account:{account_id}", messages=number)
    return changed
