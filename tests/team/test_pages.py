"""The pages of profile and administration, asked by everybody."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mailwall.team import queries, services, sign_in
from mailwall.team.models import Team, User
from tests.cast import PASSWORD, Cast

ADMIN_PAGES = [
    "/settings/users/", "/settings/users/new/", "/settings/users/{alice}/", "/settings/teams/", "/settings/teams/new/",
    "/settings/teams/{team}/", "/settings/workspace/",
]  # fmt: skip
OWN_PAGES = ["/settings/", "/settings/profile/", "/accounts/2fa/", "/accounts/password/change/", "/accounts/logout/"]


def as_user(user: User | None) -> Client:
    client = Client()
    if user:
        client.force_login(user, backend=sign_in.BACKEND)
    return client


@pytest.fixture
def erin(cast) -> Client:
    return as_user(cast.erin)


@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_admin_pages_are_for_admins(cast: Cast, path):
    path = path.format(alice=cast.alice.pk, team=cast.team.pk)
    assert as_user(None).get(path).headers["Location"].startswith("/accounts/login/?next=/settings/")
    for person in (cast.alice, cast.bob):
        answer = as_user(person).get(path)
        assert answer.status_code == 403
        assert "Ask: Erin." in answer.content.decode()
        assert as_user(person).post(path, {}).status_code in (403, 405)
    assert as_user(cast.erin).get(path).status_code == 200


@pytest.mark.parametrize("path", OWN_PAGES + ADMIN_PAGES)
def test_every_page_has_one_heading_a_title_and_no_inline_code(cast: Cast, path):
    services.set_password(None, cast.erin, PASSWORD)
    page = as_user(cast.erin).get(path.format(alice=cast.alice.pk, team=cast.team.pk)).content.decode()
    assert len(re.findall(r"<h1\b", page)) == 1
    assert re.search(r"<title>\S.* – Mailwall</title>", page)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son\w+=", page)
    assert len(re.findall(r'\sid="([^"]+)"', page)) == len(set(re.findall(r'\sid="([^"]+)"', page)))


def test_an_admin_adds_edits_and_deactivates(cast: Cast, erin):
    body = {
        "name": "Frank",
        "email": "frank@ours.example",
        "role": "manager",
        "team": cast.team.pk,
        "may_connect": "no",
    }
    assert erin.post("/settings/users/new/", body).headers["Location"] == "/settings/users/"
    frank = User.objects.get(email="frank@ours.example")
    assert (frank.role, frank.team, frank.may_connect, frank.has_usable_password()) == (
        "manager", cast.team, False, False,
    )  # fmt: skip
    erin.post(f"/settings/users/{frank.pk}/", {**body, "may_connect": "", "team": ""})
    frank.refresh_from_db()
    assert (frank.is_active, frank.may_connect, frank.team) == (False, None, None)
    page = erin.get("/settings/users/").content.decode()
    assert "Deactivated" in page


def test_editing_without_a_password_keeps_it(cast: Cast, erin):
    services.set_password(None, cast.alice, PASSWORD)
    body = {"name": "Alice", "email": cast.alice.email, "role": "user", "may_connect": "", "is_active": "on"}
    erin.post(f"/settings/users/{cast.alice.pk}/", body)
    assert User.objects.get(pk=cast.alice.pk).check_password(PASSWORD)


def test_a_refused_form_says_why_at_the_field_and_keeps_the_values(cast: Cast, erin):
    body = {"name": "Twin", "email": "alice@ours.example", "role": "user", "password": "top secret words"}
    answer = erin.post("/settings/users/new/", body)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'href="#id_email"' in page
    assert 'id="id_email_error"' in page
    assert re.search(r'<input[^>]*name="email"[^>]*aria-describedby="[^"]*id_email_error[^"]*"', page)
    assert 'value="Twin"' in page
    assert "top secret words" not in page


def test_the_last_admin_cannot_lock_everybody_out(cast: Cast, erin):
    body = {"name": "Erin", "email": cast.erin.email, "role": "user", "is_active": "on"}
    answer = erin.post(f"/settings/users/{cast.erin.pk}/", body)
    assert answer.status_code == 422
    assert "last administrator" in answer.content.decode()


def test_teams_get_managers(cast: Cast, erin):
    erin.post("/settings/teams/new/", {"name": "North", "managers": [cast.bob.pk]})
    north = Team.objects.get(name="North")
    assert list(north.managers.all()) == [cast.bob]
    assert erin.post(f"/settings/teams/{north.pk}/", {"name": "Sales"}).status_code == 422
    erin.post(f"/settings/teams/{north.pk}/", {"name": "Far North"})
    assert list(Team.objects.get(name="Far North").managers.all()) == []
    assert erin.post("/settings/teams/new/", {"name": "S", "managers": [cast.charlie.pk]}).status_code == 422


def test_the_workspace_is_changed(cast: Cast, erin):
    body = {
        "name": "Nowak", "package": "basic", "max_accounts_per_user": "7", "managers_may_connect": "on",
        "review_time": "04:30", "time_zone": "Europe/Warsaw",
    }  # fmt: skip
    assert erin.post("/settings/workspace/", body).status_code == 302
    row = queries.workspace()
    assert (row.name, row.package, row.max_accounts_per_user, row.users_may_connect) == ("Nowak", "basic", 7, False)
    assert "Nowak" in erin.get("/settings/").content.decode()
    assert erin.post("/settings/workspace/", {**body, "package": "gold"}).status_code == 422


def test_names_are_shown_as_text(cast: Cast, erin):
    services.update_user(cast.erin, cast.alice, name="<script>alert(1)</script>")
    assert "<script>alert" not in erin.get("/settings/users/").content.decode()


def test_the_profile_is_saved_and_speaks_the_chosen_language_at_once(cast: Cast):
    alice = as_user(cast.alice)
    body = {"name": "Alice B.", "language": "pl", "theme": "dark", "time_zone": "Europe/Warsaw"}
    page = alice.post("/settings/profile/", body, follow=True).content.decode()
    assert '<html lang="pl" data-bs-theme="dark">' in page
    assert 'data-shortcuts="off"' in page
    assert "Zapisano profil." in page
    assert alice.post("/settings/profile/", {**body, "time_zone": "Mars"}).status_code == 422
    assert alice.post("/settings/profile/", {**body, "name": "x" * 201}).status_code == 422


def test_language_and_theme_work_signed_out_and_signed_in(cast: Cast):
    client = Client()
    answer = client.post("/preferences/language", {"language": "pl", "next": "/accounts/login/"})
    assert answer.headers["Location"] == "/accounts/login/"
    client.post("/preferences/theme", {"theme": "dark"})
    assert '<html lang="pl" data-bs-theme="dark">' in client.get("/accounts/login/").content.decode()
    alice = as_user(cast.alice)
    alice.post("/preferences/language", {"language": "pl"})
    cast.alice.refresh_from_db()
    assert cast.alice.language == "pl"


def test_preferences_go_back_to_our_own_pages_only(db, client):
    for target in ("https://evil.example/", "//evil.example/", "javascript:alert(1)"):
        assert client.post("/preferences/theme", {"theme": "dark", "next": target}).headers["Location"] == "/"
    assert "mailwall_language" not in client.post("/preferences/language", {"language": "xx"}).cookies


def test_a_token_is_shown_once_and_revoked(cast: Cast):
    alice = as_user(cast.alice)
    answer = alice.post("/settings/profile/tokens/", {"token-name": "Backup", "token-scopes": "read", "token-days": 30})
    token = re.search(r"mw_[\w-]+", answer.content.decode()).group()
    assert "no-store" in answer.headers["Cache-Control"]
    assert services.use_token(token).scopes == ["read"]
    page = alice.get("/settings/profile/").content.decode()
    assert "Backup" in page
    assert token not in page
    path = f"/settings/profile/tokens/{cast.alice.api_tokens.get().pk}/revoke"
    as_user(cast.charlie).post(path)
    assert services.use_token(token)
    alice.post(path)
    assert services.use_token(token) is None
