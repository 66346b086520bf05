"""Tables of users, teams, the workspace, API tokens and the audit log."""

from __future__ import annotations

from datetime import time
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    USER = "user", _("User")
    MANAGER = "manager", _("Manager")
    ADMIN = "admin", _("Administrator")


class Team(models.Model):
    """A user belongs to at most one team; a team has one or more managers."""

    name = models.CharField(max_length=200, unique=True)
    managers = models.ManyToManyField("team.User", related_name="managed_teams", blank=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email=(email or "").strip().lower())


class User(AbstractBaseUser):
    """Someone who signs in. may_connect None: as the workspace says for the role."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.USER)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="members")
    may_connect = models.BooleanField(null=True, blank=True)
    language = models.CharField(max_length=8, blank=True)
    theme = models.CharField(max_length=8, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    shortcuts = models.BooleanField(default=True)  # keys without Ctrl (WCAG 2.1.4 wants them switchable)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar = ["name"]

    class Meta:
        ordering: ClassVar = ["name", "id"]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def is_admin(self) -> bool:
        return self.role == Role.ADMIN


class Package(models.TextChoices):
    BASIC = "basic", _("Basic: many accounts may be connected, one may send")
    AUTOMATION = "automation", _("Automation: each account may send, sequences are on")


class Workspace(models.Model):
    """The one row of settings that admins change in the product; read it with `queries.workspace()`."""

    name = models.CharField(max_length=200, default="Mailwall")
    package = models.CharField(max_length=12, choices=Package.choices, default=Package.AUTOMATION)
    max_accounts_per_user = models.PositiveIntegerField(default=3)
    users_may_connect = models.BooleanField(default=True)
    managers_may_connect = models.BooleanField(default=True)
    admins_may_connect = models.BooleanField(default=True)
    review_time = models.TimeField(default=time(3, 0))
    time_zone = models.CharField(max_length=64, default="UTC")
    may_measure_opens = models.BooleanField(default=False)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=models.Q(pk=1), name="workspace_is_one_row")]

    def __str__(self) -> str:
        return self.name


class ApiToken(models.Model):
    """Only the hash is kept; the token itself is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=200)
    token_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class SetupLink(models.Model):
    """The one-time link that creates the first admin while there is no user."""

    token_hash = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"set-up link {self.pk}"


class AuditEntry(models.Model):
    """Who did what to which thing. `details` holds ids and counts, never secrets or mail text."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    action = models.CharField(max_length=60)
    target = models.CharField(max_length=120)
    details = models.JSONField(default=dict)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.target}"
