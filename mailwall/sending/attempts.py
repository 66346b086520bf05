"""One try to hand a mail over: claimed, begun, ended. Every write is a conditional UPDATE that carries the try's token.

The order is what makes a mail leave at most once: `begin_data` is committed before DATA is said, and from then on no
worker claims the mail. A worker that was overtaken or whose mail was cancelled finds its token gone and says no DATA.
"""

from __future__ import annotations

import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError
from mailwall.mailstore.models import DeliveryState
from mailwall.sending import hooks, rules, services
from mailwall.sending.models import CopyState, Outgoing, OutgoingState

logger = logging.getLogger(__name__)

CLAIMED_AT_ONCE = 5  # what a killed worker held waits for the end of its lease
LOOK_FIRST_AFTER = timedelta(seconds=30)  # while a worker lives, its own answer comes sooner
LOOK_SOON_AFTER = timedelta(seconds=5)
MSGID_PARTLY = _("Not delivered to %(addresses)s: %(words)s")
_DATABASE_PAUSES = (0.2, 0.5, 1, 2, 5, 10, 10)


class Overtaken(MailwallError):
    """The mail was cancelled, or another worker has it; this try may not begin."""

    code = "overtaken"


def claim(account_id: int, now: datetime) -> list[Outgoing]:
    """Take the next few mails of an account that are due, oldest first; [] when there are none."""
    token = secrets.token_hex(16)
    taken = {
        "state": OutgoingState.QUEUED, "lease_token": token, "attempts": F("attempts") + 1,
        "lease_until": now + timedelta(seconds=settings.LEASE_SECONDS),
    }  # fmt: skip
    due = Outgoing.objects.due(now).filter(account_id=account_id)
    while ids := list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:CLAIMED_AT_ONCE]):
        if Outgoing.objects.due(now).filter(pk__in=ids).update(**taken):
            mine = Outgoing.objects.filter(pk__in=ids, lease_token=token)
            return list(mine.select_related("sender").order_by("due_at", "pk"))
        # another worker was faster: the next ones
    return []


def release(rows: Iterable[Outgoing], error: MailwallError | None = None) -> None:
    """Give mails back that were not tried; they are due as before. error: why, to be shown."""
    for row in rows:
        told = _told(error) if error else {}
        _held(row).update(**_FREE, **told, attempts=F("attempts") - 1)


def begin_data(row: Outgoing) -> None:
    """The fence before DATA: from this commit on the mail is never handed over again by itself.

    :raises Overtaken: this try may not begin.
    """
    now = timezone.now()
    begun = {"state": OutgoingState.SENDING, "data_started_at": now, "look_at": now + LOOK_FIRST_AFTER}
    if not _held(row).filter(state=OutgoingState.QUEUED).update(**begun):
        raise Overtaken("Another worker has this mail, or it was cancelled.")


def sent(row: Outgoing, refused: Mapping[str, str]) -> None:
    """The server took it over, but for the receivers in `refused` ({address: its words})."""
    _persistently(lambda: _sent(row, refused))


def _sent(row: Outgoing, refused: Mapping[str, str]) -> None:
    now = timezone.now()
    with transaction.atomic():
        done = {"state": OutgoingState.SENT, "sent_at": now, "settled_at": now, "refused": dict(refused)}
        copy = {"copy_state": CopyState.WANTED, "copy_at": now}
        if _held(row).update(**done, **copy, **_FREE, **services.NO_ERROR):
            reason = None
            if refused:
                params = {"addresses": ", ".join(refused), "words": "; ".join(dict.fromkeys(refused.values()))}
                reason = {"msgid": MSGID_PARTLY, "params": params}
            services.show_delivery(row, DeliveryState.SENT, reason)
            hooks.tell_outgoing_settled(row.pk, hooks.SENT)


def failed(row: Outgoing, error: MailwallError) -> None:
    """It was not sent and will not be, unless somebody asks for it."""
    with transaction.atomic():
        values = {"state": OutgoingState.FAILED, "settled_at": timezone.now(), "data_started_at": None}
        if _held(row).update(**values, **_FREE, **_told(error)):
            services.show_delivery(row, DeliveryState.FAILED, reason_of(error))
            hooks.tell_outgoing_settled(row.pk, hooks.FAILED)
    logger.info("mail failed", extra={"outgoing_id": row.pk, "code": error.code})


def later(row: Outgoing, error: MailwallError) -> None:
    """It was certainly not sent: try again after a pause, or give up after a day of tries."""
    now = timezone.now()
    if rules.gives_up(row.attempts, row.queued_at, now):
        failed(row, error)
        return
    due_at = now + rules.retry_after(row.attempts, random.random())  # noqa: S311 -- spreads, keeps no secret
    values = {"state": OutgoingState.QUEUED, "due_at": due_at, "data_started_at": None, "look_at": None}
    _held(row).update(**values, **_FREE, **_told(error))
    logger.info("mail tried again later", extra={"outgoing_id": row.pk, "code": error.code, "attempts": row.attempts})


def unknown(row: Outgoing, error: MailwallError) -> None:
    """The answer to DATA was lost: look for it in Sent, never send it again by itself."""
    _held(row).update(look_at=timezone.now() + LOOK_SOON_AFTER, **_FREE, **_told(error))
    logger.warning("outcome of a mail is unknown", extra={"outgoing_id": row.pk})


def reason_of(error: MailwallError) -> dict[str, Any]:
    """What the card says, in any language."""
    return {"msgid": getattr(error, "msgid", "") or error.message, "params": getattr(error, "params", {})}


_FREE: dict[str, Any] = {"lease_token": "", "lease_until": None}


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


def _persistently(write: Callable[[], None]) -> None:
    """Write what must not be forgotten, through a restart of the database."""
    for pause in (*_DATABASE_PAUSES, None):
        try:
            write()
            return
        except (OperationalError, InterfaceError):
            if pause is None:
                raise
            close_old_connections()
            time.sleep(pause)
