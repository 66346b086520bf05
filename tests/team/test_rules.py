"""Who may connect, what a token may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from mailwall.team import rules

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@dataclass
class Person:
    role: str = "user"
    may_connect: bool | None = None
    is_active: bool = True


@dataclass
class Settings:
    users_may_connect: bool = True
    managers_may_connect: bool = True
    admins_may_connect: bool = True


@pytest.mark.parametrize("role", ["user", "manager", "admin"])
def test_every_role_may_connect_unless_the_workspace_says_no(role):
    assert rules.may_connect(Person(role), Settings())
    assert not rules.may_connect(Person(role), Settings(**{f"{role}s_may_connect": False}))


def test_ones_own_permission_wins_over_the_role():
    nobody = Settings(users_may_connect=False)
    assert rules.may_connect(Person(may_connect=True), nobody)
    assert not rules.may_connect(Person(may_connect=False), Settings())


def test_the_deactivated_may_not_connect_whatever_their_permission():
    assert not rules.may_connect(Person(may_connect=True, is_active=False), Settings())


@pytest.mark.parametrize(
    ("scopes", "may_get", "may_post"),
    [([], True, True), (["read"], True, False), (["write"], True, True), (["read", "write"], True, True)],
)
def test_scopes(scopes, may_get, may_post):
    assert rules.scope_allows(scopes, "GET") is may_get
    assert rules.scope_allows(scopes, "POST") is may_post


def test_an_unknown_scope_gives_nothing():
    assert not rules.scope_allows(["everything"], "GET")


def test_the_use_of_a_token_is_noted_at_most_once_a_minute():
    assert rules.use_is_worth_noting(None, NOW)
    assert not rules.use_is_worth_noting(NOW - timedelta(seconds=59), NOW)
    assert rules.use_is_worth_noting(NOW - timedelta(seconds=60), NOW)
