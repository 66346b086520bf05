"""Processes that run say so every few seconds; whoever is silent for a minute is dead, or cut off from the database."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta

from django.utils import timezone

from mailwall.health.models import Beat
from mailwall.web import clock

FORGET_AFTER = timedelta(hours=24)


def beat(part: str, started_at: datetime, *, ticks: bool = True) -> None:
    """Say that this process lives, and measure its clock; cheap, to be called every few seconds."""
    clock.measure()
    now = clock.now()
    told = {"started_at": started_at, "seen_at": now, "own_clock_at": timezone.now()}
    Beat.objects.update_or_create(
        machine=socket.gethostname()[:255],
        pid=os.getpid(),
        part=part,
        defaults=told | ({"ticked_at": now} if ticks else {}),
    )


def stop(part: str) -> None:
    """Say that this process ends as it should."""
    Beat.objects.filter(machine=socket.gethostname()[:255], pid=os.getpid(), part=part).delete()


def forget_old(now: datetime) -> int:
    """Drop processes that nobody has heard of for a day."""
    return Beat.objects.filter(seen_at__lt=now - FORGET_AFTER).delete()[0]
