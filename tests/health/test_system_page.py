"""System status: for administrators, in words, whatever state the installation is in."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from mailwall.health import beats, tallies
from mailwall.health.models import Beat
from mailwall.web import clock
from tests.cast import make_account

pytestmark = pytest.mark.django_db
PATH = "/settings/system/"


def page(user, language: str = "en"):
    client = Client(headers={"Accept-Language": language})
    if user:
        client.force_login(user)
    return client.get(PATH)


def test_the_cast_asks(cast):
    assert page(None).headers["Location"].startswith("/accounts/login/?next=/settings/system/")
    for person in (cast.alice, cast.bob, cast.charlie):
        refused = page(person)
        assert refused.status_code == 403
        assert "Ask: Erin." in refused.content.decode()
        client = Client()
        client.force_login(person)
        assert PATH not in client.get("/settings/").content.decode()
    assert page(cast.erin).status_code == 200


def test_an_installation_without_anything_says_so(cast):
    text = page(cast.erin).content.decode()
    assert "No working account yet" in text
    assert "No message came in the last 24 hours." in text
    assert "Workers: none was heard of for a minute" in text
    assert '<svg class="mw-chart"' not in text


def test_a_working_installation_is_told_in_words_and_charts_with_a_table_beside_each(cast):
    now = timezone.now()
    make_account(cast.alice, last_synchronized_at=now, next_sync_at=now + timedelta(minutes=3))
    tallies.add(tallies.MESSAGES, count=1234)
    beats.beat("worker", now)
    text = page(cast.erin).content.decode()
    assert "Everything works" in text
    assert "1,234 messages" in text
    charts = re.findall(r'<svg class="mw-chart".*?</svg>', text, re.S)
    assert len(charts) == 2
    assert len(re.findall(r"<caption", text)) == 2
    assert all('role="img" aria-label="' in chart and "style=" not in chart for chart in charts)
    assert "Wszystko działa" in page(cast.erin, "pl").content.decode()


def test_what_is_wrong_comes_with_what_to_do(cast):
    now = timezone.now()
    late = make_account(cast.alice, last_synchronized_at=now - timedelta(hours=3), last_error_code="imap_timeout")
    beats.beat("worker", now)
    Beat.objects.update(own_clock_at=now + timedelta(hours=1))
    text = page(cast.erin).content.decode()
    assert "2 things need you" in text
    assert "1 was not synchronised for two intervals" in text
    assert "set it by NTP" in text
    assert late.address.partition("@")[0] in text
    Beat.objects.update(seen_at=now - timedelta(minutes=5))
    assert "none was heard of for a minute" in page(cast.erin).content.decode()


def test_a_clock_that_is_off_is_measured_against_the_databases(monkeypatch):
    monkeypatch.setattr(clock, "_ahead", timedelta(hours=1))
    assert timezone.now() - clock.now() == pytest.approx(timedelta(hours=1), abs=timedelta(seconds=1))
