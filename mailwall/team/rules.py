"""Decisions about people; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

SCOPES = ("read", "write")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NOTE_USE_EVERY = timedelta(minutes=1)


class SomeUser(Protocol):
    """What the rules ask of a user."""

    role: str
    may_connect: bool | None
    is_active: bool


class SomeWorkspace(Protocol):
    """What the rules ask of the workspace."""

    users_may_connect: bool
    managers_may_connect: bool
    admins_may_connect: bool


def may_connect(user: SomeUser, workspace: SomeWorkspace) -> bool:
    """Whether this user may connect email accounts: their own setting, else what the workspace says for the role."""
    if not user.is_active:
        return False
    if user.may_connect is not None:
        return user.may_connect
    return {
        "user": workspace.users_may_connect,
        "manager": workspace.managers_may_connect,
        "admin": workspace.admins_may_connect,
    }[user.role]


def may_manage_teams(role: str) -> bool:
    """Whether people of this role can be put in charge of a team."""
    return role in ("manager", "admin")


def scope_allows(scopes: Sequence[str], method: str) -> bool:
    """Whether a token with these scopes may call with this HTTP method. No scopes: all; `write` includes reading."""
    if not scopes or "write" in scopes:
        return True
    return "read" in scopes and method.upper() in SAFE_METHODS


def use_is_worth_noting(last_used_at: datetime | None, now: datetime) -> bool:
    """At most one write a minute, however often a token is used."""
    return last_used_at is None or last_used_at <= now - NOTE_USE_EVERY
