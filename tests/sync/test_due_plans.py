"""The tick's queries go by an index, however many accounts there are; asked of whichever database the tests run on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import QuerySet

from mailwall.email_accounts.models import EmailAccount
from tests.cast import make_user
from tests.sync.conftest import NOW

pytestmark = pytest.mark.django_db


def plan(rows: QuerySet) -> str:
    return rows.explain()


@pytest.fixture
def many():
    owner = make_user("owner@ours.example")
    EmailAccount.objects.bulk_create(
        EmailAccount(
            owner=owner, address=f"a{n}@ours.example", imap_host=f"h{n % 9}.example", imap_username="x", import_since=NOW,
            next_sync_at=NOW + timedelta(seconds=n - 20), state="deactivated" if n % 100 == 0 else "active",
        )
        for n in range(3000)
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def test_each_question_of_the_tick_has_its_index(many):
    due = EmailAccount.objects.due(NOW).order_by("next_sync_at").values("pk")[:20]
    probes = EmailAccount.objects.probe_due(NOW).order_by("next_sync_at").values("pk")[:20]
    purging = EmailAccount.objects.filter(purging=True).values("pk")
    assert "account_due" in plan(due)
    assert "account_probe_due" in plan(probes)
    assert "account_to_purge" in plan(purging)
