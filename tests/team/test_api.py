"""REST: users, teams, workspace, oneself."""

from __future__ import annotations

import pytest

from mailwall.team import services
from mailwall.team.models import User
from tests.cast import PASSWORD, Api

ADMINS_ONLY = [("GET", "/users"), ("POST", "/users"), ("GET", "/teams"), ("POST", "/teams"), ("PATCH", "/workspace")]
BODIES = {"/users": {"email": "n@ours.example", "name": "N"}, "/teams": {"name": "North"}, "/workspace": {}}


@pytest.mark.parametrize(("method", "path"), ADMINS_ONLY)
def test_only_admins_manage(cast, method, path):
    body = BODIES[path] if method != "GET" else None
    for person, status in [(None, 401), (cast.alice, 403), (cast.bob, 403)]:
        answer = Api(person).call(method, path, body)
        assert answer.status_code == status
        assert answer["Content-Type"] == "application/problem+json"
    assert Api(cast.erin).call(method, path, body).status_code in (200, 201)


def test_an_admin_adds_a_user_who_can_sign_in(cast, client):
    body = {"email": "Frank@ours.example", "name": "Frank", "role": "manager", "team": cast.team.pk}
    made = Api(cast.erin).post("/users", {**body, "may_connect": False, "password": PASSWORD})
    assert made.status_code == 201
    said = made.json()
    assert said == {
        "id": said["id"], "email": "frank@ours.example", "name": "Frank", "role": "manager", "team": cast.team.pk,
        "may_connect": False, "is_active": True,
    }  # fmt: skip
    assert "password" not in made.content.decode()
    signed_in = client.post("/accounts/login/", {"login": "frank@ours.example", "password": PASSWORD})
    assert signed_in.status_code == 302


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"email": "alice@ours.example", "name": "Twin"}, 409, "email_taken"),
        ({"email": "not an address", "name": "N"}, 422, "invalid"),
        ({"email": "n@ours.example", "name": "x" * 300}, 422, "invalid"),
        ({"email": "n@ours.example", "name": "N", "role": "king"}, 422, "invalid"),
        ({"email": "n@ours.example", "name": "N", "team": 999_999}, 422, "invalid"),
        ({"email": "n@ours.example", "name": "N", "password": "short"}, 422, "invalid"),
        ({"email": "n@ours.example", "name": "N", "rolle": "admin"}, 422, "invalid"),
        ({"name": "N"}, 422, "invalid"),
    ],
)
def test_a_wrong_user_is_refused_with_the_field(cast, body, status, code):
    answer = Api(cast.erin).post("/users", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["errors"][0]["field"]
    assert User.objects.count() == 4


def test_patch_changes_what_it_names_and_nothing_else(cast):
    api = Api(cast.erin)
    changed = api.call("PATCH", f"/users/{cast.alice.pk}", {"may_connect": False}).json()
    assert (changed["may_connect"], changed["name"], changed["team"]) == (False, "Alice", cast.team.pk)
    changed = api.call("PATCH", f"/users/{cast.alice.pk}", {"may_connect": None, "team": None}).json()
    assert (changed["may_connect"], changed["team"]) == (None, None)
    assert api.call("PATCH", "/users/999999", {"name": "X"}).status_code == 404
    assert api.call("PATCH", f"/users/{2**70}", {"name": "X"}).status_code == 422


def test_the_last_admin_stays(cast):
    answer = Api(cast.erin).call("PATCH", f"/users/{cast.erin.pk}", {"role": "user"})
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")


def test_teams_have_managers(cast):
    api = Api(cast.erin)
    made = api.post("/teams", {"name": "North", "managers": [cast.bob.pk, cast.erin.pk]})
    assert (made.status_code, made.json()["managers"]) == (201, [cast.bob.pk, cast.erin.pk])
    team_id = made.json()["id"]
    changed = api.call("PATCH", f"/teams/{team_id}", {"managers": [cast.erin.pk]})
    assert changed.json() == {"id": team_id, "name": "North", "managers": [cast.erin.pk]}
    assert [team["name"] for team in api.get("/teams").json()["items"]] == ["Sales", "North"]
    assert api.post("/teams", {"name": "North"}).status_code == 409
    assert api.post("/teams", {"name": "South", "managers": [999_999]}).json()["errors"][0]["field"] == "managers"
    assert api.post("/teams", {"name": "South", "managers": [cast.charlie.pk]}).status_code == 422
    assert api.call("PATCH", "/teams/999999", {"name": "X"}).status_code == 404


def test_users_come_in_pages(cast):
    api = Api(cast.erin)
    first = api.get("/users", limit=3).json()
    rest = api.get("/users", limit=3, cursor=first["next_cursor"]).json()
    assert [user["id"] for user in first["items"] + rest["items"]] == sorted(user.pk for user in cast.everyone())
    assert rest["next_cursor"] is None
    assert api.get("/users", cursor="junk").status_code == 422


def test_everybody_reads_me(cast):
    said = Api(cast.alice).get("/me").json()
    assert said == {
        "id": cast.alice.pk, "email": "alice@ours.example", "name": "Alice", "role": "user", "team": cast.team.pk,
        "may_connect": True, "language": "", "time_zone": "UTC",
    }  # fmt: skip
    services.update_workspace(cast.erin, users_may_connect=False)
    assert Api(cast.alice).get("/me").json()["may_connect"] is False


def test_everybody_reads_the_workspace_and_admins_change_it(cast):
    assert Api(cast.alice).get("/workspace").json()["package"] == "automation"
    changed = Api(cast.erin).call("PATCH", "/workspace", {"package": "basic", "max_accounts_per_user": 5})
    assert (changed.status_code, changed.json()["package"]) == (200, "basic")
    assert Api(cast.alice).get("/workspace").json()["max_accounts_per_user"] == 5


@pytest.mark.parametrize(
    "body", [{"package": "gold"}, {"max_accounts_per_user": 0}, {"time_zone": "Mars"}, {"pakage": "basic"}, []]
)
def test_a_wrong_workspace_is_refused(cast, body):
    answer = Api(cast.erin).call("PATCH", "/workspace", body)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_a_reading_token_reads_and_no_more(cast, client):
    token = services.create_token(cast.erin, scopes=["read"])
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/api/v1/users", headers=headers).status_code == 200
    body = {"data": {"name": "North"}, "content_type": "application/json"}
    answer = client.post("/api/v1/teams", headers=headers, **body)
    assert (answer.status_code, answer.json()["code"]) == (403, "scope_missing")


def test_a_wrong_token_is_401(db, client):
    for value in ("Bearer nonsense", "Bearer ", "Basic abc"):
        assert client.get("/api/v1/me", headers={"Authorization": value}).status_code == 401
