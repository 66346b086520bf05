"""Who must know, in the same transaction, that mail arrived (bounces to settle, sequences to end), or that unassigned
mail was deleted or narrowed (counts of triage).

Higher rooms register here in their AppConfig.ready(): explicit and in one direction, where a signal would be neither
(docs/adr/0006-hooks-instead-of-signals.md).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Generator, Sequence

from mailwall.errors import MailwallError
from mailwall.team.models import User

MessagesArrived = Callable[[Sequence[int], bool], None]
UnassignedChanged = Callable[[Collection[str]], None]

_listeners: list[MessagesArrived] = []
_answer_listeners: list[MessagesArrived] = []
_unassigned_listeners: list[UnassignedChanged] = []


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


def on_unassigned_changed(listener: UnassignedChanged) -> None:
    """Have `listener(counterparts)` called when unassigned messages of these were deleted, or narrowed or widened."""
    if listener not in _unassigned_listeners:
        _unassigned_listeners.append(listener)


def tell_unassigned_changed(counterparts: Collection[str]) -> None:
    """Call every listener; to be called inside the transaction that changed the messages, after it did."""
    if counterparts:
        for listener in _unassigned_listeners:
            listener(counterparts)


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
