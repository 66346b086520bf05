"""/contacts as integrators use it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection

from mailwall.contacts import hooks
from mailwall.contacts.models import Contact

if TYPE_CHECKING:
    from tests.cast import Cast

pytestmark = pytest.mark.django_db
EWA = {"kind": "person", "first_name": "Ewa", "last_name": "Kwiat", "emails": ["Ewa@KWIAT.example"]}


@pytest.fixture(autouse=True)
def no_rooms_above(monkeypatch: pytest.MonkeyPatch) -> None:
    for listeners in ("_listeners", "_leave_listeners", "_zone_listeners", "_own_address_checks"):
        monkeypatch.setattr(hooks, listeners, [])


def everything(client, **query: Any) -> list[dict[str, Any]]:
    items, cursor = [], {}
    while True:
        answer = client.get("/contacts", **query, **cursor)
        assert answer.status_code == 200, answer.content
        items += answer.json()["items"]
        if answer.json()["next_cursor"] is None:
            return items
        cursor = {"cursor": answer.json()["next_cursor"]}


def test_a_contact_is_made_read_changed_and_deleted(cast: Cast, api) -> None:
    alice = api(cast.alice)
    kwiat = alice.post("/contacts", {"kind": "company", "name": "Kwiat S.A.", "emails": ["ewa@kwiat.example"]}).json()
    answer = alice.post("/contacts", {**EWA, "company": kwiat["id"], "title": "Buyer", "phone": "+48 600"})
    made = answer.json()
    assert answer.status_code == 201
    assert made == {
        "id": made["id"], "kind": "person", "name": "Ewa Kwiat", "first_name": "Ewa", "last_name": "Kwiat",
        "company": kwiat["id"], "emails": ["ewa@kwiat.example"], "owner": cast.alice.pk, "title": "Buyer",
        "phone": "+48 600", "zone": "", "warnings": [],
    }  # fmt: skip
    path = f"/contacts/{made['id']}"
    changed = alice.call("PATCH", path, {"emails": ["b@x.example", "a@x.example"], "company": None}).json()
    assert changed == {**made, "emails": ["b@x.example", "a@x.example"], "company": None}
    assert alice.call("PATCH", path, changed).json() == changed
    assert alice.get(path).json() == changed
    assert alice.call("DELETE", path).status_code == 204
    assert [alice.call(method, path, body).status_code for method, body in
            (("GET", None), ("PATCH", {}), ("DELETE", None))] == [404, 404, 404]  # fmt: skip


def test_all_who_are_signed_in_read_and_only_some_edit(cast: Cast, api) -> None:
    made = api(cast.alice).post("/contacts", EWA).json()
    path = f"/contacts/{made['id']}"
    for viewer in cast.everyone():
        assert api(viewer).get(path).json()["name"] == "Ewa Kwiat"
        assert len(api(viewer).get("/contacts").json()["items"]) == 1
    assert api(None).get(path).status_code == api(None).get("/contacts").status_code == 401
    assert api(None).post("/contacts", EWA).status_code == 401
    for viewer, status in ((cast.charlie, 403), (cast.alice, 200), (cast.bob, 200), (cast.erin, 200)):
        assert api(viewer).call("PATCH", path, {"title": "x"}).status_code == status
    refused = api(cast.charlie).call("DELETE", path)
    assert refused.status_code == 403 and refused.json()["code"] == "not_allowed"
    assert "Alice" in refused.json()["detail"]


def test_an_address_taken_is_answered_with_its_owner(cast: Cast, api) -> None:
    made = api(cast.alice).post("/contacts", EWA).json()
    answer = api(cast.bob).post("/contacts", {"name": "Eva", "emails": ["new@x.example", "ewa@kwiat.EXAMPLE"]})
    body = answer.json()
    assert (answer.status_code, body["code"], body["contact"]) == (409, "address_taken", made["id"])
    assert answer["Content-Type"] == "application/problem+json"
    assert body["errors"][0]["field"] == "emails.1" and "Ewa Kwiat" in body["detail"]
    other = api(cast.bob).post("/contacts", {"name": "Eva"}).json()
    answer = api(cast.bob).call("PATCH", f"/contacts/{other['id']}", {"emails": ["ewa@kwiat.example"]})
    assert (answer.status_code, answer.json()["contact"]) == (409, made["id"])


@pytest.mark.django_db(transaction=True)
def test_of_two_who_claim_an_address_at_once_one_is_told(cast: Cast, api) -> None:
    clients = [api(cast.alice), api(cast.bob)]

    def claim(client) -> int:
        try:
            return client.post("/contacts", EWA).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(claim, clients)) == [201, 409]
    assert Contact.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"first_name"}),
        ({"kind": "company"}, {"name"}),
        ({"kind": "robot", "name": "x"}, {"kind"}),
        ({"name": "x", "emails": ["ok@x.example", "ewa@@x", "ewa@localhost", "ewa"]},
         {"emails.1", "emails.2", "emails.3"}),
        ({"name": "x", "emails": "ewa@x.example"}, {"emails"}),
        ({"name": "x", "emails": None}, {"emails"}),
        ({"name": "x", "company": 9223372036854775808}, {"company"}),
        ({"name": "x", "company": "kwiat"}, {"company"}),
        ({"name": "x", "owner": 999999}, {"owner"}),
        ({"first_name": "x" * 301}, {"first_name"}),
        ({"kind": "company", "name": "x" * 301}, {"name"}),
        ({"kind": "company", "name": "x", "company": 1}, {"company"}),
        ({"name": "x", "emails": ["a@x.example"] * 1001}, {"emails"}),
        ({"first_name": "\x00"}, {"first_name"}),
    ],
)  # fmt: skip
def test_bad_input_is_named_by_field(cast: Cast, api, body: dict[str, Any], fields: set[str]) -> None:
    answer = api(cast.alice).post("/contacts", body)
    assert answer.status_code == 422
    assert {error["field"] for error in answer.json()["errors"]} == fields
    assert all(error["message"] for error in answer.json()["errors"])
    assert not Contact.objects.exists()


def test_own_addresses_are_accepted_with_a_warning(cast: Cast, api) -> None:
    answer = api(cast.alice).post("/contacts", {"name": "Bob", "emails": ["x@x.example", cast.bob.email]})
    assert answer.status_code == 201
    [warning] = answer.json()["warnings"]
    assert (warning["field"], warning["code"]) == ("emails.1", "own_address") and cast.bob.email in warning["message"]


def test_the_list_searches_names_and_addresses_folded(cast: Cast, api) -> None:
    alice = api(cast.alice)
    for name, email in (("Łukasz Żółw", "luki@kamień.example"), ("Anna Nowak", "anna@nowak.example")):
        alice.post("/contacts", {"name": name, "emails": [email]})
    alice.post("/contacts", {"kind": "company", "name": "Nowak 100% Sp.", "emails": ["anna@nowak.example"]})

    def found(**query: Any) -> list[str]:
        return [item["name"] for item in everything(alice, **query)]

    assert found() == ["Anna Nowak", "Łukasz Żółw", "Nowak 100% Sp."]
    assert found(q="zolw LUK") == found(q="@kamien") == found(q="kamień.example") == ["Łukasz Żółw"]
    assert found(q="nowak", kind="company") == found(q="100%") == ["Nowak 100% Sp."]
    assert found(email="ANNA@nowak.example") == ["Anna Nowak", "Nowak 100% Sp."]
    assert found(email="ANNA@nowak.example", kind="person") == ["Anna Nowak"]
    assert found(email="luki@KAMIEŃ.example") == ["Łukasz Żółw"]
    assert found(email="anna@nowak") == found(q="nobody") == found(q="_nna") == found(q="no%k") == []


@pytest.mark.parametrize(
    "q", ["%", "'", '"', "\\", "\x00", "a" * 60_000, "%" * 60_000, "(", "NEAR(a b)", "ﷺ" * 300, "🙂"]
)
def test_no_search_breaks_the_list(cast: Cast, api, q: str) -> None:
    for query in ({"q": q}, {"email": q}):
        assert api(cast.alice).get("/contacts", **query).status_code == 200


def test_paging_gives_every_contact_once_in_order(cast: Cast, api) -> None:
    alice = api(cast.alice)
    names = ["ewa", "Ewa", "EWA", "Ęwa", "adam", "Żaneta", "zofia", "Łucja", "luiza"]
    for name in names:
        alice.post("/contacts", {"name": name})
    paged = [item["name"] for item in everything(alice, limit=2)]
    assert paged == ["adam", "ewa", "Ewa", "EWA", "Ęwa", "Łucja", "luiza", "Żaneta", "zofia"]
    bad = alice.get("/contacts", cursor="nonsense")
    assert (bad.status_code, bad.json()["code"]) == (422, "cursor_invalid")
    assert len(alice.get("/contacts", limit=0).json()["items"]) == 1


def test_the_list_asks_the_database_as_often_for_fifty_as_for_one(
    cast: Cast, api, django_assert_max_num_queries
) -> None:
    alice = api(cast.alice)
    company = alice.post("/contacts", {"kind": "company", "name": "Kwiat"}).json()["id"]
    for number in range(60):
        alice.post("/contacts", {"name": f"P {number}", "emails": [f"p{number}@x.example"], "company": company})
    with django_assert_max_num_queries(4):
        assert len(alice.get("/contacts", limit=50).json()["items"]) == 50


@pytest.mark.parametrize(
    ("given", "stored"), [("Asia/Tokyo", "Asia/Tokyo"), ("new york", "America/New_York"), ("", "")]
)
def test_a_time_zone_is_known_by_its_name_or_its_city(cast: Cast, api, given: str, stored: str) -> None:
    assert api(cast.alice).post("/contacts", {**EWA, "zone": given}).json()["zone"] == stored


def test_a_time_zone_that_does_not_exist_is_refused_with_its_field(cast: Cast, api) -> None:
    answer = api(cast.alice).post("/contacts", {**EWA, "zone": "Mars/Olympus"})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == "zone"
    assert not Contact.objects.exists()
