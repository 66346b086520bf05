"""Health answers and the page of the REST API."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def test_health_and_readiness_answer_without_sign_in():
    assert Client().get("/healthz").json() == {"status": "ok"}
    ready = Client().get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_the_api_page_lists_every_call_and_asks_nothing_from_elsewhere():
    page = Client().get("/api/docs").content.decode()
    assert "/api/v1/email-accounts/{account_id}/download" in page
    assert "https://" not in page.replace("https://www.w3.org", "")
