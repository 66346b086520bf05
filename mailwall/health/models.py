"""Tables of what happened, by the hour, and of the processes that run."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class Tally(models.Model):
    """How often something happened in an hour. shard: spreads writers over rows, so that none waits for another.

    name, code: what, such as 'messages' '', 'imap_error' 'imap_timeout', 'sent' 'failed'. Hours of long ago are added
    up in one row at `tallies.BEFORE`, so that the sum over all hours only grows.
    """

    name = models.CharField(max_length=20)
    code = models.CharField(max_length=60, blank=True)
    hour = models.DateTimeField()
    shard = models.PositiveSmallIntegerField(default=0)
    total = models.BigIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["name", "code", "hour", "shard"], name="tally_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.code}: {self.total}"


class Beat(models.Model):
    """A process that runs, and when it was last heard of, by the database's clock.

    own_clock_at: the process's own time of that moment. ticked_at: when it last looked for due work.
    """

    machine = models.CharField(max_length=255)
    pid = models.PositiveIntegerField()
    part = models.CharField(max_length=20)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    own_clock_at = models.DateTimeField()
    ticked_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["machine", "pid", "part"], name="beat_once")]

    def __str__(self) -> str:
        return f"{self.part} {self.pid} on {self.machine}"

    @property
    def clock_off_seconds(self) -> float:
        """How far its clock is ahead of the database's."""
        return (self.own_clock_at - self.seen_at).total_seconds()
