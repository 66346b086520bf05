"""Who wants no more mail: the signed link in every mail, and the workspace's list that all sequences respect."""

from __future__ import annotations

from collections.abc import Collection

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from mailwall.mime.addresses import fold_address
from mailwall.sequences import endings
from mailwall.sequences.models import Enrolment, EnrolmentState, Suppression
from mailwall.team.models import User

_signer = signing.Signer(salt="mailwall.sequences.unsubscribe")


def link_for(enrolment_id: int) -> str:
    """The address in a mail by which its receiver unsubscribes: of this receiver in this sequence, for ever."""
    return settings.BASE_URL + reverse("sequences:unsubscribe", args=[_signer.sign(str(enrolment_id))])


def enrolment_for(token: str) -> Enrolment | None:
    """Whose link it is; None when the token is not one of ours."""
    try:
        number = int(_signer.unsign(token))
    except (signing.BadSignature, ValueError):
        return None
    return Enrolment.objects.select_related("sequence").filter(pk=number).first()


def unsubscribe(enrolment: Enrolment) -> None:
    """No sequence writes to this address any more, and every one under way to it ends. Again does nothing."""
    with transaction.atomic():
        _suppress(enrolment.address, source=Suppression.Source.UNSUBSCRIBED, sequence_id=enrolment.sequence_id)
        _end_all(enrolment.address, first=enrolment.pk)


def suppress_by_hand(admin: User, address: str, note: str) -> None:
    """Put an address on the list. Again does nothing."""
    with transaction.atomic():
        _suppress(fold_address(address), source=Suppression.Source.BY_HAND, by=admin, note=note)
        _end_all(fold_address(address))


def lift(admin: User, suppression_id: int, note: str) -> bool:
    """Allow sequences to write to the address again; the row stays with the reason. False: it was not on the list."""
    rows = Suppression.objects.filter(pk=suppression_id, lifted_at__isnull=True)
    return bool(rows.update(lifted_at=timezone.now(), lifted_by=admin, lifted_note=note))


def is_suppressed(address: str) -> bool:
    return bool(suppressed_among([address]))


def suppressed_among(addresses: Collection[str]) -> set[str]:
    """Those of the normal addresses that no sequence may write to."""
    rows = Suppression.objects.filter(address__one_of=sorted(addresses), lifted_at__isnull=True)
    return set(rows.values_list("address", flat=True))


def listed(q: str = "") -> QuerySet[Suppression]:
    """The list with what was lifted, newest first."""
    rows = Suppression.objects.select_related("sequence", "created_by", "lifted_by").order_by("-pk")
    return rows.filter(address__contains=fold_address(q)) if q.strip() else rows


def _suppress(
    address: str, *, source: str, sequence_id: int | None = None, by: User | None = None, note: str = ""
) -> None:
    if is_suppressed(address):
        return
    try:
        with transaction.atomic():
            Suppression.objects.create(
                address=address,
                source=source,
                sequence_id=sequence_id,
                created_by=by,
                note=note,
                created_at=timezone.now(),
            )
    except IntegrityError:  # two clicks at the same moment
        return


def _end_all(address: str, *, first: int | None = None) -> None:
    now = timezone.now()
    rows = Enrolment.objects.open().filter(address=address)
    if first is not None:
        rows = Enrolment.objects.listening(now).filter(Q(pk=first) | Q(pk__in=rows))
    ids = list(rows.values_list("pk", flat=True))
    endings.end(ids, state=EnrolmentState.UNSUBSCRIBED, reason="unsubscribed")
