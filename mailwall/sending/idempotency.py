"""The same request twice gives one mail: the key is reserved, for all to see, before the work begins."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from mailwall.sending import rules
from mailwall.sending.errors import IdempotencyMismatch, InProgress
from mailwall.sending.models import IdempotencyKey, Outgoing
from mailwall.sending.types import Letter
from mailwall.team.models import User

RUNS_AT_MOST = timedelta(minutes=1)  # a request that takes longer has died


def once(user: User, key: str, request: tuple[Letter, int, datetime | None], call: Callable[[], Outgoing]) -> Outgoing:
    """What `call` gives; for 24 hours the same key of this user gives the same, without calling again.

    request: what the key stands for: letter, hold_seconds, send_at. What `call` raises frees the key.

    :raises IdempotencyMismatch: the key stands for another request. :raises InProgress: the first one runs still.
    """
    now, asked = timezone.now(), digest(*request)
    mine = IdempotencyKey.objects.filter(user=user, key=key)
    mine.filter(reserved_at__lt=now - rules.IDEMPOTENCY_KEPT).delete()
    mine.filter(reserved_at__lt=now - RUNS_AT_MOST, outgoing=None).delete()
    values = {"body_hash": asked, "reserved_at": now}
    reservation, is_first = IdempotencyKey.objects.get_or_create(user=user, key=key, defaults=values)
    if not is_first:
        return _answer(reservation, asked)
    own = IdempotencyKey.objects.filter(pk=reservation.pk, outgoing=None)
    try:
        with transaction.atomic():
            outgoing = call()
            if not own.update(outgoing=outgoing):  # it took so long that another one began
                raise InProgress
    except BaseException:
        own.delete()
        raise
    return outgoing


def forget_old_keys(now: datetime) -> int:
    """Drop keys that hold no longer; gives how many."""
    return IdempotencyKey.objects.filter(reserved_at__lt=now - rules.IDEMPOTENCY_KEPT).delete()[0]


def _answer(reservation: IdempotencyKey, asked: str) -> Outgoing:
    if reservation.body_hash != asked:
        raise IdempotencyMismatch
    if reservation.outgoing is None:
        raise InProgress
    return reservation.outgoing


def digest(letter: Letter, hold_seconds: int, send_at: datetime | None) -> str:
    """Equal for the same request. Bytes of files count by their hash, the account by its id."""
    files = [
        (file.filename, file.content_type, file.content_id, hashlib.blake2b(file.raw_content).hexdigest())
        for file in letter.files
    ]
    said = replace(letter, account=None, files=())
    account_id = letter.account.pk if letter.account else None
    whole = repr((account_id, said, files, hold_seconds, send_at))
    return hashlib.blake2b(whole.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
