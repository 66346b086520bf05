"""Who must know, in the same transaction, that mail arrived (bounces to settle, sequences to end), or that stored mail
is removed, narrowed, completed or deleted (marks and counts of unassigned mail).

Higher rooms register here in their AppConfig.ready(): explicit and in one direction, where a signal would be neither
(docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Sequence

from mailwall.errors import MailwallError
from mailwall.team.models import User

MessagesArrived = Callable[[Sequence[int], bool], None]
MessagesTouched = Callable[[Collection[int]], object]

_listeners: list[MessagesArrived] = []
_answer_listeners: list[MessagesArrived] = []
_change_listeners: list[MessagesTouched] = []
_leave_listeners: list[MessagesTouched] = []


def on_messages_arrived(listener: MessagesArrived) -> None:
    """Have `listener(message_ids, history)` called for every batch of messages that were not here before.

    history: they are old mail that somebody asked for, not news. A first import is no history; compare INTERNALDATE.
    """
    if listener not in _listeners:
        _listeners.append(listener)


def tell_messages_arrived(message_ids: Sequence[int], *, history: bool) -> None:
    """Call every listener; to be called inside the transaction that stored the messages, once they are assigned."""
    if message_ids:
        for listener in _listeners:
            listener(message_ids, history)


def on_answers_found(listener: MessagesArrived) -> None:
    """Have `listener(message_ids, history)` called for messages that were here before, and turn out to answer a mail of
    ours: its server had given it another Message-ID. history is False."""
    if listener not in _answer_listeners:
        _answer_listeners.append(listener)


def tell_answers_found(message_ids: Sequence[int]) -> None:
    """Call every listener; to be called inside the transaction that noted the other Message-ID."""
    if message_ids:
        for listener in _answer_listeners:
            listener(message_ids, False)


def on_messages_changed(listener: MessagesTouched) -> None:
    """Have `listener(message_ids)` called when these were removed or restored, narrowed or widened, or completed."""
    if listener not in _change_listeners:
        _change_listeners.append(listener)


def tell_messages_changed(message_ids: Collection[int]) -> None:
    """Call every listener; to be called inside the transaction that changed the messages, after it did."""
    if message_ids:
        for listener in _change_listeners:
            listener(message_ids)


def on_messages_leave(listener: MessagesTouched) -> None:
    """Have `listener(message_ids)` called just before these are deleted, while all that hangs on them is there."""
    if listener not in _leave_listeners:
        _leave_listeners.append(listener)


def tell_messages_leave(message_ids: Collection[int]) -> None:
    """Call every listener; to be called inside the transaction that deletes the messages, before it does."""
    if message_ids:
        for listener in _leave_listeners:
            listener(message_ids)


#: viewer, message id, attachment ids → (attachment id, piece of its decoded bytes) from the mail server, file by file
AttachmentSource = Callable[[User, int, Sequence[int]], Generator[tuple[int, bytes], None, None]]

_sources: list[AttachmentSource] = []


class AttachmentTooLarge(MailwallError):
    """There are more bytes than the server had told."""

    code = "attachment_too_large"


def on_attachments_asked(source: AttachmentSource) -> None:
    """Have `source` fetch the attachments that `read_attachments` asks for: the room that speaks IMAP."""
    _sources[:] = [source]


def read_attachments(
    viewer: User, message_id: int, attachment_ids: Sequence[int], *, limit_bytes: int
) -> dict[int, bytes]:
    """Attachments of a message that the viewer may see, whole, by id; all of them over one connection.

    limit_bytes: of all together. :raises MailwallError: they cannot be had, `retryable` says whether later;
    AttachmentTooLarge.
    """
    pieces: dict[int, list[bytes]] = {pk: [] for pk in attachment_ids}
    size_bytes = 0
    with contextlib.closing(_sources[0](viewer, message_id, attachment_ids)) as chunks:
        for attachment_id, chunk in chunks:
            pieces[attachment_id].append(chunk)
            size_bytes += len(chunk)
            if size_bytes > limit_bytes:
                raise AttachmentTooLarge("The file is too large.")
    return {pk: b"".join(of_file) for pk, of_file in pieces.items()}
