"""Tables of stored mail. A message belongs to exactly one account (docs/adr/0001).

The id of a message is made from its INTERNALDATE (`rules.message_key`), so that "newest first" is the order of the
primary key: walls, lists and search page by it without another sort (docs/adr/0005).
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts.models import EmailAccount, ids_visible_to
from mailwall.mime.filenames import safe_filename


class Direction(models.TextChoices):
    RECEIVED = "received", _("Received")
    SENT = "sent", _("Sent")


class DeliveryState(models.TextChoices):
    """Of a mail that leaves by Mailwall; '' for all other mail."""

    NONE = "", ""
    WAITING = "waiting", pgettext_lazy("outgoing", "Sending")
    UNKNOWN = "unknown", pgettext_lazy("outgoing", "Unknown whether it was sent")
    SENT = "sent", pgettext_lazy("outgoing", "Sent")
    FAILED = "failed", pgettext_lazy("outgoing", "Not delivered")


class MessageQuerySet(models.QuerySet["Message"]):
    def visible_to(self, viewer) -> MessageQuerySet:  # type: ignore[no-untyped-def]
        """Only what `viewer` may see. Use it before counting, paging and searching (twin: rules.may_see)."""
        accounts = ids_visible_to(viewer)
        return self.filter(Q(account__in=accounts), Q(only_owner=False) | Q(account__owner=viewer), removed_at=None)


class Message(models.Model):
    """One mail as one account has it. Texts live in MessageBody, so that lists stay light.

    date: the Date header, INTERNALDATE where it is missing, unreadable or over a day ahead; odd_date: the same where
    it is over a day away from INTERNALDATE, so that a search by date knows whose id does not tell it.
    content_key: identity inside the account; dedupe_key: the same for the same mail in other accounts.
    only_owner: narrowed by its owner. counterpart: the address on the other side (rules.counterpart), by which
    unassigned mail is sorted.
    removed_at: its owner took it away; nobody sees it, and until it is buried (services.bury) it can be brought back.
    delivery_reason: {"msgid", "params"} of the sentence that `delivery_note` says.
    """

    id = models.BigIntegerField(primary_key=True)
    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="messages")
    direction = models.CharField(max_length=8, choices=Direction.choices)
    internaldate = models.DateTimeField()
    date = models.DateTimeField()
    odd_date = models.DateTimeField(null=True, blank=True)
    subject = models.TextField(blank=True)
    snippet = models.CharField(max_length=300, blank=True)
    message_id = models.TextField(blank=True)
    in_reply_to = models.TextField(blank=True)
    references = models.JSONField(default=list)
    thread_key = models.CharField(max_length=32)
    dedupe_key = models.CharField(max_length=32)
    content_key = models.CharField(max_length=32)
    counterpart = models.CharField(max_length=320, blank=True, default="", db_default="")
    size_bytes = models.BigIntegerField(default=0)
    on_server = models.BooleanField(default=True)
    only_owner = models.BooleanField(default=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    has_attachments = models.BooleanField(default=False)
    automatic = models.CharField(max_length=20, blank=True)
    list_id = models.CharField(max_length=300, blank=True)
    incomplete = models.BooleanField(default=False)
    defects = models.JSONField(default=list)
    delivery_state = models.CharField(
        max_length=8, choices=DeliveryState.choices, default="", blank=True, db_default=""
    )
    delivery_reason = models.JSONField(null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "content_key"], name="message_once_per_account"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account", "-id"], name="message_by_account"),
            models.Index(fields=["direction", "-id"], name="message_by_direction"),
            models.Index(fields=["thread_key", "-id"], name="message_by_thread"),
            models.Index(fields=["dedupe_key"], name="message_by_dedupe"),
            models.Index(fields=["message_id"], name="message_by_message_id"),
            models.Index(fields=["odd_date"], condition=Q(odd_date__isnull=False), name="message_odd_date"),
            models.Index(fields=["removed_at"], condition=Q(removed_at__isnull=False), name="message_removed"),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"

    @property
    def delivery_note(self) -> str:
        """Why it was not delivered, or only in part, in the language of now; '' when there is nothing to say."""
        reason = self.delivery_reason or {}
        msgid, params = reason.get("msgid", ""), reason.get("params", {})
        return account_errors.translated(msgid, params, msgid)


class OtherMessageId(models.Model):
    """A Message-ID that a mail server gave to a mail of ours; receivers know it by this one."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="other_message_ids")
    name = models.CharField(max_length=998)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["name", "message"], name="other_message_id_once")]

    def __str__(self) -> str:
        return f"other id of message {self.message_id}"


class MessageBody(models.Model):
    """Full text, and the HTML exactly as received: it is cleaned whenever it is shown.

    report: of a bounce, the delivery status and the header of the mail it is about.
    """

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="body")
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    html_truncated = models.BooleanField(default=False)
    report = models.TextField(blank=True, default="", db_default="")

    def __str__(self) -> str:
        return f"body of message {self.pk}"


class Address(models.Model):
    """Every address that occurs in mail, once, normalised (mime.addresses.fold_address)."""

    address = models.TextField(unique=True)

    def __str__(self) -> str:
        return self.address


class ParticipantRole(models.TextChoices):
    FROM = "from", _("From")
    TO = "to", _("To")
    CC = "cc", _("Cc")
    BCC = "bcc", _("Bcc")
    REPLY_TO = "reply_to", _("Reply-To")


class Participant(models.Model):
    """An address in a header of a message, in its order."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="participants", db_index=False)
    address = models.ForeignKey(Address, on_delete=models.PROTECT, related_name="participants", db_index=False)
    role = models.CharField(max_length=8, choices=ParticipantRole.choices)
    position = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["message", "role", "position"], name="participant_by_message"),
            models.Index(fields=["address", "message", "role"], name="participant_by_address"),
        ]

    def __str__(self) -> str:
        return f"{self.role} of message {self.message_id}"


class Attachment(models.Model):
    """What is known of an attachment. Its bytes stay on the mail server."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField(default=0)
    section = models.CharField(max_length=120)
    filename = models.CharField(max_length=300, blank=True)
    content_type = models.CharField(max_length=120)
    size_bytes = models.BigIntegerField(default=0)
    encoded_size_bytes = models.BigIntegerField(default=0)
    encoding = models.CharField(max_length=40, blank=True)
    inline = models.BooleanField(default=False)
    content_id = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["position", "id"]

    def __str__(self) -> str:
        return f"attachment {self.pk}"

    @property
    def safe_name(self) -> str:
        """What it is called where people see or save it; never ''. filename is what the sender wrote."""
        return safe_filename(self.filename, self.content_type)


class ThreadAlias(models.Model):
    """Two ids turned out to be of one thread: messages that would have `key` have `thread_key` instead.

    Both are mime.threads.thread_key of ids. Kept flat (a thread_key here is no key of another row), so one look-up
    tells the thread of any id, in whatever order the mails of a thread arrive.
    """

    key = models.CharField(max_length=32, primary_key=True)
    thread_key = models.CharField(max_length=32, db_index=True)

    def __str__(self) -> str:
        return self.key


class Tombstone(models.Model):
    """A message removed in Mailwall by its owner stays removed, however often the server shows it."""

    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="tombstones")
    content_key = models.CharField(max_length=32)
    removed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "content_key"], name="tombstone_once"),
        ]

    def __str__(self) -> str:
        return f"tombstone {self.pk}"
