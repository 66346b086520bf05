"""Writes of the outbox: one function per use case. What leaves and when is decided by `delivery`; here rows begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mime.types import Address
from mailwall.sending import hooks, rules
from mailwall.sending.errors import OutgoingNotFound, SendingInactive, TooLate
from mailwall.sending.models import Outgoing, OutgoingState
from mailwall.sending.types import Letter
from mailwall.team import queries as team_queries
from mailwall.team.models import User


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
    """Write a mail into the outbox, Message-ID fixed; a worker hands it over when it is due. Joins a transaction.

    hold_seconds: can be cancelled for so long ("Undo"). send_at: not before (aware). idempotency_key: for 24 hours the
    same key and letter of this sender give the same row. automatic: written by a sequence, marked so (RFC 3834).
    headers: further fields such as List-Unsubscribe. Wake the workers afterwards: `tasks.deliver(outgoing)`.

    :raises SendingInactive: the account (or with none given: no account) sends. :raises LetterInvalid: with all that
    can never be sent. :raises IdempotencyMismatch, InProgress. Nothing is written then.
    """
    account = sending_account(sender, letter.account)
    now = timezone.now()
    held_until = max(now + timedelta(seconds=hold_seconds), send_at or now)
    with transaction.atomic():
        return Outgoing.objects.create(
            sender=sender,
            account=account,
            state=OutgoingState.HELD if held_until > now else OutgoingState.QUEUED,
            due_at=held_until,
            send_at=send_at,
            message_id_header=rules.new_message_id(account.address),
            subject=letter.subject,
            receivers=[person.address for person in _receivers(letter)],
            automatic=automatic,
        )


def sending_account(sender: User, account: EmailAccount | None = None) -> EmailAccount:
    """The sender's account to send from: this one, or without one the default.

    :raises SendingInactive: it does not send. An account of somebody else counts as one that is not there.
    """
    own = EmailAccount.objects.connected().filter(owner=sender)
    found = own.filter(pk=account.pk).first() if account else own.filter(is_default=True).first()
    if found is None:
        raise SendingInactive(SendingInactive.MSGID_NONE)
    if not found.smtp_host:
        raise SendingInactive(SendingInactive.MSGID_NO_SMTP, {"address": found.address})
    if found.state == State.DEACTIVATED:
        raise SendingInactive(SendingInactive.MSGID_DEACTIVATED, {"address": found.address})
    package = team_queries.workspace().package
    if not account_rules.is_sending_active(
        wanted=found.sending_active, has_smtp=True, is_default=found.is_default, package=package
    ):
        if found.sending_active and not found.is_default:
            default = own.filter(is_default=True).values_list("address", flat=True).first() or "–"
            raise SendingInactive(SendingInactive.MSGID_BASIC, {"default": default})
        raise SendingInactive(SendingInactive.MSGID, {"address": found.address})
    return found


def cancel_outgoing(sender: User, outgoing_id: int) -> Outgoing:
    """Take back a mail that has not left; it goes from the wall. Again does nothing.

    :raises OutgoingNotFound, TooLate.
    """
    waiting = (OutgoingState.HELD, OutgoingState.QUEUED)
    with transaction.atomic():
        outgoing = _own(sender, outgoing_id)
        if outgoing.state == OutgoingState.CANCELLED:
            return outgoing
        rows = Outgoing.objects.filter(pk=outgoing.pk, state__in=waiting, data_started_at__isnull=True)
        if not rows.update(state=OutgoingState.CANCELLED, settled_at=timezone.now(), lease_token="", lease_until=None):
            raise TooLate(TooLate.MSGID_CANCEL)
        hooks.tell_outgoing_settled(outgoing.pk, hooks.CANCELLED)
        return _own(sender, outgoing_id)


def settle(sender: User, outgoing_id: int, decision: str) -> Outgoing:
    """What the sender knows of a mail in `needs_review`: decision "it_was_sent" or "send_again".

    :raises OutgoingNotFound, TooLate.
    """
    raise TooLate(TooLate.MSGID_SETTLE)


def retry(sender: User, outgoing_id: int) -> Outgoing:
    """Queue a failed mail again, unchanged; what the server had refused for good it may refuse again.

    :raises OutgoingNotFound, TooLate, SendingInactive.
    """
    raise TooLate(TooLate.MSGID_RETRY)


def _own(sender: User, outgoing_id: int) -> Outgoing:
    found = Outgoing.objects.of(sender).filter(pk=outgoing_id).first()
    if found is None:
        raise OutgoingNotFound
    return found


def _receivers(letter: Letter) -> list[Address]:
    people = {person.address: person for person in (*letter.to, *letter.cc, *letter.bcc)}
    return list(people.values())
