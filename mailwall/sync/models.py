"""Tables of folders with their cursors, placements, the ledger and runs.

uid, uidvalidity, uidnext are unsigned 32 bit, modseq 63 bit (RFC 9051 §9): all BigInteger.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message


class Folder(models.Model):
    """A folder of an account and how far it has been read.

    Every uid from `low_uid` up to `high_uid` (both included) is accounted for: placed, or in the ledger, or out of the
    window. New mail raises high_uid; the first import goes newest first and lowers low_uid until `import_done`.
    """

    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="folders")
    raw_name = models.BinaryField(max_length=1000)
    name = models.CharField(max_length=500)
    delimiter = models.CharField(max_length=4, blank=True)
    role = models.CharField(max_length=10, blank=True)
    selected = models.BooleanField(default=False)
    missing = models.BooleanField(default=False)
    uidvalidity = models.BigIntegerField(null=True)
    uidnext = models.BigIntegerField(null=True)
    highestmodseq = models.BigIntegerField(null=True)
    high_uid = models.BigIntegerField(default=0)
    low_uid = models.BigIntegerField(default=0)
    import_done = models.BooleanField(default=False)
    import_total = models.PositiveIntegerField(default=0)
    import_seen = models.PositiveIntegerField(default=0)
    on_server = models.PositiveIntegerField(default=0)
    out_of_window = models.PositiveIntegerField(default=0)
    compared_at = models.DateTimeField(null=True)
    uidvalidity_changes = models.PositiveSmallIntegerField(default=0)
    uidvalidity_changed_at = models.DateTimeField(null=True)
    paused_reason = models.CharField(max_length=60, blank=True)
    last_error_message = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "raw_name"], name="folder_once_per_account"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def depth(self) -> int:
        """How many folders it lies in."""
        return min(self.name.count(self.delimiter), 8) if self.delimiter else 0


class Placement(models.Model):
    """Where a message lies on the server: folder, uidvalidity, uid → message."""

    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="placements", db_index=False)
    uidvalidity = models.BigIntegerField()
    uid = models.BigIntegerField()
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="placements")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["folder", "uidvalidity", "uid"], name="placement_once"),
        ]

    def __str__(self) -> str:
        return f"placement {self.pk}"


class LedgerEntry(models.Model):
    """A uid that is not stored, and why: skipped by a named rule, or failed and tried again."""

    class Outcome(models.TextChoices):
        SKIPPED = "skipped", _("Skipped")
        FAILED = "failed", _("Failed")

    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="ledger_entries", db_index=False)
    uidvalidity = models.BigIntegerField()
    uid = models.BigIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    rule = models.CharField(max_length=60)  # of a skip: its rule; of a failure: its reason
    internaldate = models.DateTimeField(null=True)
    size_bytes = models.BigIntegerField(default=0)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["folder", "uidvalidity", "uid"], name="ledger_entry_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["next_try_at"], condition=Q(outcome="failed"), name="ledger_to_retry"),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} uid {self.uid}"


class SyncRun(models.Model):
    """One synchronisation of an account, or the wish for one (`waiting`)."""

    class Kind(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        MANUAL = "manual", _("By hand")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="sync_runs")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    state = models.CharField(max_length=8, choices=State.choices)
    requested_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    new = models.PositiveIntegerField(default=0)
    assigned = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(kind="manual", state__in=["waiting", "running"]), name="one_manual_run"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "-id"], name="run_by_account")]

    def __str__(self) -> str:
        return f"run {self.pk}"


class Backfill(models.Model):
    """Older history that the owner asked for: INTERNALDATE at or after `since` and before `until` (None: the window).

    begins, ends: hours of the day in `zone` between which it may run, over midnight too; None: always. per_minute: at
    most so many messages, 0 without limit. It goes newest first, folder by folder, and never delays new mail.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        DONE = "done", _("Done")
        STOPPED = "stopped", _("Stopped")

    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="backfills")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)
    begins = models.TimeField(null=True)
    ends = models.TimeField(null=True)
    zone = models.CharField(max_length=64, default="UTC")
    per_minute = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    stored = models.PositiveIntegerField(default=0)
    minute_began_at = models.DateTimeField(null=True)
    minute_done = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    working_seconds = models.FloatField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["account"], condition=Q(state__in=["waiting", "running", "paused"]), name="one_active_backfill"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "-id"], name="backfill_by_account")]

    def __str__(self) -> str:
        return f"backfill {self.pk}"

    @property
    def last_moment(self) -> datetime | None:
        """`until` as people say it: the range ends with this day."""
        return self.until - timedelta(microseconds=1) if self.until else None


class BackfillFolder(models.Model):
    """What a backfill reads of one folder. uids: an IMAP sequence set, ascending; those from low_uid on are done."""

    backfill = models.ForeignKey(Backfill, on_delete=models.CASCADE, related_name="folders")
    folder = models.ForeignKey(Folder, on_delete=models.CASCADE, related_name="+")
    uidvalidity = models.BigIntegerField()
    uids = models.TextField(blank=True)
    low_uid = models.BigIntegerField()
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["backfill", "folder"], name="folder_once_per_backfill"),
        ]

    def __str__(self) -> str:
        return f"backfill {self.backfill_id} of folder {self.folder_id}"
