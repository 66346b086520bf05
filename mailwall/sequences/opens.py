"""Opens of mails: only where the admin allows it and the sequence wants it; both are asked again at every opening.

A mail then has a picture with a signed address. Who loads it is told apart: programs that fetch pictures by themselves
count for themselves, and our own reading never counts. What Mailwall shows of a mail, and the copy it files in Sent,
has no such picture (mime/pixels.py).
"""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.core import signing
from django.db.models import F
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from mailwall.sequences import rules
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.models import StepRun
from mailwall.team import queries as team_queries

_signer = signing.Signer(salt="mailwall.sequences.opened", sep=".")


def may_be_measured() -> bool:
    """Whether the workspace allows it."""
    return team_queries.workspace().may_measure_opens


def are_shown(sequence: SequenceRow) -> bool:
    """Whether the sums of a sequence are told; they rest while it does not measure."""
    return sequence.measures_opens and may_be_measured()


def have_an_address() -> bool:
    """Whether receivers can reach this installation at its address."""
    return rules.is_reachable(settings.BASE_URL)


def are_measured(sequence_id: int) -> bool:
    wanted = SequenceRow.objects.filter(pk=sequence_id, measures_opens=True).exists()
    return wanted and may_be_measured() and have_an_address()


def link_for(enrolment_id: int, step_key: int) -> str:
    """The address of the picture in the mail of one step to one contact."""
    return settings.BASE_URL + reverse("sequences:opened", args=[_signer.sign(f"{enrolment_id}-{step_key}")])


def note_opening(token: str, *, agent: str, is_prefetch: bool) -> None:
    """Count that somebody, or a machine, loaded a picture. A token that is none of ours counts nothing.

    agent: the User-Agent. is_prefetch: the request itself says that nobody looks yet, as HEAD does.
    """
    now, run = timezone.now(), _measured_run(token)
    if run is None or not may_be_measured():
        return
    pk, sent_at = run
    same = StepRun.objects.filter(pk=pk)
    if is_prefetch or rules.is_machine(agent, seconds=_seconds(sent_at, now)):
        same.update(machine_opens=F("machine_opens") + 1)
    else:
        same.update(opens=F("opens") + 1, first_opened_at=Coalesce("first_opened_at", now), last_opened_at=now)


def _measured_run(token: str) -> tuple[int, datetime | None] | None:
    """(run, when its mail had left) of a picture whose sequence still measures."""
    try:
        enrolment_id, _dash, step_key = _signer.unsign(token).partition("-")
    except signing.BadSignature:
        return None
    rows = StepRun.objects.filter(enrolment=int(enrolment_id), step_key=int(step_key), has_pixel=True)
    return rows.filter(sequence__measures_opens=True).values_list("pk", "outgoing__sent_at").first()


def _seconds(sent_at: datetime | None, now: datetime) -> float:
    """Since the mail left; 0 while it is leaving."""
    return (now - sent_at).total_seconds() if sent_at else 0.0
