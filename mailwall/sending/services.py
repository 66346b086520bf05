"""Writes of the outbox: one function per use case. What leaves and when is decided by `delivery`; here rows begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.assignment import services as assignment_services
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore import services as mailstore_services
from mailwall.mailstore.models import DeliveryState, Direction, Message
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_whole
from mailwall.sending import hooks, idempotency, letters, rules
from mailwall.sending.errors import LetterInvalid, OutgoingNotFound, SendingInactive, TooLate
from mailwall.sending.letters import Built
from mailwall.sending.models import CopyState, Outgoing, OutgoingContent, OutgoingState
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
    can never be sent. :raises IdempotencyMismatch, InProgress. Nothing is written then.
    """

    def queue() -> Outgoing:
        return _queued(sender, letter, hold_seconds=hold_seconds, send_at=send_at, automatic=automatic, headers=headers)

    if not idempotency_key:
        return queue()
    return idempotency.once(sender, idempotency_key, (letter, hold_seconds, send_at), queue)


def _queued(
    sender: User,
    letter: Letter,
    *,
    hold_seconds: int,
    send_at: datetime | None,
    automatic: bool,
    headers: Sequence[tuple[str, str]],
) -> Outgoing:
    account = sending_account(sender, letter.account)
    now = timezone.now()
    if send_at and send_at > now + rules.MAX_SEND_LATER:
        raise LetterInvalid([("send_at", _("A mail can wait for a year at most."))])
    due_at = max(now + timedelta(seconds=hold_seconds), send_at or now)
    message_id = rules.new_message_id(account.address)
    headers = (*letters.AUTOMATIC, *headers) if automatic else headers
    built = letters.build(sender, account, letter, message_id=message_id, date=due_at, headers=headers)
    with transaction.atomic():
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
        return _withdraw(outgoing, WAITING, TooLate.MSGID_CANCEL)


def withdraw_failed(sender: User, outgoing_id: int) -> Outgoing:
    """Take a failed mail from the wall, never to be sent again: another one takes its place.

    :raises OutgoingNotFound: :raises TooLate: it has not failed, or is tried again.
    """
    with transaction.atomic():
        return _withdraw(_own(sender, outgoing_id), (OutgoingState.FAILED,), TooLate.MSGID_RETRY)


def _withdraw(outgoing: Outgoing, states: Sequence[OutgoingState], too_late: str) -> Outgoing:
    rows = Outgoing.objects.filter(pk=outgoing.pk, state__in=states, data_started_at=None, sent_at=None)
    if not rows.update(state=OutgoingState.CANCELLED, settled_at=timezone.now(), lease_token="", lease_until=None):
        raise TooLate(too_late)
    OutgoingContent.objects.filter(outgoing=outgoing).delete()
    if outgoing.message_id is not None:
        mailstore_services.delete_messages([outgoing.message_id])
    hooks.tell_outgoing_settled(outgoing.pk, hooks.CANCELLED)
    return _own(outgoing.sender, outgoing.pk)


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
