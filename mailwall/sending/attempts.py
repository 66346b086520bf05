"""One try to hand a mail over: claimed, begun, ended. Every write is a conditional UPDATE that carries the try's token.

The order is what makes a mail leave at most once: `begin` is committed before a word of it is said, and from then on no
worker claims the mail. A worker that was overtaken or whose mail was cancelled finds its token gone and says nothing.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.models import F
from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError
from mailwall.mailstore.models import DeliveryState
from mailwall.sending import hooks, rules, services, statements
from mailwall.sending.models import CopyState, Outgoing, OutgoingContent, OutgoingState
from mailwall.sending.statements import End
from mailwall.smtp.errors import SmtpTemporary
from mailwall.smtp.types import SubmitResult
from mailwall.web import clock

logger = logging.getLogger(__name__)

LOOK_SOON_AFTER = timedelta(seconds=5)
MSGID_PARTLY = _("Not delivered to %(addresses)s: %(words)s")
MSGID_WAITING = _("Delivered to %(accepted)s. Not yet to %(addresses)s, we try again: %(words)s")
_DATABASE_PAUSES = (0.2, 0.5, 1, 2, 5, 10, 10)


class Overtaken(MailwallError):
    """The mail was cancelled, or another worker has it; this try may not begin."""

    code = "overtaken"


def claim(account_id: int, now: datetime, at_once: int = rules.CLAIMED_FIRST) -> list[Outgoing]:
    """Take the next few mails of an account that are due, oldest first; [] when there are none."""
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    return statements.claim(account_id, now, until, secrets.token_hex(16), at_once)


def release(rows: Iterable[Outgoing], error: MailwallError | None = None) -> None:
    """Give mails back of which nothing was said; they are due as before. error: why, to be shown."""
    for row in rows:
        told = _told(error) if error else {}
        _held(row).update(**_NOT_BEGUN, **_FREE, **told, attempts=F("attempts") - 1)


def tell_waiting(account_id: int, error: MailwallError) -> None:
    """Let all mails of an account that are due say why they wait."""
    Outgoing.objects.due(clock.now()).filter(account_id=account_id).update(**_told(error))


def begin(row: Outgoing) -> None:
    """The fence before a mail is said: from this commit on it is never handed over again by itself.

    :raises Overtaken: this try may not begin.
    """
    if not statements.begin(row, clock.now()):
        raise Overtaken("Another worker has this mail, or it was cancelled.")


def sent(row: Outgoing, result: SubmitResult, *, then: Outgoing | None = None) -> bool:
    """The server took it over for at least one receiver. Those it put off are tried again, alone.

    then: the mail that this worker hands over next; it begins in the same commit. Gives whether it may.
    """
    accepted = [*row.accepted, *result.accepted]
    never = {address: refusal.words for address, refusal in result.refused.items() if refusal.permanent}
    waiting = {address: refusal.words for address, refusal in result.refused.items() if not refusal.permanent}
    if waiting and not rules.gives_up(row.attempts, row.queued_at, clock.now()):
        refused = {**row.refused, **never}
        return _persistently(lambda: _partly_sent(row, accepted, refused, waiting))
    refused = {**row.refused, **never, **waiting}
    return _persistently(lambda: _sent(row, accepted, refused, then))


def _sent(row: Outgoing, accepted: Sequence[str], refused: Mapping[str, str], then: Outgoing | None) -> bool:
    reason = None
    if refused:
        params = {"addresses": ", ".join(refused), "words": _once(refused.values())}
        reason = {"msgid": MSGID_PARTLY, "params": params}
    now = clock.now()
    ended = End(row=row, accepted=accepted, refused=refused, reason=reason, at=now)
    listened_to = row.automatic or getattr(row, "is_draft", True)
    if not listened_to and row.sent_at is None and not connection.in_atomic_block:
        return statements.end_and_begin(ended, then)
    with transaction.atomic():
        if statements.end(ended):
            if row.sent_at is not None:  # its copy may have been filed when the first receivers got it
                settled_copy = Outgoing.objects.filter(pk=row.pk).exclude(copy_state=CopyState.WANTED)
                OutgoingContent.objects.filter(outgoing__in=settled_copy).delete()
            if listened_to:
                hooks.tell_outgoing_settled(row.pk, hooks.SENT)
        return then is not None and statements.begin(then, now)


def _partly_sent(
    row: Outgoing, accepted: Sequence[str], refused: Mapping[str, str], waiting: Mapping[str, str]
) -> bool:
    now = clock.now()
    names = {"accepted": ", ".join(accepted), "addresses": ", ".join(waiting), "words": _once(waiting.values())}
    told = {"error_code": SmtpTemporary.code, "error_msgid": MSGID_WAITING, "error_params": names}
    copy = {} if row.sent_at else {"sent_at": now, "copy_state": CopyState.WANTED, "copy_at": now}
    with transaction.atomic():
        _held(row).update(
            accepted=accepted, refused=refused, due_at=_next_try(row, now), **_NOT_BEGUN, **_FREE, **copy, **told,
            error_message=MSGID_WAITING % names,
        )  # fmt: skip
        services.show_delivery(row, DeliveryState.WAITING, {"msgid": MSGID_WAITING, "params": names})
    return False


def _once(words: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(words))


def _next_try(row: Outgoing, now: datetime) -> datetime:
    return now + rules.retry_after(row.attempts, random.random())  # noqa: S311 -- spreads, keeps no secret


def failed(row: Outgoing, error: MailwallError) -> None:
    """It was not sent and will not be, unless somebody asks for it. Where some have it, it is for the others."""
    if row.accepted:
        refused = {**row.refused, **dict.fromkeys(row.remaining, error.message)}
        _persistently(lambda: _sent(row, row.accepted, refused, None))
        return
    with transaction.atomic():
        values = {"state": OutgoingState.FAILED, "settled_at": clock.now(), "data_started_at": None}
        if _held(row).update(**values, **_FREE, **_told(error)):
            services.show_delivery(row, DeliveryState.FAILED, reason_of(error))
            hooks.tell_outgoing_settled(row.pk, hooks.FAILED)
    logger.info("mail failed", extra={"outgoing_id": row.pk, "code": error.code})


def later(row: Outgoing, error: MailwallError) -> None:
    """It was certainly not sent: try again after a pause, or give up after a day of tries."""
    now = clock.now()
    if rules.gives_up(row.attempts, row.queued_at, now):
        failed(row, error)
        return
    _held(row).update(due_at=_next_try(row, now), **_NOT_BEGUN, **_FREE, **_told(error))
    logger.info("mail tried again later", extra={"outgoing_id": row.pk, "code": error.code, "attempts": row.attempts})


def unknown(row: Outgoing, error: MailwallError) -> None:
    """The answer to DATA was lost: look for it in Sent, never send it again by itself."""
    _held(row).update(look_at=clock.now() + LOOK_SOON_AFTER, **_FREE, **_told(error))
    logger.warning("outcome of a mail is unknown", extra={"outgoing_id": row.pk})


def reason_of(error: MailwallError) -> dict[str, Any]:
    """What the card says, in any language."""
    return {"msgid": getattr(error, "msgid", "") or error.message, "params": getattr(error, "params", {})}


_FREE: dict[str, Any] = {"lease_token": "", "lease_until": None}
_NOT_BEGUN: dict[str, Any] = {"state": OutgoingState.QUEUED, "data_started_at": None, "look_at": None}


def _held(row: Outgoing) -> Any:
    """The row while this try has it."""
    return Outgoing.objects.filter(pk=row.pk, lease_token=row.lease_token).exclude(lease_token="")


def _told(error: MailwallError) -> dict[str, Any]:
    return {
        "error_code": error.code[:60],
        "error_message": error.message,
        "error_msgid": getattr(error, "msgid", ""),
        "error_params": getattr(error, "params", {}),
    }


def _persistently(write: Callable[[], bool]) -> bool:
    """Write what must not be forgotten, through a restart of the database."""
    for pause in (*_DATABASE_PAUSES, None):
        try:
            return write()
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            close_old_connections()
            time.sleep(pause)
    raise AssertionError  # the last pause is None
