"""Writes of users, teams and the workspace. Tokens and the set-up link: tokens.py, given here under one roof."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth import password_validation
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models, transaction
from django.utils.translation import gettext as _

from mailwall.team import hooks, queries, rules
from mailwall.team.errors import TeamRefused
from mailwall.team.models import AuditEntry, Package, Role, Team, User, Workspace
from mailwall.team.tokens import claim_setup_link, create_token, make_setup_link, revoke_token, use_token

__all__ = [
    "audit",
    "create_first_admin",
    "create_team",
    "create_token",
    "create_user",
    "make_setup_link",
    "revoke_token",
    "set_password",
    "update_profile",
    "update_team",
    "update_user",
    "update_workspace",
    "use_token",
]


def audit(actor: User | None, action: str, target: models.Model | str, **details: Any) -> None:
    """Write down who did what. `details`: ids, counts and names of fields; never secrets or mail text."""
    name = target if isinstance(target, str) else f"{target._meta.model_name} {target.pk}"
    AuditEntry.objects.create(actor=actor, action=action, target=name, details=details)


# -- users


@transaction.atomic
def create_user(
    actor: User | None,
    *,
    email: str,
    name: str = "",
    role: str = Role.USER,
    team: Team | None = None,
    may_connect: bool | None = None,
    password: str = "",
    **fields: str,
) -> User:
    """A new user; without a password they cannot sign in until one is set.

    :raises TeamRefused: `email_taken`, or a value that cannot be used.
    """
    user = User(role=_known_role(role), team=team, may_connect=may_connect, **fields)
    user.email = _free_email(email)
    user.name = _short_name(name or user.email.partition("@")[0])
    _check_zone(user.time_zone)
    _set_password(user, password)
    user.save()
    audit(actor, "user.create", user, role=user.role)
    return user


@transaction.atomic
def update_user(actor: User | None, user: User, **changes: Any) -> User:
    """Change email, name, role, team, may_connect, is_active or password.

    Who loses the role of a manager loses the teams they were in charge of, and so the right to see their mail.

    :raises TeamRefused: `email_taken`, `last_admin`, or a value that cannot be used.
    """
    changed, was_active = sorted(changes), user.is_active
    if "email" in changes:
        user.email = _free_email(changes.pop("email"), but=user)
        EmailAddress.objects.filter(user=user).delete()  # allauth's own list would keep the old one good for signing in
    if "name" in changes:
        user.name = _short_name(changes.pop("name"))
    if password := changes.pop("password", ""):
        _set_password(user, password)
    if "role" in changes:
        _known_role(changes["role"])
    _keep_an_admin(user, changes)
    for field in ("role", "team", "may_connect", "is_active"):
        if field in changes:
            setattr(user, field, changes[field])
    user.save()
    if not rules.may_manage_teams(user.role):
        user.managed_teams.clear()
    if user.is_active != was_active:
        hooks.tell_user_switched(user.pk, user.is_active)
    audit(actor, "user.update", user, fields=changed)
    return user


def update_profile(user: User, **fields: str | bool) -> None:
    """Save what people set for themselves: name, language, theme, time_zone, shortcuts."""
    for name, value in fields.items():
        setattr(user, name, value)
    user.save(update_fields=list(fields))


def set_password(actor: User | None, user: User, password: str) -> None:
    """Give the user a password; their sessions end.

    :raises TeamRefused: too short, too common, too much like their name.
    """
    _set_password(user, password)
    user.save(update_fields=["password"])
    audit(actor, "user.set_password", user)


@transaction.atomic
def create_first_admin(token: str, *, email: str, name: str, password: str, language: str, time_zone: str) -> User:
    """What the set-up link is for.

    :raises SetupLinkUnusable: unknown or used, or somebody can sign in already.
    :raises TeamRefused: a value that cannot be used; the link stays good.
    """
    claim_setup_link(token)
    admin = create_user(
        None, email=email, name=name, role=Role.ADMIN, password=password, language=language, time_zone=time_zone
    )
    update_workspace(admin, time_zone=time_zone)
    return admin


def _set_password(user: User, password: str) -> None:
    if not password:
        user.set_unusable_password()
        return
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise TeamRefused(" ".join(error.messages), field="password") from error
    user.set_password(password)


def _free_email(email: str, but: User | None = None) -> str:
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError as error:
        raise TeamRefused(_("“%(email)s” is not an email address.") % {"email": email[:80]}, field="email") from error
    if len(email) > 254:
        raise TeamRefused(_("An email address has at most 254 characters."), field="email")
    others = User.objects.exclude(pk=but.pk) if but else User.objects.all()
    if others.filter(email=email).exists():
        raise TeamRefused(_("There is a user with this email address already."), field="email", code="email_taken")
    return email


def _short_name(name: str, field: str = "name") -> str:
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise TeamRefused(_("A name is needed."), field=field)
    if len(name) > 200:
        raise TeamRefused(_("A name has at most 200 characters."), field=field)
    return name


def _known_role(role: str) -> str:
    if role not in Role.values:
        raise TeamRefused(_("A role is one of: user, manager, admin."), field="role")
    return role


def _keep_an_admin(user: User, changes: dict[str, Any]) -> None:
    """Refuse to take the last active admin away; the rows are locked so that two admins cannot demote each other."""
    stays = changes.get("role", user.role) == Role.ADMIN and changes.get("is_active", user.is_active)
    admins = set(queries.admins().select_for_update().values_list("pk", flat=True))
    if not stays and admins == {user.pk}:
        text = _("This is the last administrator who can sign in. Make somebody else administrator first.")
        raise TeamRefused(text, field="is_active" if changes.get("is_active") is False else "role", code="last_admin")


# -- teams


@transaction.atomic
def create_team(actor: User | None, *, name: str, managers: Iterable[User] = ()) -> Team:
    """A new team with the people in charge of it.

    :raises TeamRefused: `name_taken`, or a manager who has not the role for it.
    """
    team = Team(name=_free_team_name(name))
    people = _check_managers(managers)
    team.save()
    team.managers.set(people)
    audit(actor, "team.create", team, managers=[person.pk for person in people])
    return team


@transaction.atomic
def update_team(
    actor: User | None, team: Team, *, name: str | None = None, managers: Iterable[User] | None = None
) -> Team:
    """Change the name, or replace the managers whole.

    :raises TeamRefused: `name_taken`, or a manager who has not the role for it.
    """
    if name is not None:
        team.name = _free_team_name(name, but=team)
        team.save()
    if managers is not None:
        team.managers.set(_check_managers(managers))
    audit(actor, "team.update", team, managers=sorted(team.managers.values_list("pk", flat=True)))
    return team


def _free_team_name(name: str, but: Team | None = None) -> str:
    name = _short_name(name)
    others = Team.objects.exclude(pk=but.pk) if but else Team.objects.all()
    if others.filter(name=name).exists():
        raise TeamRefused(_("There is a team of this name already."), field="name", code="name_taken")
    return name


def _check_managers(managers: Iterable[User]) -> list[User]:
    people = list(managers)
    for person in people:
        if not rules.may_manage_teams(person.role):
            text = _("%(name)s cannot be in charge of a team: the role is user. Make them manager first.")
            raise TeamRefused(text % {"name": person.name}, field="managers")
    return people


# -- workspace


@transaction.atomic
def update_workspace(actor: User | None, **changes: Any) -> Workspace:
    """Change settings that hold for everybody; fields as in models.Workspace.

    :raises TeamRefused: a value that cannot be used.
    """
    row = queries.workspace()
    if "name" in changes:
        changes["name"] = _short_name(changes["name"])
    if "package" in changes and changes["package"] not in Package.values:
        raise TeamRefused(_("The package is one of: basic, automation."), field="package")
    if not 1 <= changes.get("max_accounts_per_user", 1) <= 1000:
        raise TeamRefused(_("The limit is a number from 1 to 1000."), field="max_accounts_per_user")
    if "time_zone" in changes:
        _check_zone(changes["time_zone"])
    for field, value in changes.items():
        setattr(row, field, value)
    row.save(update_fields=list(changes))
    audit(actor, "workspace.update", row, fields=sorted(changes))
    return row


def _check_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise TeamRefused(_("Unknown time zone."), field="time_zone")
