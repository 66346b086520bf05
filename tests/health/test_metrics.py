"""What Prometheus reads: only with the token, and the same from every process."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from mailwall.email_accounts import leases, services
from mailwall.health import beats, tallies
from mailwall.health.models import Tally
from mailwall.imap.errors import ImapLoginRefused
from mailwall.sending.models import Outgoing
from tests.cast import make_account, make_raw, store

pytestmark = pytest.mark.django_db
NOW = timezone.now


def read(settings) -> dict[str, float]:
    """Samples by name and labels, as Prometheus' own reader sees them."""
    settings.METRICS_TOKEN = "let-me-in"
    answer = Client().get("/metrics", headers={"Authorization": "Bearer let-me-in"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    found = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_without_the_setting_there_is_no_such_page_and_without_the_token_nobody_reads_it(settings):
    settings.METRICS_TOKEN = ""
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = "let-me-in"
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic let-me-in"}, {"Authorization": "é"}):
        refused = Client().get("/metrics", headers=sent)
        assert (refused.status_code, refused["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert Client().post("/metrics").status_code == 405


def test_accounts_are_told_by_state_lag_and_what_is_due(cast, settings):
    now, interval = NOW(), timedelta(seconds=settings.SYNC_INTERVAL_SECONDS)
    fresh = make_account(cast.alice, last_synchronized_at=now - timedelta(seconds=20), next_sync_at=now + interval)
    make_account(cast.alice, last_synchronized_at=now - timedelta(minutes=50), next_sync_at=now - timedelta(minutes=47))
    held = make_account(cast.alice, last_synchronized_at=now - timedelta(minutes=4), next_sync_at=now)
    assert leases.take_lease(held.pk)
    make_account(cast.alice, state="paused", last_synchronized_at=now - timedelta(days=9))
    make_account(cast.alice, removed_at=now, next_sync_at=now)
    told = read(settings)
    assert (told["mailwall_accounts{state=active}"], told["mailwall_accounts{state=paused}"]) == (3, 1)
    assert (told["mailwall_accounts_due"], told["mailwall_accounts_overdue"], told["mailwall_accounts_working"]) == (
        1,
        1,
        1,
    )
    lags = [
        told[f"mailwall_account_lag_seconds_bucket{{le={bound}}}"] for bound in ("60", "180", "360", "3600", "+Inf")
    ]
    assert lags == [1, 1, 2, 3, 3]
    last = told[f"mailwall_account_last_success_timestamp_seconds{{account={fresh.pk}}}"]
    assert last == pytest.approx(fresh.last_synchronized_at.timestamp())


def test_what_happened_is_counted_once_wherever_it_happened(cast, settings, django_capture_on_commit_callbacks):
    account = make_account(cast.alice, state="active")
    from mailwall.mailstore import hooks

    hooks.tell_messages_arrived([store(account, make_raw("a@b.example", account.address)).pk], history=False)
    token = leases.take_lease(account.pk)
    services.record_failure(account.pk, token, ImapLoginRefused(ImapLoginRefused.MSGID), NOW())
    type(account).objects.update(lease_until=NOW() - timedelta(seconds=1))
    assert leases.take_lease(account.pk)
    told = read(settings)
    assert told["mailwall_messages_stored_total"] == 1
    assert told["mailwall_imap_errors_total{code=imap_login_refused,stage=sign_in}"] == 1
    assert told["mailwall_leases_taken_over_total"] == 1


def test_outgoing_mail_is_told_by_state_and_result(cast, settings):
    from mailwall.sending import hooks

    account = make_account(cast.alice)
    row = Outgoing.objects.create(
        sender=cast.alice, account=account, state="queued", due_at=NOW(), message_id_header="a@ours.example"
    )
    hooks.tell_outgoing_settled(row.pk, hooks.FAILED)
    told = read(settings)
    assert (told["mailwall_outgoing_waiting{state=queued}"], told["mailwall_outgoing_total{result=failed}"]) == (1, 1)


def test_a_process_tells_how_long_it_is_silent(settings):
    beats.beat("worker", NOW())
    told = read(settings)
    [silent] = [value for name, value in told.items() if name.startswith("mailwall_process_silent_seconds")]
    assert 0 <= silent < 5


def test_old_hours_are_added_up_and_the_sum_stays(settings):
    this_hour = NOW().replace(minute=0, second=0, microsecond=0)
    for hours in (0, 1, 60, 61, 62):
        Tally.objects.create(name=tallies.MESSAGES, hour=this_hour - timedelta(hours=hours), total=10)
    assert tallies.fold_old(NOW()) == 3
    assert tallies.fold_old(NOW()) == 0
    assert tallies.totals(tallies.MESSAGES) == {"": 50}
    assert [number for _, number in tallies.by_hour(tallies.MESSAGES, 3, this_hour)] == [0, 10, 10]


def test_no_figure_costs_more_queries_with_more_accounts(cast, settings, django_assert_max_num_queries):
    for _ in range(30):
        make_account(cast.alice)
    with django_assert_max_num_queries(9):
        read(settings)


def test_labels_tell_accounts_by_id_and_nobody_by_address(cast, settings):
    make_account(cast.alice, "alice.secret@ours.example", imap_host="imap.secret.example")
    settings.METRICS_TOKEN = "let-me-in"
    text = Client().get("/metrics", headers={"Authorization": "Bearer let-me-in"}).content.decode()
    assert "secret" not in text
    assert "@" not in text
