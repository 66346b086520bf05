"""Error pages: in the product's look, in the reader's language, for programs and for htmx in their form."""

from __future__ import annotations

import logging
from urllib.parse import unquote

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.test import Client, override_settings
from django.urls import include, path

from mailwall.team.sign_in import BACKEND
from mailwall.web import views


def refuse(request):
    raise PermissionDenied("Only Erin may do this.")


def odd(request):
    raise SuspiciousOperation


def fail(request):
    raise ZeroDivisionError("a secret")


urlpatterns = [
    path("refuse", refuse),
    path("odd", odd),
    path("fail", fail),
    path("api/v1/fail", fail),
    path("", include("mailwall.config.urls")),
]
handler400, handler403, handler404, handler500 = (
    views.bad_request, views.permission_denied, views.page_not_found, views.server_error,
)  # fmt: skip


@pytest.fixture(autouse=True)
def with_failing_pages():
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.mark.parametrize(
    ("address", "status", "english", "polish"),
    [
        ("/odd", 400, "This request cannot be read", "Nie można odczytać tego żądania"),
        ("/refuse", 403, "You may not do this", "Nie masz do tego uprawnień"),
        ("/nowhere", 404, "Page not found", "Nie znaleziono strony"),
        ("/fail", 500, "Our fault", "Nasza wina"),
    ],
)
def test_every_error_has_a_page_in_both_languages_signed_in_and_out(cast, address, status, english, polish):
    signed_in = Client(raise_request_exception=False)
    signed_in.force_login(cast.alice, backend=BACKEND)
    for client in (signed_in, Client(raise_request_exception=False)):
        for language, heading in (("en", english), ("pl", polish)):
            answer = client.get(address, headers={"Accept-Language": language})
            page = answer.content.decode()
            assert answer.status_code == status
            assert f"{heading}</h1>" in page
            assert f'<html lang="{language}"' in page
            assert "web/app.css" in page


def test_the_words_of_a_refusal_are_shown_and_sent_to_htmx(db, client):
    answer = client.get("/refuse")
    assert "Only Erin may do this." in answer.content.decode()
    assert unquote(answer.headers["X-Mailwall-Error"]) == "Only Erin may do this."


def test_a_failure_gives_a_reference_that_is_in_the_log_and_needs_no_database(caplog):
    client = Client(raise_request_exception=False)
    with caplog.at_level(logging.ERROR):
        page = client.get("/fail").content.decode()
    [record] = [record for record in caplog.records if record.message == "page failed"]
    assert record.reference in page
    assert record.exc_info
    assert "a secret" not in page


def test_the_api_fails_in_its_own_form(caplog):
    answer = Client(raise_request_exception=False).get("/api/v1/fail")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert Client().get("/api/v1/nowhere").json()["code"] == "not_found"


def test_an_expired_form_is_explained(db):
    answer = Client(enforce_csrf_checks=True).post("/accounts/login/", {"login": "a", "password": "b"})
    assert answer.status_code == 403
    assert "The form has expired" in answer.content.decode()


def test_back_leads_only_to_pages_of_ours(db, client):
    ours = client.get("/nowhere", headers={"Referer": "http://testserver/contacts/"}).content.decode()
    assert 'href="http://testserver/contacts/"' in ours
    foreign = client.get("/nowhere", headers={"Referer": "http://testserver.evil.example/"}).content.decode()
    assert "evil" not in foreign


def test_a_refused_host_name_is_a_page_too(settings):
    settings.ALLOWED_HOSTS = ["crm.example"]
    answer = Client().get("/accounts/login/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "This request cannot be read" in answer.content.decode()


def test_a_method_that_the_api_does_not_know_is_refused_in_its_own_form(db):
    answer = Client().delete("/api/v1/contacts")
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")
    assert answer.json()["code"] == "method_not_allowed"
    assert answer["Allow"] == "GET, POST"
