"""Tables of links between messages and contacts, and of reviews."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import StrIndex, Substr
from django.utils.translation import gettext_lazy as _

from mailwall.contacts.models import Contact
from mailwall.email_accounts.models import EmailAccount, ids_visible_to
from mailwall.mailstore.models import Message
from mailwall.team.models import User


class LinkField(models.TextChoices):
    FROM = "from", _("From")
    TO = "to", _("To")
    CC = "cc", _("Cc")
    HAND = "hand", _("By hand")


class Link(models.Model):
    """One reason why a message belongs to a contact: the field and the contact's address, or a person's hand."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="links", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="links", db_index=False)
    field = models.CharField(max_length=4, choices=LinkField.choices)
    address = models.CharField(max_length=320, blank=True)
    linked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["message", "contact", "field", "address"], name="reason_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["contact", "-message"], name="link_by_contact"),
            models.Index(fields=["address"], name="link_by_address"),
        ]

    def __str__(self) -> str:
        return f"link {self.pk}"


class LinkBan(models.Model):
    """Unassigned by hand: no later review links this message to this contact again."""

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="link_bans")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="link_bans")
    banned_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["message", "contact"], name="ban_once")]

    def __str__(self) -> str:
        return f"ban {self.pk}"


class IgnoredSender(models.Model):
    """An address or a domain that triage does not offer any more; user None: for everybody. Mail stays as it is."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    address = models.CharField(max_length=320, blank=True)
    domain = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(address="", domain__gt="") | Q(address__gt="", domain=""), name="ignored_is_one_thing"
            ),
            models.UniqueConstraint(fields=["user", "address", "domain"], name="ignored_once_per_user"),
            models.UniqueConstraint(
                fields=["address", "domain"], condition=Q(user__isnull=True), name="ignored_once_for_all"
            ),
        ]

    def __str__(self) -> str:
        return f"ignored sender {self.pk}"


class MailKind(models.TextChoices):
    """Who or what wrote unassigned mail."""

    PEOPLE = "people", _("People")
    NEWSLETTERS = "newsletters", _("Newsletters")
    AUTOMATIC = "automatic", _("Automatic")


class UnassignedQuerySet(models.QuerySet[Any]):
    """Of rows that say of messages whose they are, so that messages are not read to know who may see them."""

    def visible_to(self, viewer: User) -> Self:
        """What the viewer may see: as MessageQuerySet.visible_to, for the messages that these rows are about."""
        accounts = ids_visible_to(viewer)
        return self.filter(Q(account__in=accounts), Q(only_owner=False) | Q(account__owner=viewer))


class Unassigned(models.Model):
    """The mark: there is a row for every message that has no link, removed ones apart (docs/adr/0016).

    Kept by marks.settle. The other columns are the message's own, so that lists and counts of unassigned mail read this
    narrow table alone; kind: of its `automatic`.
    """

    message = models.OneToOneField(Message, primary_key=True, on_delete=models.CASCADE, related_name="unassigned")
    # the message's own foreign key holds its account already; a second check would cost as much as the row
    account = models.ForeignKey(
        EmailAccount, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    counterpart = models.CharField(max_length=320, blank=True)
    only_owner = models.BooleanField(default=False)
    kind = models.CharField(max_length=11, choices=MailKind.choices)

    objects = UnassignedQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["counterpart", "-message", "account", "only_owner", "kind"], name="unassigned_by_sender"
            ),
            models.Index(fields=["account", "-message", "only_owner"], name="unassigned_by_account"),
        ]

    def __str__(self) -> str:
        return f"message {self.pk} is unassigned"


class UnknownSender(models.Model):
    """How much unassigned mail an account has with one counterpart, and the newest of it (docs/adr/0007).

    Derived from Unassigned, kept by senders.move: a page of triage reads these rows instead of a million messages.
    only_owner: of the messages counted, so that the rows can be filtered as they are.
    """

    account = models.ForeignKey(EmailAccount, on_delete=models.CASCADE, related_name="+", db_index=False)
    address = models.CharField(max_length=320)
    domain = models.GeneratedField(
        expression=Substr("address", StrIndex("address", Value("@")) + 1),
        output_field=models.CharField(max_length=320),
        db_persist=True,
    )
    kind = models.CharField(max_length=11, choices=MailKind.choices)
    only_owner = models.BooleanField(default=False)
    messages = models.PositiveIntegerField()
    newest_id = models.BigIntegerField()

    objects = UnassignedQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["address", "account", "only_owner", "kind"], name="unknown_sender_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["kind", "-newest_id"], name="unknown_sender_newest"),
            models.Index(fields=["domain", "kind", "-newest_id"], name="unknown_domain_newest"),
        ]

    def __str__(self) -> str:
        return f"unknown sender {self.pk}"


class Review(models.Model):
    """One review of unassigned messages: by the clock, by hand. due_at: of the clock's; one worker claims it."""

    class Trigger(models.TextChoices):
        DAILY = "daily", _("Daily")
        MANUAL = "manual", _("By hand")

    trigger = models.CharField(max_length=8, choices=Trigger.choices)
    due_at = models.DateTimeField(null=True, unique=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    reviewed = models.PositiveIntegerField(default=0)
    assigned = models.PositiveIntegerField(default=0)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    def __str__(self) -> str:
        return f"review {self.pk}"
