"""Assigning by hand and reviews, through REST and the command line."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from mailwall.assignment import tasks
from mailwall.assignment.models import Review
from tests.assignment.arrivals import arrive
from tests.cast import make_account, make_contact
from tests.mailstore.makers import incoming, put_one

pytestmark = pytest.mark.django_db


def test_a_message_is_assigned_and_unassigned_by_hand(cast, api):
    message, jan = put_one(make_account(cast.alice)), make_contact("Jan")
    path = f"/messages/{message.pk}/contacts/{jan.pk}"
    answer = api(cast.alice).call("PUT", path)
    assert answer.status_code == 200
    assert answer.json() == {
        "contacts": [{"id": jan.pk, "kind": "person", "name": "Jan", "because": [{"field": "hand", "address": ""}]}]
    }
    assert api(cast.alice).call("PUT", path).json() == answer.json()
    answer = api(cast.alice).call("DELETE", path)
    assert (answer.status_code, answer.json()) == (200, {"contacts": []})


def test_what_the_caller_cannot_see_is_not_there(cast, api):
    message, jan = put_one(make_account(cast.alice, visibility="owner")), make_contact("Jan")
    for method in ("PUT", "DELETE"):
        for viewer in (cast.bob, cast.charlie, cast.erin):
            answer = api(viewer).call(method, f"/messages/{message.pk}/contacts/{jan.pk}")
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert api(None).call(method, f"/messages/{message.pk}/contacts/{jan.pk}").status_code == 401
        for path in (f"/messages/{message.pk}/contacts/999", f"/messages/{2**70}/contacts/{2**70}"):
            assert api(cast.alice).call(method, path).status_code == 404


def test_a_review_says_how_many_it_reviewed_and_assigned(cast, api):
    arrive(make_account(cast.alice), incoming(), incoming("x@y.example"))
    make_contact("Jan", "jan@nowak.example")
    assert api(cast.charlie).post("/unassigned/review").json() == {"reviewed": 0, "assigned": 0}
    assert api(cast.erin).post("/unassigned/review").json() == {"reviewed": 2, "assigned": 1}
    assert api(None).post("/unassigned/review").status_code == 401


def test_the_command_reviews_now(cast):
    arrive(make_account(cast.alice), incoming(), incoming("x@y.example"))
    make_contact("Jan", "jan@nowak.example")
    out = StringIO()
    call_command("review", "--json", stdout=out)
    assert json.loads(out.getvalue()) == {"reviewed": 2, "assigned": 1}
    out = StringIO()
    call_command("review", stdout=out)
    assert out.getvalue() == "Reviewed 1 unassigned messages, assigned 0.\n"


def test_the_task_of_a_claimed_review_runs_it(cast):
    arrive(make_account(cast.alice), incoming())
    make_contact("Jan", "jan@nowak.example")
    tasks.review_if_due()
    review = Review.objects.get()
    assert (review.trigger, review.finished_at) == ("daily", None)
    tasks.run_review.call_local(review.pk)
    review.refresh_from_db()
    assert (review.reviewed, review.assigned) == (1, 1)
