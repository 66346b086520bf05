"""One try to hand a mail over: claimed, begun, ended. Every write is a conditional UPDATE that carries the try's token.

The order is what makes a mail leave at most once: `begin` is committed before a word of it is said, and from then on no
worker claims the mail. A worker that was overtaken or whose mail was cancelled finds its token gone and says nothing.
"""

from __future__ import annotations

import json
import logging
import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.db.models import Exists, F, Model, OuterRef
from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError
from mailwall.mailstore.models import DeliveryState, Message
from mailwall.sending import hooks, rules, services
from mailwall.sending.models import CopyState, DraftMessage, Outgoing, OutgoingContent, OutgoingState
from mailwall.smtp.errors import SmtpTemporary
from mailwall.smtp.types import SubmitResult
from mailwall.web import clock

logger = logging.getLogger(__name__)

LOOK_FIRST_AFTER = timedelta(seconds=30)  # while a worker lives, its own answer comes sooner
LOOK_SOON_AFTER = timedelta(seconds=5)
MSGID_PARTLY = _("Not delivered to %(addresses)s: %(words)s")
MSGID_WAITING = _("Delivered to %(accepted)s. Not yet to %(addresses)s, we try again: %(words)s")
_DATABASE_PAUSES = (0.2, 0.5, 1, 2, 5, 10, 10)


class Overtaken(MailwallError):
    """The mail was cancelled, or another worker has it; this try may not begin."""

    code = "overtaken"


def claim(account_id: int, now: datetime, at_once: int = rules.CLAIMED_FIRST) -> list[Outgoing]:
    """Take the next few mails of an account that are due, oldest first; [] when there are none."""
    token = secrets.token_hex(16)
    taken = {
        "state": OutgoingState.QUEUED, "lease_token": token, "attempts": F("attempts") + 1,
        "lease_until": now + timedelta(seconds=settings.LEASE_SECONDS),
    }  # fmt: skip
    due = Outgoing.objects.due(now).filter(account_id=account_id)
    while ids := list(due.order_by("due_at", "pk").values_list("pk", flat=True)[:at_once]):
        if Outgoing.objects.due(now).filter(pk__in=ids).update(**taken):
            is_draft = Exists(DraftMessage.objects.filter(outgoing=OuterRef("pk")))
            mine = Outgoing.objects.filter(pk__in=ids, lease_token=token).annotate(is_draft=is_draft)
            return list(mine.only(*_COLUMNS).order_by("due_at", "pk"))
        # another worker was faster: the next ones
    return []


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
    with connection.cursor() as cursor:
        now = clock.now()
        if not _begin(cursor, row, _stored(now), _stored(now + LOOK_FIRST_AFTER)):
            raise Overtaken("Another worker has this mail, or it was cancelled.")


def _begin(cursor: CursorWrapper, row: Outgoing, at: Any, look_at: Any) -> bool:
    cursor.execute(_BEGIN, (at, look_at, row.pk, row.lease_token))
    return bool(cursor.rowcount)


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
    now = clock.now()
    at, look_at = _stored(now), _stored(now + LOOK_FIRST_AFTER)
    settled = (at, at, json.dumps(accepted), json.dumps(refused), at, row.pk, row.lease_token)
    reason = None
    if refused:
        params = {"addresses": ", ".join(refused), "words": _once(refused.values())}
        reason = json.dumps({"msgid": MSGID_PARTLY, "params": params})
    listened_to = row.automatic or getattr(row, "is_draft", True)
    if connection.vendor == "postgresql" and not listened_to and row.sent_at is None:
        begins = (at, look_at, then.pk, then.lease_token) if then else (None, None, None, "")
        with connection.cursor() as cursor:
            cursor.execute(_ALL_AT_ONCE, (*settled, reason, *begins))
            return bool(cursor.fetchone()[0])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_SENT, settled)
        if cursor.rowcount:
            cursor.execute(_SHOW_SENT, (reason, row.message_id))
            if row.sent_at is not None:  # its copy may have been filed when the first receivers got it
                settled_copy = Outgoing.objects.filter(pk=row.pk).exclude(copy_state=CopyState.WANTED)
                OutgoingContent.objects.filter(outgoing__in=settled_copy).delete()
            if listened_to:
                hooks.tell_outgoing_settled(row.pk, hooks.SENT)
        return then is not None and _begin(cursor, then, at, look_at)


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


# -- what every single mail costs: three statements, written out, for the ORM takes longer to make than to run them

#: what a try reads of its mail
_COLUMNS = (
    "account_id", "sender_id", "message_id", "state", "receivers", "refused", "size_bytes", "automatic", "queued_at",
    "attempts", "lease_token", "accepted", "sent_at",
)  # fmt: skip


def _of(model: type[Model]) -> str:
    return str(model._meta.db_table)


_BEGIN = f"""UPDATE {_of(Outgoing)} SET state = 'sending', data_started_at = %s, look_at = %s
WHERE id = %s AND lease_token = %s AND state = 'queued'"""  # noqa: S608 -- a table of ours
_SENT = f"""UPDATE {_of(Outgoing)} SET state = 'sent', sent_at = COALESCE(sent_at, %s), settled_at = %s,
accepted = %s, refused = %s, copy_at = CASE copy_state WHEN '' THEN %s ELSE copy_at END,
copy_state = CASE copy_state WHEN '' THEN 'wanted' ELSE copy_state END, lease_token = '', lease_until = NULL,
error_code = '', error_message = '', error_msgid = '', error_params = '{{}}'
WHERE id = %s AND lease_token = %s AND lease_token <> ''"""  # noqa: S608
_SHOW_SENT = f"UPDATE {_of(Message)} SET delivery_state = 'sent', delivery_reason = %s WHERE id = %s"  # noqa: S608
#: the same three where one statement can do them (PostgreSQL): one question instead of five
_ALL_AT_ONCE = f"""WITH settled AS ({_SENT} RETURNING message_id),
shown AS (UPDATE {_of(Message)} SET delivery_state = 'sent', delivery_reason = %s::jsonb
  WHERE id IN (SELECT message_id FROM settled)),
begun AS ({_BEGIN} RETURNING id)
SELECT count(*) FROM begun"""  # noqa: S608


def _stored(moment: datetime) -> Any:
    """A moment as the database has it."""
    return connection.ops.adapt_datetimefield_value(moment)


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
