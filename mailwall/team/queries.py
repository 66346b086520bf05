"""Reads of users, teams and the workspace."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from mailwall.team.models import ApiToken, AuditEntry, Role, Team, User, Workspace

MANAGING_ROLES = (Role.MANAGER, Role.ADMIN)


def workspace() -> Workspace:
    """The one row of workspace settings, made at the first reading."""
    row = Workspace.objects.filter(pk=1).first()
    if row is None:
        row, _made = Workspace.objects.get_or_create(pk=1, defaults={"review_time": settings.REVIEW_TIME})
    return row


def users() -> QuerySet[User]:
    """All users with their team, by name."""
    return User.objects.select_related("team")


def teams() -> QuerySet[Team]:
    """All teams with their managers and `member_count`, by name."""
    members = Count("members", filter=Q(members__is_active=True), distinct=True)
    return Team.objects.annotate(member_count=members).prefetch_related("managers")


def managers_of(user: User) -> QuerySet[User]:
    """Active people in charge of the user's team, never the user; nobody where there is no team."""
    people = User.objects.filter(is_active=True, role__in=MANAGING_ROLES)
    if user.team_id is None:
        return people.none()
    return people.filter(managed_teams=user.team_id).exclude(pk=user.pk)


def managed_by(viewer: User) -> QuerySet[User]:
    """Members of the teams the viewer is in charge of."""
    if not viewer.is_active or viewer.role not in MANAGING_ROLES:
        return User.objects.none()
    return User.objects.filter(team__managers=viewer)


def possible_managers() -> QuerySet[User]:
    return User.objects.filter(is_active=True, role__in=MANAGING_ROLES)


def admins() -> QuerySet[User]:
    """Who can grant what others may not do."""
    return User.objects.filter(is_active=True, role=Role.ADMIN)


def somebody_can_sign_in() -> bool:
    return User.objects.exists()


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """The user's tokens that were not revoked, newest first."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True).order_by("-id")


def deeds_since(actor: User, action: str, moment: datetime) -> int:
    """How often somebody did something, by the audit log."""
    return AuditEntry.objects.filter(actor=actor, action=action, at__gte=moment).count()
