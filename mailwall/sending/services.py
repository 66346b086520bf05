"""Writes of the outbox: one function per use case. What leaves and when is decided by `delivery`; here rows begin."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from mailwall.assignment import services as assignment_services
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import DeliveryState, Direction, Message
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_whole
from mailwall.sending import hooks, letters, rules
from mailwall.sending.errors import IdempotencyMismatch, OutgoingNotFound, SendingInactive, TooLate
from mailwall.sending.letters import Built
from mailwall.sending.models import CopyState, IdempotencyKey, Outgoing, OutgoingContent, OutgoingState
from mailwall.sending.types import Letter
from mailwall.team import queries as team_queries
from mailwall.team.models import User

WAITING = (OutgoingState.HELD, OutgoingState.QUEUED)
SENT_AFTER_ALL, SEND_AGAIN = "it_was_sent", "send_again"


def queue_outgoing(
    sender: User,
    letter: Letter,
    *,
    hold_seconds: int = 0,
    send_at: datetime | None = None,
    idempotency_key: str = "",
    automatic: bool = False,
    headers: Sequence[tuple[str, str]] = (),
) -> Outgoing:
    """Write a mail into the outbox and onto the walls, Message-ID fixed; a worker hands it over when it is due.

    hold_seconds: can be cancelled for so long ("Undo"). send_at: not before (aware). idempotency_key: for 24 hours the
    same key and letter of this sender give the same row. automatic: written by a sequence, marked so (RFC 3834).
    headers: further fields such as List-Unsubscribe. Joins a transaction. Wake the workers afterwards:
    `tasks.deliver(outgoing)`.

    :raises SendingInactive: the account (or with none given: no account) sends. :raises LetterInvalid: with all that
    can never be sent. :raises IdempotencyMismatch. Nothing is written then.
    """
    asked = _digest(letter, hold_seconds, send_at) if idempotency_key else ""
    if idempotency_key and (answered := _answered(sender, idempotency_key, asked)):
        return answered
    account = sending_account(sender, letter.account)
    now = timezone.now()
    due_at = max(now + timedelta(seconds=hold_seconds), send_at or now)
    message_id = rules.new_message_id(account.address)
    headers = (*letters.AUTOMATIC, *headers) if automatic else headers
    built = letters.build(sender, account, letter, message_id=message_id, date=due_at, headers=headers)
    with transaction.atomic():
        if idempotency_key:
            reservation, is_first = IdempotencyKey.objects.get_or_create(
                user=sender, key=idempotency_key, defaults={"body_hash": asked, "reserved_at": now}
            )
            if not is_first:  # the same request, a moment earlier: the database let us wait for it
                return _same(reservation, asked)
        outgoing = Outgoing.objects.create(
            sender=sender,
            account=account,
            message_id=_on_the_wall(account, built, send_at or now),
            state=OutgoingState.HELD if due_at > now else OutgoingState.QUEUED,
            due_at=due_at,
            queued_at=due_at,
            send_at=send_at,
            message_id_header=message_id,
            subject=built.subject,
            receivers=list(built.receivers),
            size_bytes=len(built.raw),
            automatic=automatic,
        )
        OutgoingContent.objects.create(
            outgoing=outgoing,
            raw=built.raw,
            raw_bcc=built.raw_bcc,
            forward_attachments=[list(pair) for pair in built.forwarded],
        )
        if idempotency_key:
            IdempotencyKey.objects.filter(pk=reservation.pk).update(outgoing=outgoing)
    return outgoing


def sending_account(sender: User, account: EmailAccount | None = None) -> EmailAccount:
    """The sender's account to send from: this one, or without one the default.

    :raises SendingInactive: it does not send. An account of somebody else counts as one that is not there.
    """
    own = EmailAccount.objects.connected().filter(owner=sender)
    found = own.filter(pk=account.pk).first() if account else own.filter(is_default=True).first()
    if found is None:
        raise SendingInactive(SendingInactive.MSGID_NONE)
    named = {"address": found.address}
    if not found.smtp_host:
        raise SendingInactive(SendingInactive.MSGID_NO_SMTP, named)
    if found.state == State.DEACTIVATED:
        raise SendingInactive(SendingInactive.MSGID_DEACTIVATED, named)
    package = team_queries.workspace().package
    if account_rules.sending_obstacle(found, package):
        if found.sending_active and not found.is_default:
            default = own.filter(is_default=True).values_list("address", flat=True).first() or "–"
            raise SendingInactive(SendingInactive.MSGID_BASIC, {"default": default})
        raise SendingInactive(SendingInactive.MSGID, named)
    if found.sending_error:
        raise SendingInactive(SendingInactive.MSGID_REFUSED, {**named, "reason": found.sending_error})
    return found


def get_outgoing(sender: User, outgoing_id: int) -> Outgoing:
    """One of the sender's own.

    :raises OutgoingNotFound.
    """
    return _own(sender, outgoing_id)


def cancel_outgoing(sender: User, outgoing_id: int) -> Outgoing:
    """Take back a mail that has not left; it goes from the wall. Again does nothing.

    :raises OutgoingNotFound, TooLate.
    """
    with transaction.atomic():
        outgoing = _own(sender, outgoing_id)
        if outgoing.state == OutgoingState.CANCELLED:
            return outgoing
        rows = Outgoing.objects.filter(pk=outgoing.pk, state__in=WAITING, data_started_at__isnull=True)
        if not rows.update(state=OutgoingState.CANCELLED, settled_at=timezone.now(), lease_token="", lease_until=None):
            raise TooLate(TooLate.MSGID_CANCEL)
        OutgoingContent.objects.filter(outgoing=outgoing).delete()
        if outgoing.message_id is not None:
            mailstore_services.delete_messages([outgoing.message_id])
        hooks.tell_outgoing_settled(outgoing.pk, hooks.CANCELLED)
        return _own(sender, outgoing_id)


def settle(sender: User, outgoing_id: int, decision: str) -> Outgoing:
    """What the sender knows of a mail in `needs_review`: decision "it_was_sent" or "send_again".

    :raises OutgoingNotFound, TooLate: it waits for no decision. :raises ValueError: another decision.
    """
    if decision not in (SENT_AFTER_ALL, SEND_AGAIN):
        raise ValueError("no such decision")
    with transaction.atomic():
        outgoing = _own(sender, outgoing_id)
        rows = Outgoing.objects.filter(pk=outgoing.pk, state=OutgoingState.NEEDS_REVIEW)
        if decision == SEND_AGAIN:
            _queue_again(outgoing, rows, TooLate.MSGID_SETTLE)
        else:
            now = timezone.now()
            sent_at = outgoing.data_started_at or now
            values = {"state": OutgoingState.SENT, "sent_at": sent_at, "settled_at": now, **NO_ERROR}
            if not rows.update(**values, copy_state=CopyState.WANTED, copy_at=now):
                raise TooLate(TooLate.MSGID_SETTLE)
            show_delivery(outgoing, DeliveryState.SENT)
            hooks.tell_outgoing_settled(outgoing.pk, hooks.SENT)
        return _own(sender, outgoing_id)


def retry(sender: User, outgoing_id: int) -> Outgoing:
    """Queue a failed mail again, unchanged; what the server had refused for good it may refuse again.

    :raises OutgoingNotFound, TooLate, SendingInactive.
    """
    with transaction.atomic():
        outgoing = _own(sender, outgoing_id)
        rows = Outgoing.objects.filter(pk=outgoing.pk, state=OutgoingState.FAILED)
        if outgoing.state != OutgoingState.FAILED:
            raise TooLate(TooLate.MSGID_RETRY)
        sending_account(sender, outgoing.account)
        _queue_again(outgoing, rows, TooLate.MSGID_RETRY)
        return _own(sender, outgoing_id)


def forget_old_keys(now: datetime) -> int:
    """Drop Idempotency-Keys that hold no longer; gives how many."""
    return IdempotencyKey.objects.filter(reserved_at__lt=now - rules.IDEMPOTENCY_KEPT).delete()[0]


#: columns of a mail whose last try left no error
NO_ERROR: dict[str, Any] = {"error_code": "", "error_message": "", "error_msgid": "", "error_params": {}}


def show_delivery(outgoing: Outgoing, state: DeliveryState, reason: dict[str, Any] | None = None) -> None:
    """Let the card on the wall say it. reason: {"msgid", "params"} of a sentence."""
    if outgoing.message_id is not None:
        Message.objects.filter(pk=outgoing.message_id).update(delivery_state=state, delivery_reason=reason)


def incoming_of(raw_kept: bytes, at: datetime) -> IncomingMessage:
    """Outgoing mail as the store takes mail."""
    parsed = parse_whole(raw_kept)
    return IncomingMessage(parsed=parsed, direction=Direction.SENT, internaldate=at, size_bytes=len(raw_kept))


def _on_the_wall(account: EmailAccount, built: Built, at: datetime) -> int | None:
    """Store and assign it like all mail, so that it stands there before it has left; gives its id."""
    [stored] = mailstore_services.store_messages(account, [incoming_of(built.raw_bcc + built.raw, at)])
    if stored.message_id is not None:
        Message.objects.filter(pk=stored.message_id).update(delivery_state=DeliveryState.WAITING)
        assignment_services.assign_messages([stored.message_id])
    return stored.message_id


def _queue_again(outgoing: Outgoing, rows: Any, too_late: str) -> None:
    now = timezone.now()
    again = {"state": OutgoingState.QUEUED, "due_at": now, "queued_at": now, "attempts": 0, "settled_at": None}
    if not rows.update(**again, data_started_at=None, look_at=None, lease_token="", lease_until=None, refused={}):
        raise TooLate(too_late)
    show_delivery(outgoing, DeliveryState.WAITING)


def _own(sender: User, outgoing_id: int) -> Outgoing:
    found = Outgoing.objects.of(sender).select_related("account").filter(pk=outgoing_id).first()
    if found is None:
        raise OutgoingNotFound
    return found


# -- the same request twice


def _answered(sender: User, key: str, asked: str) -> Outgoing | None:
    """What the key gave before. One that is too old holds no longer."""
    kept_from = timezone.now() - rules.IDEMPOTENCY_KEPT
    mine = IdempotencyKey.objects.filter(user=sender, key=key)
    mine.filter(reserved_at__lt=kept_from).delete()
    found = mine.select_related("outgoing").first()
    return _same(found, asked) if found else None


def _same(reservation: IdempotencyKey, asked: str) -> Outgoing:
    if reservation.body_hash != asked or reservation.outgoing is None:
        raise IdempotencyMismatch
    return reservation.outgoing


def _digest(letter: Letter, hold_seconds: int, send_at: datetime | None) -> str:
    """Equal for the same request. Bytes of files count by their hash, the account by its id."""
    files = [
        (file.filename, file.content_type, file.content_id, hashlib.blake2b(file.raw_content).hexdigest())
        for file in letter.files
    ]
    said = replace(letter, account=None, files=())
    account_id = letter.account.pk if letter.account else None
    whole = repr((account_id, said, files, hold_seconds, send_at))
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
