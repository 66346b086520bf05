"""Tables of sequences. A step is never changed once somebody is enrolled: editing makes a new version of all steps."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.sending.models import Outgoing
from mailwall.team.models import Team, User

CONTACT_ZONE = "contact"  # in Sequence.zone: each contact's own time zone, else its company's, else the workspace's
LISTENS_FOR = timedelta(days=30)  # after its last step an enrolment still takes note of a reply, a bounce, a goodbye


class SequenceState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("sequence", "Draft")
    RUNNING = "running", pgettext_lazy("sequence", "Running")
    PAUSED = "paused", pgettext_lazy("sequence", "Paused")


class Sharing(models.TextChoices):
    OWN = "own", pgettext_lazy("sequence", "Only me")
    TEAM = "team", pgettext_lazy("sequence", "My team and its managers may read it")
    ALL = "all", pgettext_lazy("sequence", "Everybody may read it")


class SequenceQuerySet(models.QuerySet["Sequence"]):
    def visible_to(self, viewer: User) -> SequenceQuerySet:
        """Own ones, and those shared for reading. Being an admin gives nothing here."""
        teams = Q(owner__team__in=Team.objects.filter(managers=viewer))
        if viewer.team_id is not None:
            teams |= Q(owner__team=viewer.team_id)
        return self.filter(Q(owner=viewer) | Q(sharing=Sharing.ALL) | Q(teams, sharing=Sharing.TEAM))

    def running(self) -> SequenceQuerySet:
        """Those whose steps run; whether the account can send now is another question."""
        return self.filter(state=SequenceState.RUNNING, archived_at__isnull=True, owner__is_active=True)


class Sequence(models.Model):
    """Steps that a contact goes through. version: of the steps, for who is enrolled from now on.

    window_days: ISO week days (1 Monday … 7), empty: no window, steps run at once. zone: '' the workspace's,
    or CONTACT_ZONE. daily_cap: automatic mails of the account a day; domain_cap: of these to one receiving domain.
    quiet_days: a colleague who wrote within so many days is a reason to hold. measures_opens: holds while the workspace
    allows it.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sequences")
    account = models.ForeignKey(EmailAccount, null=True, on_delete=models.SET_NULL, related_name="sequences")
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=8, choices=SequenceState.choices, default=SequenceState.DRAFT)
    sharing = models.CharField(max_length=4, choices=Sharing.choices, default=Sharing.OWN)
    version = models.PositiveIntegerField(default=1)
    window_days = models.JSONField(default=list)
    window_from = models.TimeField(null=True, blank=True)
    window_to = models.TimeField(null=True, blank=True)
    zone = models.CharField(max_length=64, blank=True)
    daily_cap = models.PositiveIntegerField(null=True, blank=True)
    domain_cap = models.PositiveIntegerField(null=True, blank=True)
    end_on_company_reply = models.BooleanField(default=False)
    measures_opens = models.BooleanField(default=False)
    quiet_days = models.PositiveIntegerField(default=7)
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = SequenceQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class StepKind(models.TextChoices):
    EMAIL = "email", pgettext_lazy("step", "Email")
    WAIT = "wait", pgettext_lazy("step", "Wait")
    TASK = "task", pgettext_lazy("step", "Task")


class Step(models.Model):
    """One step in one version. key: the same step in all versions of its sequence; runs and their counts hang on it."""

    sequence = models.ForeignKey(Sequence, on_delete=models.CASCADE, related_name="steps")
    version = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField()
    key = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=StepKind.choices)
    subject = models.TextField(blank=True)
    html = models.TextField(blank=True)
    same_thread = models.BooleanField(default=False)
    days = models.PositiveIntegerField(default=0)
    working_days = models.BooleanField(default=False)
    title = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["position"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["sequence", "version", "position"], name="one_step_per_position"),
            models.UniqueConstraint(fields=["sequence", "version", "key"], name="step_once_per_version"),
        ]

    def __str__(self) -> str:
        return f"step {self.position} of sequence {self.sequence_id}"


class EnrolmentState(models.TextChoices):
    ACTIVE = "active", pgettext_lazy("enrolment", "Active")
    PAUSED = "paused", pgettext_lazy("enrolment", "Paused")
    HELD = "held", pgettext_lazy("enrolment", "Held")
    REPLIED = "replied", pgettext_lazy("enrolment", "Replied")
    BOUNCED = "bounced", pgettext_lazy("enrolment", "Bounced")
    UNSUBSCRIBED = "unsubscribed", pgettext_lazy("enrolment", "Unsubscribed")
    STOPPED = "stopped", pgettext_lazy("enrolment", "Stopped")
    FINISHED = "finished", pgettext_lazy("enrolment", "Finished")


OPEN_STATES = (EnrolmentState.ACTIVE, EnrolmentState.PAUSED, EnrolmentState.HELD)


class EnrolmentQuerySet(models.QuerySet["Enrolment"]):
    def open(self) -> EnrolmentQuerySet:
        """Those that go on, now or when somebody lets them."""
        return self.filter(state__in=OPEN_STATES)

    def listening(self, now: datetime) -> EnrolmentQuerySet:
        """Those that a reply, a bounce or a goodbye still ends: open ones, and ones that finished lately."""
        lately = Q(state=EnrolmentState.FINISHED, ended_at__gt=now - LISTENS_FOR)
        return self.filter(Q(state__in=OPEN_STATES) | lately)

    def due(self, now: datetime) -> EnrolmentQuerySet:
        return self.filter(state=EnrolmentState.ACTIVE, next_run_at__lte=now)


class Enrolment(models.Model):
    """A contact on the way through a sequence; at most one per sequence, for ever.

    position: of the next e-mail or task in the steps of `version`, which is behind the last one at the end.
    next_run_at: None while the last mail has not left yet, and when nothing is to run. not_before: put off by an
    out-of-office reply. address: where the mails go. reason: a code of wording.REASONS; reply: the mail that ended it,
    which a reader of the enrolment may not be allowed to see.
    """

    sequence = models.ForeignKey(Sequence, on_delete=models.CASCADE, related_name="enrolments")
    contact = models.ForeignKey(Contact, null=True, on_delete=models.SET_NULL, related_name="enrolments")
    address = models.CharField(max_length=320)
    version = models.PositiveIntegerField()
    position = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=12, choices=EnrolmentState.choices, default=EnrolmentState.ACTIVE)
    next_run_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=30, blank=True)
    reply = models.ForeignKey(Message, null=True, on_delete=models.SET_NULL, related_name="+")
    enrolled_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    enrolled_at = models.DateTimeField()
    last_run_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["sequence", "contact"], name="enrolled_once")]
        indexes: ClassVar = [
            models.Index(fields=["sequence", "state", "next_run_at"], name="enrolment_due"),
            models.Index(fields=["sequence", "state", "-id"], name="enrolment_by_state"),
            models.Index(fields=["address"], name="enrolment_by_address"),
        ]

    def __str__(self) -> str:
        return f"enrolment {self.pk}"


class Outcome(models.TextChoices):
    QUEUED = "queued", pgettext_lazy("step run", "On its way")
    SENT = "sent", pgettext_lazy("step run", "Sent")
    FAILED = "failed", pgettext_lazy("step run", "Not delivered")
    BOUNCED = "bounced", pgettext_lazy("step run", "Bounced")
    CANCELLED = "cancelled", pgettext_lazy("step run", "Cancelled")
    DONE = "done", pgettext_lazy("step run", "Done")


class StepRun(models.Model):
    """A step that ran for an enrolment: once, however many workers and ticks there are. ended_as: the enrolment's end,
    where this was its last step. message_id: of the mail, to recognise answers from other addresses. opens: of its
    pixel by people; machine_opens: by programs that fetch pictures themselves."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="runs")
    sequence = models.ForeignKey(Sequence, on_delete=models.CASCADE, related_name="runs")
    step_key = models.PositiveIntegerField()
    kind = models.CharField(max_length=5, choices=StepKind.choices)
    account = models.ForeignKey(EmailAccount, null=True, on_delete=models.SET_NULL, related_name="+")
    contact = models.ForeignKey(Contact, null=True, on_delete=models.SET_NULL, related_name="+")
    domain = models.CharField(max_length=255, blank=True)
    outgoing = models.ForeignKey(Outgoing, null=True, on_delete=models.SET_NULL, related_name="step_runs")
    message_id = models.CharField(max_length=255, blank=True)
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    ended_as = models.CharField(max_length=12, choices=EnrolmentState.choices, blank=True)
    ran_at = models.DateTimeField()
    has_pixel = models.BooleanField(default=False)
    opens = models.PositiveIntegerField(default=0)
    first_opened_at = models.DateTimeField(null=True, blank=True)
    last_opened_at = models.DateTimeField(null=True, blank=True)
    machine_opens = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["enrolment", "step_key"], name="step_runs_once")]
        indexes: ClassVar = [
            models.Index(fields=["account", "ran_at"], condition=Q(kind="email"), name="step_run_by_account"),
            models.Index(fields=["message_id"], condition=~Q(message_id=""), name="step_run_by_message_id"),
            models.Index(fields=["contact", "ran_at"], name="step_run_by_contact"),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"


class Turn(models.Model):
    """Which worker runs the due steps of an account, and until when it may."""

    account = models.OneToOneField(EmailAccount, primary_key=True, on_delete=models.CASCADE, related_name="+")
    until = models.DateTimeField()
    token = models.CharField(max_length=32)

    def __str__(self) -> str:
        return f"turn of account {self.pk}"


class Suppression(models.Model):
    """An address (folded) that no sequence writes to, until an administrator lifts it with a note. Rows stay."""

    class Source(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed by the link")
        BY_HAND = "by_hand", _("Added by hand")

    address = models.CharField(max_length=320)
    source = models.CharField(max_length=12, choices=Source.choices)
    sequence = models.ForeignKey(Sequence, null=True, on_delete=models.SET_NULL, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    note = models.CharField(max_length=500, blank=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["address"], condition=Q(lifted_at__isnull=True), name="suppressed_once"),
        ]

    def __str__(self) -> str:
        return f"suppression {self.pk}"


class Holiday(models.Model):
    """A day of the workspace on which windows stay closed and which is no working day."""

    day = models.DateField(unique=True)
    name = models.CharField(max_length=100, blank=True)

    class Meta:
        ordering: ClassVar = ["day"]

    def __str__(self) -> str:
        return str(self.day)


class Task(models.Model):
    """What a step asks the sequence's owner to do for a contact."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="sequence_tasks")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="sequence_tasks")
    sequence = models.ForeignKey(Sequence, null=True, on_delete=models.SET_NULL, related_name="+")
    title = models.CharField(max_length=300)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["owner", "created_at"], condition=Q(done_at__isnull=True), name="sequence_task_open"),
        ]

    def __str__(self) -> str:
        return self.title
