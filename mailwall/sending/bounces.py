"""Mail that came back: read from ordinary synchronisation, it is told on the card of the mail that it is about.

Only a bounce in the very account that sent the mail counts, and only by the mail's own Message-ID, which nobody but its
receivers can know.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from mailwall.mailstore import own_copies
from mailwall.mailstore.models import DeliveryState, Direction, Message, Participant, ParticipantRole
from mailwall.mime import reports
from mailwall.mime.addresses import fold_address
from mailwall.mime.reports import FailedReceiver
from mailwall.sending import hooks, services
from mailwall.sending.attempts import MSGID_PARTLY
from mailwall.sending.models import CopyState, Outgoing, OutgoingState, UndeliverableAddress

logger = logging.getLogger(__name__)

MSGID_UNKNOWN_REASON = _("Not delivered to %(addresses)s.")
_WAS_IT_SENT = (OutgoingState.SENDING, OutgoingState.NEEDS_REVIEW)


def on_messages_arrived(message_ids: Sequence[int], history: bool) -> None:
    """Settle what bounces among them are about; people who write can be reached again."""
    for bounce in Message.objects.filter(id__one_of=message_ids, automatic="bounce").select_related("body"):
        _read(bounce)
    _clear_who_writes(message_ids)


def _read(bounce: Message) -> None:
    body = bounce.body
    named = (*reports.message_ids_in(body.report, body.text), bounce.in_reply_to, *bounce.references)
    known = own_copies.original_ids([each for each in named if each])
    mine = Outgoing.objects.filter(account_id=bounce.account_id, message_id_header__in=sorted(known))
    outgoing = mine.order_by("-pk").first()
    if outgoing is None:
        return
    receivers = {fold_address(address) for address in outgoing.receivers}
    failed = reports.failed_receivers(body.report, body.text, receivers)
    if failed:
        _settle(outgoing, failed)


def _settle(outgoing: Outgoing, failed: Sequence[FailedReceiver]) -> None:
    """Note it on the mail, its card and the addresses. Again, for another receiver, adds to it."""
    now = timezone.now()
    with transaction.atomic():
        _settle_unknown(outgoing)
        refused = {**outgoing.refused, **{receiver.address: receiver.words for receiver in failed}}
        sent = Outgoing.objects.filter(pk=outgoing.pk, state=OutgoingState.SENT)
        is_first = bool(sent.filter(bounced_at__isnull=True).update(bounced_at=now))
        if not sent.update(refused=refused):
            return
        words = "; ".join(dict.fromkeys(each for each in refused.values() if each))
        msgid = MSGID_PARTLY if words else MSGID_UNKNOWN_REASON
        params = {"addresses": ", ".join(refused), "words": words}
        services.show_delivery(outgoing, DeliveryState.FAILED, {"msgid": msgid, "params": params})
        for receiver in failed:
            if receiver.permanent:
                UndeliverableAddress.objects.update_or_create(
                    address=receiver.address,
                    defaults={"reason": receiver.words, "outgoing": outgoing, "bounced_at": now},
                )
        if is_first:
            hooks.tell_outgoing_settled(outgoing.pk, hooks.BOUNCED)
    logger.info("mail bounced", extra={"outgoing_id": outgoing.pk, "receivers": len(failed)})


def _settle_unknown(outgoing: Outgoing) -> None:
    """What comes back was sent, even where nobody knew."""
    now = timezone.now()
    unknown = Outgoing.objects.filter(pk=outgoing.pk, state__in=_WAS_IT_SENT)
    values = {"state": OutgoingState.SENT, "sent_at": outgoing.data_started_at or now, "settled_at": now}
    free = {"lease_token": "", "lease_until": None, "look_at": None, **services.NO_ERROR}
    if unknown.update(**values, **free, copy_state=CopyState.WANTED, copy_at=now):
        hooks.tell_outgoing_settled(outgoing.pk, hooks.SENT)


def _clear_who_writes(message_ids: Sequence[int]) -> None:
    """A person from whom mail comes has a working address."""
    human = Message.objects.filter(id__one_of=message_ids, direction=Direction.RECEIVED, automatic="")
    senders = Participant.objects.filter(message__in=human, role=ParticipantRole.FROM).values("address__address")
    UndeliverableAddress.objects.filter(address__in=senders).delete()
