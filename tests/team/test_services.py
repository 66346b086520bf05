"""Users, teams, tokens and the set-up link, on a real database."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.utils import timezone

from mailwall.team import queries, services, tokens
from mailwall.team.errors import SetupLinkUnusable, TeamRefused
from mailwall.team.models import AuditEntry, SetupLink, Team, User

PASSWORD = "correct horse battery staple"


def refused(code: str, field: str, call, *args, **options):
    with pytest.raises(TeamRefused) as caught:
        call(*args, **options)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_an_email_address_is_one_whatever_its_case(cast):
    made = services.create_user(cast.erin, email=" Frank@Ours.Example ", name="Frank")
    assert made.email == "frank@ours.example"
    refused("email_taken", "email", services.create_user, cast.erin, email="FRANK@ours.example", name="Other")


@pytest.mark.parametrize("email", ["", "frank", "frank@", "a b@ours.example", "x" * 250 + "@ours.example"])
def test_a_bad_address_is_refused_with_its_field(cast, email):
    refused("invalid", "email", services.create_user, cast.erin, email=email, name="Frank")


@pytest.mark.parametrize("name", ["x" * 201, "\0"])
def test_a_bad_name_is_refused_with_its_field(cast, name):
    refused("invalid", "name", services.create_user, cast.erin, email="f@ours.example", name=name)


@pytest.mark.parametrize("password", ["short", "1234567890", "password123"])
def test_a_weak_password_is_refused_and_nothing_is_saved(cast, password):
    refused("invalid", "password", services.create_user, cast.erin, email="f@ours.example", name="F", password=password)
    assert not User.objects.filter(email="f@ours.example").exists()


def test_the_last_admin_can_be_neither_demoted_nor_deactivated(cast):
    refused("last_admin", "role", services.update_user, cast.erin, cast.erin, role="user")
    refused("last_admin", "is_active", services.update_user, cast.erin, cast.erin, is_active=False)
    other = services.create_user(cast.erin, email="f@ours.example", name="F", role="admin")
    services.update_user(cast.erin, other, is_active=False)
    refused("last_admin", "role", services.update_user, cast.erin, cast.erin, role="manager")
    assert User.objects.get(pk=cast.erin.pk).role == "admin"


def test_who_is_no_longer_manager_is_no_longer_in_charge(cast):
    assert list(queries.managers_of(cast.alice)) == [cast.bob]
    services.update_user(cast.erin, cast.bob, role="user")
    assert list(queries.managers_of(cast.alice)) == []
    services.update_user(cast.erin, cast.bob, role="manager")
    assert list(queries.managers_of(cast.alice)) == []


def test_managers_are_active_of_the_own_team_and_not_oneself(cast):
    services.update_user(cast.erin, cast.bob, team=cast.team)
    assert list(queries.managers_of(cast.bob)) == []
    assert list(queries.managers_of(cast.charlie)) == []
    assert set(queries.managed_by(cast.bob)) == {cast.alice, cast.bob}
    assert list(queries.managed_by(cast.erin)) == []
    services.update_user(cast.erin, cast.bob, is_active=False)
    assert list(queries.managers_of(cast.alice)) == []


def test_only_managers_and_admins_can_be_put_in_charge(cast):
    refused("invalid", "managers", services.create_team, cast.erin, name="North", managers=[cast.charlie])
    assert not Team.objects.filter(name="North").exists()
    refused("name_taken", "name", services.create_team, cast.erin, name=" Sales ")


def test_a_new_address_ends_signing_in_with_the_old_one(cast):
    EmailAddress.objects.create(user=cast.alice, email=cast.alice.email, primary=True)
    services.update_user(cast.erin, cast.alice, email="alice.new@ours.example")
    assert not EmailAddress.objects.exists()


def test_a_deed_is_written_down_without_secrets(cast):
    services.update_user(cast.erin, cast.alice, password=PASSWORD, name="Alice B.")
    entry = AuditEntry.objects.first()
    assert (entry.actor, entry.action, entry.target) == (cast.erin, "user.update", f"user {cast.alice.pk}")
    assert entry.details == {"fields": ["name", "password"]}


@pytest.mark.parametrize(
    ("field", "value"),
    [("package", "gold"), ("max_accounts_per_user", 0), ("time_zone", "Mars/Base"), ("name", "  ")],
)
def test_a_workspace_value_that_cannot_be_used_changes_nothing(cast, field, value):
    refused("invalid", field, services.update_workspace, cast.erin, **{field: value})
    assert getattr(queries.workspace(), field) != value


def test_tokens_are_kept_as_hashes_expire_and_can_be_revoked_by_their_owner_alone(cast):
    text = services.create_token(cast.alice)
    row = cast.alice.api_tokens.get()
    assert text not in (row.token_hash, row.name)
    assert services.use_token(text).user == cast.alice
    assert not services.revoke_token(cast.charlie, row.pk)
    assert services.revoke_token(cast.alice, row.pk)
    assert services.use_token(text) is None
    expired = services.create_token(cast.alice, expires_at=timezone.now() - timedelta(seconds=1))
    assert services.use_token(expired) is None


def test_the_token_of_a_deactivated_user_is_refused(cast):
    text = services.create_token(cast.alice)
    services.update_user(cast.erin, cast.alice, is_active=False)
    assert services.use_token(text) is None


def test_an_unknown_scope_is_refused(cast):
    refused("invalid", "", services.create_token, cast.alice, scopes=["read", "fly"])


def _token_of(link: str) -> str:
    assert link.startswith("http://crm.example/setup/")
    return link.rstrip("/").rpartition("/")[2]


FIRST = {"email": "first@ours.example", "name": "First", "password": PASSWORD, "language": "pl", "time_zone": "UTC"}


def test_the_setup_link_makes_one_admin_and_no_second(db):
    token = _token_of(services.make_setup_link("http://crm.example"))
    admin = services.create_first_admin(token, **FIRST)
    assert (admin.role, admin.language, admin.check_password(PASSWORD)) == ("admin", "pl", True)
    with pytest.raises(SetupLinkUnusable):
        services.create_first_admin(token, **{**FIRST, "email": "second@ours.example"})
    assert services.make_setup_link("http://crm.example") is None
    assert User.objects.count() == 1


def test_a_wrong_value_leaves_the_setup_link_good(db):
    token = _token_of(services.make_setup_link("http://crm.example"))
    with pytest.raises(TeamRefused):
        services.create_first_admin(token, **{**FIRST, "password": "short"})
    assert tokens.setup_link_is_usable(token)


def test_a_newer_setup_link_ends_the_older_and_a_first_user_ends_all(db):
    older = _token_of(services.make_setup_link("http://crm.example"))
    newer = _token_of(services.make_setup_link("http://crm.example"))
    assert not tokens.setup_link_is_usable(older)
    assert tokens.setup_link_is_usable(newer)
    assert SetupLink.objects.count() == 1
    services.create_user(None, email="cli@ours.example", name="Cli")
    assert not tokens.setup_link_is_usable(newer)
