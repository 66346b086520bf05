"""Tables of mail that leaves. The row and its Message-ID come first; what is left to do stands in columns."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.team import queries as team_queries
from mailwall.team.models import User


class OutgoingState(models.TextChoices):
    HELD = "held", pgettext_lazy("outgoing", "Waiting")
    QUEUED = "queued", pgettext_lazy("outgoing", "Queued")
    SENDING = "sending", pgettext_lazy("outgoing", "Sending")
    SENT = "sent", pgettext_lazy("outgoing", "Sent")
    FAILED = "failed", pgettext_lazy("outgoing", "Not delivered")
    NEEDS_REVIEW = "needs_review", pgettext_lazy("outgoing", "Unknown whether it was sent")
    CANCELLED = "cancelled", pgettext_lazy("outgoing", "Cancelled")


class CopyState(models.TextChoices):
    """The copy in the account's Sent folder."""

    NOT_YET = "", pgettext_lazy("outgoing", "Not yet")
    WANTED = "wanted", pgettext_lazy("outgoing", "Waiting")
    FILED = "filed", pgettext_lazy("outgoing", "Filed")
    BY_SERVER = "by_server", pgettext_lazy("outgoing", "Filed by the mail server")
    NO_FOLDER = "no_folder", pgettext_lazy("outgoing", "No Sent folder")
    FAILED = "failed", pgettext_lazy("outgoing", "Not filed")


class OutgoingQuerySet(models.QuerySet["Outgoing"]):
    def of(self, viewer: User) -> OutgoingQuerySet:
        """A sender's own; nobody else reads or changes them."""
        return self.filter(sender=viewer)

    def due(self, now: datetime) -> OutgoingQuerySet:
        """Those whose time has come and that no worker holds."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, state__in=(OutgoingState.HELD, OutgoingState.QUEUED), due_at__lte=now)


class Outgoing(models.Model):
    """One mail on its way out.

    held: until due_at it can be cancelled at leisure. queued: to be handed over at due_at; a worker that has taken it
    holds a lease. sending: DATA began (data_started_at), so it is never handed over again by itself. needs_review: ten
    minutes later nothing showed whether it left. message_id_header: without brackets, fixed for good.
    receivers: the envelope, Bcc too. accepted: those who have it while others are tried still; sent_at: since when the
    first ones do. refused: {address: the server's words}. error_*: of the last try.
    """

    sender = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="outgoing")
    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="outgoing")
    message = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="outgoing")
    state = models.CharField(max_length=12, choices=OutgoingState.choices, default=OutgoingState.QUEUED)
    due_at = models.DateTimeField()
    send_at = models.DateTimeField(null=True, blank=True)  # "Send later", as the writer asked
    message_id_header = models.CharField(max_length=255, unique=True)
    subject = models.TextField(blank=True)
    receivers = models.JSONField(default=list)
    size_bytes = models.BigIntegerField(default=0)
    automatic = models.BooleanField(default=False)

    queued_at = models.DateTimeField(default=timezone.now)  # since when it is wanted: giving up counts from here
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)
    data_started_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=60, blank=True)
    error_message = models.TextField(blank=True)
    error_msgid = models.TextField(blank=True)
    error_params = models.JSONField(default=dict)
    accepted = models.JSONField(default=list)
    refused = models.JSONField(default=dict)
    bounced_at = models.DateTimeField(null=True, blank=True)

    look_at = models.DateTimeField(null=True, blank=True)  # when Sent is searched next for an unknown outcome
    copy_state = models.CharField(max_length=10, choices=CopyState.choices, blank=True)
    copy_at = models.DateTimeField(null=True, blank=True)
    copy_attempts = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField(auto_now_add=True)

    objects = OutgoingQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # whole, not partial: SQLite uses a partial index for `= ?`, never for `IN (?, ?)`
            models.Index(fields=["state", "due_at"], name="outgoing_due_by_state"),
            models.Index(fields=["look_at"], condition=Q(state="sending"), name="outgoing_to_look_for"),
            models.Index(fields=["copy_at"], condition=Q(copy_state="wanted"), name="outgoing_to_copy"),
            models.Index(fields=["sender", "-id"], name="outgoing_by_sender"),
            models.Index(fields=["account", "state"], name="outgoing_by_account"),
        ]

    def __str__(self) -> str:
        return f"outgoing {self.pk}"

    @property
    def remaining(self) -> list[str]:
        """The receivers that are to be named to the server still."""
        return [each for each in self.receivers if each not in self.accepted and each not in self.refused]


class OutgoingContent(models.Model):
    """The very bytes that leave, until the copy in Sent is settled. raw_bcc: the header line that only the copy has.

    forward_attachments: [message id, attachment id] of what is fetched from IMAP and added before the first try.
    """

    outgoing = models.OneToOneField(Outgoing, primary_key=True, on_delete=models.CASCADE, related_name="content")
    raw = models.BinaryField()
    raw_bcc = models.BinaryField(default=b"")
    forward_attachments = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"content of outgoing {self.pk}"


class IdempotencyKey(models.Model):
    """A request that was made once: for 24 hours the same key gives the same answer. outgoing None: still running."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    body_hash = models.CharField(max_length=64)
    outgoing = models.ForeignKey(Outgoing, null=True, on_delete=models.CASCADE, related_name="+")
    reserved_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="idempotency_key_once")]
        indexes: ClassVar = [models.Index(fields=["reserved_at"], name="idempotency_by_age")]

    def __str__(self) -> str:
        return f"idempotency key {self.pk}"


class UndeliverableAddress(models.Model):
    """An address (folded) that sent mail back for good. A mail delivered or received later clears it."""

    address = models.CharField(max_length=320, unique=True)
    reason = models.TextField(blank=True)
    outgoing = models.ForeignKey(Outgoing, null=True, on_delete=models.SET_NULL, related_name="+")
    bounced_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"undeliverable address {self.pk}"


class Signature(models.Model):
    """account None: the user's general one. Of an account: instead of the general one, also when it is empty."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="signatures")
    account = models.OneToOneField(
        EmailAccount, null=True, blank=True, on_delete=models.CASCADE, related_name="signature"
    )
    html = models.TextField(blank=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(account__isnull=True), name="one_general_signature_per_user"
            ),
        ]

    def __str__(self) -> str:
        return f"signature {self.pk}"


class Sharing(models.TextChoices):
    OWN = "own", _("Only me")
    TEAM = "team", _("My team")
    EVERYONE = "everyone", pgettext_lazy("sharing", "Every user")


class MailTemplateQuerySet(models.QuerySet["MailTemplate"]):
    def visible_to(self, viewer: User) -> MailTemplateQuerySet:
        """Own ones, those of one's team and of teams one is in charge of, and those for everybody."""
        team = Q(owner__team__isnull=False, owner__team=viewer.team_id)
        shared = Q(sharing=Sharing.TEAM) & (team | Q(owner__in=team_queries.managed_by(viewer)))
        return self.filter(Q(owner=viewer) | Q(sharing=Sharing.EVERYONE) | shared, deleted_at__isnull=True)


class MailTemplate(models.Model):
    """A named mail with placeholders (see `placeholders`). deleted_at: gone from every list, until it is restored."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="mail_templates")
    name = models.CharField(max_length=200)
    subject = models.CharField(max_length=500, blank=True)
    html = models.TextField(blank=True)
    sharing = models.CharField(max_length=8, choices=Sharing.choices, default=Sharing.OWN)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = MailTemplateQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class DraftMode(models.TextChoices):
    NEW = "new", pgettext_lazy("draft", "New message")
    REPLY = "reply", pgettext_lazy("draft", "Reply")
    REPLY_ALL = "reply_all", pgettext_lazy("draft", "Reply all")
    FORWARD = "forward", pgettext_lazy("draft", "Forward")


class DraftQuerySet(models.QuerySet["DraftMessage"]):
    def of(self, viewer: User) -> DraftQuerySet:
        """A writer's own; nobody else reads, lists or changes them."""
        return self.filter(writer=viewer)

    def unsent(self) -> DraftQuerySet:
        """What the tab Drafts lists: neither on its way nor thrown away."""
        return self.filter(outgoing__isnull=True, discarded_at__isnull=True)


class DraftMessage(models.Model):
    """A mail being written. The id is made by the page, so that saving for the first time twice is saving once.

    to, cc, bcc: as typed, addresses that are none included. body: cleaned HTML, or text when is_plain; signature and
    quote are added when it goes. version grows with each save: who saves upon another version is told (two tabs).
    outgoing: the mail it became, until that has been sent. forward_attachments: ids of the original's.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    writer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    account = models.ForeignKey(EmailAccount, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    mode = models.CharField(max_length=10, choices=DraftMode.choices, default=DraftMode.NEW)
    original = models.ForeignKey(Message, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    contact = models.ForeignKey(Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    to = models.TextField(blank=True)
    cc = models.TextField(blank=True)
    bcc = models.TextField(blank=True)
    subject = models.TextField(blank=True)
    body = models.TextField(blank=True)
    is_plain = models.BooleanField(default=False)
    with_signature = models.BooleanField(default=True)
    with_quote = models.BooleanField(default=True)
    forward_attachments = models.JSONField(default=list)
    version = models.PositiveIntegerField(default=0)
    outgoing = models.OneToOneField(Outgoing, null=True, blank=True, on_delete=models.SET_NULL, related_name="draft")
    updated_at = models.DateTimeField()
    discarded_at = models.DateTimeField(null=True, blank=True)

    objects = DraftQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["writer", "-updated_at"], name="draft_by_writer")]

    def __str__(self) -> str:
        return f"draft {self.pk}"


class DraftFile(models.Model):
    """A file attached to a draft, with its bytes until the mail has gone."""

    draft = models.ForeignKey(DraftMessage, on_delete=models.CASCADE, related_name="files")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField()
    raw_content = models.BinaryField()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"file {self.pk} of a draft"
