"""The table of connected accounts."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import lru_cache
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.email_accounts.import_rules import ImportRuleKind
from mailwall.team import rules
from mailwall.team.models import Team, User


class Store(models.TextChoices):
    RECEIVED = "received", _("Received")
    SENT = "sent", _("Sent")
    BOTH = "both", _("Received and sent")


class Visibility(models.TextChoices):
    EVERYONE = "everyone", _("Every user")
    OWNER_AND_MANAGERS = "owner_and_managers", _("Owner and managers")
    OWNER = "owner", _("Owner only")


class SecurityChoice(models.TextChoices):
    TLS = "tls", _("SSL/TLS")
    STARTTLS = "starttls", _("STARTTLS")
    NONE = "none", _("None")


class State(models.TextChoices):
    ACTIVE = "active", _("Working")
    PAUSED = "paused", _("Paused")
    NEEDS_SIGN_IN = "needs_sign_in", _("Needs sign-in")
    DEACTIVATED = "deactivated", pgettext_lazy("account", "Deactivated")


def _managed_teams(viewer: User) -> models.QuerySet[Team]:
    """A subquery, not a join: a team with two managers must not give its accounts twice."""
    if not rules.may_manage_teams(viewer.role):
        return Team.objects.none()
    return Team.objects.filter(managers=viewer)


def ids_visible_to(viewer: User) -> models.QuerySet[Any, Any]:
    """The ids of EmailAccount.objects.messages_visible_to, to be asked inside other statements."""
    return _ids_visible_to(viewer.pk, viewer.role).all()


@lru_cache(maxsize=1_000)  # the words of the question, not its answer: a page puts it a dozen times
def _ids_visible_to(viewer_id: int, role: str) -> models.QuerySet[Any, Any]:
    return EmailAccount.objects.messages_visible_to(User(pk=viewer_id, role=role)).values("pk")


class EmailAccountQuerySet(models.QuerySet["EmailAccount"]):
    def connected(self) -> EmailAccountQuerySet:
        """Accounts that are connected now; removed ones stay as rows while their messages are kept."""
        return self.filter(removed_at__isnull=True)

    def connecting(self) -> EmailAccountQuerySet:
        """Connected accounts whose owner is not switched off: nothing connects for the others."""
        return self.connected().filter(owner__is_active=True)

    def due(self, now: datetime) -> EmailAccountQuerySet:
        """Accounts whose next synchronisation has come and that no worker holds."""
        return self.connecting().filter(
            Q(lease_until__isnull=True) | Q(lease_until__lt=now), state=State.ACTIVE, next_sync_at__lte=now
        )

    def probe_due(self, now: datetime) -> EmailAccountQuerySet:
        """Accounts deactivated by network trouble alone whose hourly probe has come; its success reactivates."""
        return self.connecting().filter(
            Q(lease_until__isnull=True) | Q(lease_until__lt=now),
            state=State.DEACTIVATED,
            only_network_errors=True,
            next_sync_at__lte=now,
        )

    def messages_visible_to(self, viewer: User) -> EmailAccountQuerySet:
        """Accounts (removed ones too) whose messages `viewer` may see; its readable twin is rules.may_see_messages."""
        return self.filter(purging=False).filter(
            Q(visibility=Visibility.EVERYONE)
            | Q(owner=viewer)
            | Q(visibility=Visibility.OWNER_AND_MANAGERS, owner__team__in=_managed_teams(viewer))
        )

    def manageable_by(self, viewer: User) -> EmailAccountQuerySet:
        """Accounts whose settings `viewer` sees and may fix; its readable twin is rules.may_manage."""
        if viewer.is_admin:
            return self.all()
        return self.filter(Q(owner=viewer) | Q(owner__team__in=_managed_teams(viewer)))


class EmailAccount(models.Model):
    """One connected IMAP account (and SMTP for sending). Passwords are sealed and bound to `secret_id`."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="email_accounts")
    address = models.CharField(max_length=320)
    aliases = models.JSONField(default=list)
    secret_id = models.UUIDField(default=uuid.uuid4, editable=False)

    imap_host = models.CharField(max_length=255)
    imap_port = models.PositiveIntegerField(default=993)
    imap_security = models.CharField(max_length=8, choices=SecurityChoice.choices, default=SecurityChoice.TLS)
    imap_username = models.CharField(max_length=320)
    sealed_imap_password = models.TextField(blank=True)
    smtp_host = models.CharField(max_length=255, blank=True)
    smtp_port = models.PositiveIntegerField(null=True, blank=True)
    smtp_security = models.CharField(max_length=8, choices=SecurityChoice.choices, blank=True)
    smtp_username = models.CharField(max_length=320, blank=True)
    sealed_smtp_password = models.TextField(blank=True)
    smtp_same_password = models.BooleanField(default=True)

    store = models.CharField(max_length=8, choices=Store.choices, default=Store.BOTH)
    visibility = models.CharField(max_length=20, choices=Visibility.choices, default=Visibility.OWNER_AND_MANAGERS)
    on_dashboard = models.BooleanField(default=True)
    import_since = models.DateTimeField()
    includes_subfolders = models.BooleanField(default=False)  # new ones of folders that are read

    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    failed_attempts = models.PositiveIntegerField(default=0)
    last_error_code = models.CharField(max_length=60, blank=True)
    last_error_message = models.TextField(blank=True)
    last_error_msgid = models.TextField(blank=True)  # with its params: the sentence in any language
    last_error_params = models.JSONField(default=dict)
    last_error_at = models.DateTimeField(null=True, blank=True)
    only_network_errors = models.BooleanField(default=True)  # since the last success; such accounts may heal alone
    deactivated_at = models.DateTimeField(null=True, blank=True)
    last_synchronized_at = models.DateTimeField(null=True, blank=True)
    next_sync_at = models.DateTimeField(null=True, blank=True)
    last_news_at = models.DateTimeField(null=True, blank=True)  # when a synchronisation last brought new messages
    lease_until = models.DateTimeField(null=True, blank=True)
    lease_token = models.CharField(max_length=32, blank=True)

    sending_active = models.BooleanField(default=False)
    sending_error = models.TextField(blank=True)  # why nothing is sent until somebody acts
    lacks_sent_folder = models.BooleanField(default=False)  # sent mail has no place on the mail server
    is_default = models.BooleanField(default=False)

    created_at = models.DateTimeField(auto_now_add=True)
    removed_at = models.DateTimeField(null=True, blank=True)
    purging = models.BooleanField(default=False)  # removed with its messages: nobody sees them, a task deletes them

    objects = EmailAccountQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["address"], condition=Q(removed_at__isnull=True), name="address_connected_once"
            ),
            models.UniqueConstraint(
                fields=["owner"], condition=Q(is_default=True, removed_at__isnull=True), name="one_default_per_owner"
            ),
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_sync_at"], condition=Q(removed_at__isnull=True, state="active"), name="account_due"
            ),
            models.Index(
                fields=["next_sync_at"],
                condition=Q(removed_at__isnull=True, state="deactivated", only_network_errors=True),
                name="account_probe_due",
            ),
            models.Index(fields=["id"], condition=Q(purging=True), name="account_to_purge"),
            models.Index(fields=["owner"], name="account_by_owner"),
        ]

    def __str__(self) -> str:
        return self.address


#: what each kind of rule keeps out, in words
IMPORT_RULE_LABELS: dict[str, Promise] = {
    ImportRuleKind.ADDRESS: _("Mail with this address"),
    ImportRuleKind.DOMAIN: _("Mail with this domain"),
    ImportRuleKind.COLLEAGUES: _("Mail only between colleagues"),
    ImportRuleKind.LISTS: _("Newsletters and mailing lists"),
    ImportRuleKind.BULK: _("Bulk mail"),
}


class ImportRule(models.Model):
    """Mail that is never imported: of all the owner's accounts, of one account, or (neither) of the whole workspace.

    value: a normal address, or a domain in lower case; '' for the other kinds. What is stored stays.
    """

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="+")
    account = models.ForeignKey(EmailAccount, null=True, on_delete=models.CASCADE, related_name="import_rules")
    kind = models.CharField(max_length=20, choices=IMPORT_RULE_LABELS.items())
    value = models.CharField(max_length=320, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(owner=None) | Q(account=None), name="import_rule_of_one_scope"),
            models.UniqueConstraint(
                fields=["kind", "value"], condition=Q(owner=None, account=None), name="import_rule_once_for_all"
            ),
            models.UniqueConstraint(fields=["owner", "kind", "value"], name="import_rule_once_per_owner"),
            models.UniqueConstraint(fields=["account", "kind", "value"], name="import_rule_once_per_account"),
        ]

    def __str__(self) -> str:
        return f"import rule {self.pk}"

    @property
    def is_for_all(self) -> bool:
        return self.owner_id is None and self.account_id is None
