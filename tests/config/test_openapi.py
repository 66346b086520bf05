"""The REST API keeps what its OpenAPI document says, whatever it is asked (schemathesis)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
import schemathesis
from django.core import signals
from django.core.handlers.wsgi import WSGIHandler
from django.db import close_old_connections, reset_queries
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import mailwall
from mailwall.config.api import api as mailwall_api
from mailwall.team import services as team_services
from tests.cast import make_account, make_cast, make_contact, make_raw, store

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
DOCUMENT = mailwall_api.get_openapi_schema(path_prefix="/api/v1/")
DIALS = r"/(test|reactivate|download|folders|backfill|original)$|/attachments"  # these ask a mail server: tests/sync
whole = schemathesis.openapi.from_dict(DOCUMENT)
whole.app = WSGIHandler()
schema = whole.exclude(path_regex=DIALS).exclude(path="/api/v1/email-accounts", method="POST")
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(autouse=True)
def one_connection():
    """A request of its own does not close the test's transaction."""
    pairs = [(signals.request_started, reset_queries), (signals.request_started, close_old_connections)]
    pairs.append((signals.request_finished, close_old_connections))
    for signal, receiver in pairs:
        signal.disconnect(receiver)
    yield
    for signal, receiver in pairs:
        signal.connect(receiver)


@pytest.fixture
def headers(db) -> dict[str, str]:
    """Erin's, an admin with an account, contacts and messages to stumble on."""
    cast = make_cast()
    account = make_account(cast.erin)
    company = make_contact("Kwiat", "office@kwiat.example", kind="company")
    make_contact("Ewa Kwiat", "ewa@kwiat.example", company=company)
    store(account, make_raw("ewa@kwiat.example", account.address))
    return {"Authorization": f"Bearer {team_services.create_token(cast.erin)}"}


def test_the_document_is_valid():
    whole.validate()


def test_schema_names_are_of_one_room():
    """Of two schemas with one name, ninja would document the one for the other."""
    rooms = Path(mailwall.__file__).parent
    files = [*rooms.glob("*/api.py"), *rooms.glob("*/schemas.py"), *rooms.glob("*/api_*.py")]
    names = [name for file in files for name in re.findall(r"^class (\w+)\(", file.read_text(), re.M)]
    assert [name for name, times in Counter(names).items() if times > 1] == []


@schema.parametrize()
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_every_call_answers_as_documented(case, headers):
    case.call_and_validate(headers=headers, checks=CHECKS)
