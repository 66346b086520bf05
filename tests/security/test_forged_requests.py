"""What another site, a mail or a token for reading may set off: nothing. The addresses come from the URL list."""

from __future__ import annotations

import pytest
from django.test import Client

from mailwall.team import services as team_services
from tests.flows.private import make_world
from tests.flows.test_visibility_everywhere import ALL, BODY, PARAMETER, addresses, changed, rows

#: signing in and out are allauth's; its forms ask for the token too, but their addresses need no ids of ours
PAGES = [path for path in ALL if not path.startswith(("api/v1/", "accounts/2fa/", "unsubscribe/", "setup/"))]
CALLS = [path for path in ALL if path.startswith("api/v1/") and path not in ("api/v1/", "api/v1/openapi.json")]


@pytest.fixture
def world(cast):
    return make_world(cast)


def test_a_form_of_another_site_changes_nothing(world):
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.cast.alice)
    before, taken, known = rows(), [], _known(world)
    for pattern in PAGES:
        for path in list(addresses(world, pattern))[:1] if pattern in known else ():
            for headers in ({}, {"Origin": "https://evil.example"}, {"HX-Request": "true"}):
                status = client.post(path, BODY, headers=headers).status_code
                if status not in (403, 404, 405):
                    taken.append((path, headers, status))
    assert taken == []
    assert changed(before) == []


def test_the_session_of_a_browser_opens_no_door_of_the_api(world):
    client = Client(raise_request_exception=False)
    client.force_login(world.cast.alice)
    opened = [
        (method, path)
        for pattern in CALLS
        for path in list(addresses(world, pattern))[:1]
        for method in ("get", "post", "put", "patch", "delete")
        if getattr(client, method)(path).status_code not in (401, 405)
    ]
    assert opened == []


def test_a_token_for_reading_changes_nothing(world):
    token = team_services.create_token(world.cast.erin, scopes=["read"])
    own = team_services.create_token(world.cast.alice, scopes=["read"])
    client = Client(raise_request_exception=False)
    before, taken = rows(), []
    for pattern in CALLS:
        for path in list(addresses(world, pattern))[:1]:
            for method in ("post", "put", "patch", "delete"):
                for each in (token, own):
                    headers = {"Authorization": f"Bearer {each}", "X-HTTP-Method-Override": "GET"}
                    status = getattr(client, method)(path, BODY, "application/json", headers=headers).status_code
                    if status not in (403, 405):
                        taken.append((method, path, status))
    assert taken == []
    assert changed(before) == []


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Bearer ' OR 1=1", "bearer \x00", "Bearer " + "x" * 9_000]
)
def test_what_is_no_token_opens_nothing(db, client, header):
    assert client.get("/api/v1/me", headers={"Authorization": header}).status_code == 401


def test_deep_and_odd_json_is_refused_in_the_form_of_the_api(cast):
    token = team_services.create_token(cast.alice)
    client = Client(raise_request_exception=False)
    for body in ("[" * 100_000, '{"a":' * 50_000, '{"address": NaN}', '"\\ud800"', "\xff", "1e999999", ""):
        answer = client.post(
            "/api/v1/email-accounts", body, "application/json", headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code in (400, 422), (body[:9], answer.status_code)
        assert answer.headers["Content-Type"] == "application/problem+json"


def _known(world) -> set[str]:
    """Patterns whose parameters the world has values for."""
    return {pattern for pattern in PAGES if set(PARAMETER.findall(pattern)) <= set(world.ids)}
