"""Who may what, how many, and what follows from a failed attempt. No database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.email_accounts import rules
from mailwall.email_accounts.rules import Standing, after_failure, after_success

NOW = datetime(2026, 11, 24, 10, 42, tzinfo=UTC)
FRESH = Standing(state="active", failed_attempts=0, only_network_errors=True, next_sync_at=NOW)
CODES = sorted(rules.NETWORK_CODES | rules.SIGN_IN_CODES | {"imap_tls_failed", "imap_protocol_error"})


def fail(standing: Standing, code: str, at: datetime = NOW, *, counts: bool = True) -> Standing:
    return after_failure(standing, code, counts=counts, now=at, max_failed_attempts=10)


def test_ten_network_failures_span_more_than_an_hour_and_the_tenth_deactivates():
    standing, at, pauses = FRESH, NOW, []
    for _ in range(9):
        standing = fail(standing, "imap_timeout", at)
        assert standing.state == "active"
        pauses.append((standing.next_sync_at - at).total_seconds() / 60)
        at = standing.next_sync_at
    assert pauses == [1, 2, 5, 10, 15, 15, 15, 15, 15]
    assert at - NOW > timedelta(hours=1)
    standing = fail(standing, "imap_timeout", at)
    assert (standing.state, standing.failed_attempts) == ("deactivated", 10)
    assert standing.next_sync_at == at + timedelta(hours=1)  # the probe


def test_a_refused_login_is_not_tried_again_by_itself():
    standing = fail(FRESH, "imap_login_refused")
    assert (standing.state, standing.failed_attempts, standing.next_sync_at) == ("needs_sign_in", 1, None)


def test_manual_downloads_that_are_refused_count_up_to_ten_and_nothing_probes_after():
    standing = FRESH
    for number in range(1, 11):
        standing = fail(standing, "imap_login_refused")
        assert standing.failed_attempts == number
        assert standing.state == ("deactivated" if number == 10 else "needs_sign_in")
        assert standing.next_sync_at is None


def test_one_other_cause_among_network_trouble_ends_the_healing():
    standing = fail(FRESH, "imap_protocol_error")
    for _ in range(9):
        standing = fail(standing, "imap_timeout")
    assert (standing.state, standing.next_sync_at) == ("deactivated", None)


def test_a_failed_probe_does_not_count_and_waits_another_hour():
    down = Standing(state="deactivated", failed_attempts=10, only_network_errors=True, next_sync_at=NOW)
    again = fail(down, "imap_unreachable")
    assert (again.state, again.failed_attempts, again.next_sync_at) == ("deactivated", 10, NOW + timedelta(hours=1))
    refused = fail(again, "imap_login_refused")
    assert (refused.failed_attempts, refused.next_sync_at) == (10, None)


def test_a_busy_server_counts_once_a_minute():
    first = fail(FRESH, "imap_busy")
    soon = fail(first, "imap_busy", NOW + timedelta(seconds=30))
    later = fail(soon, "imap_busy", NOW + timedelta(seconds=120))
    assert [first.failed_attempts, soon.failed_attempts, later.failed_attempts] == [1, 1, 2]


def test_an_unreadable_secret_waits_for_the_password_without_counting():
    standing = fail(FRESH, "secret_unreadable", counts=False)
    assert (standing.state, standing.failed_attempts, standing.next_sync_at) == ("needs_sign_in", 0, None)


@pytest.mark.parametrize("state", ["active", "needs_sign_in", "deactivated"])
def test_success_resets_everything(state):
    before = Standing(state=state, failed_attempts=7, only_network_errors=False, next_sync_at=None)
    after = after_success(before, now=NOW, interval=timedelta(minutes=3))
    assert after == Standing(
        state="active", failed_attempts=0, only_network_errors=True, next_sync_at=NOW + timedelta(minutes=3)
    )


def test_a_paused_account_stays_paused_whatever_a_manual_download_brings():
    paused = Standing(state="paused", failed_attempts=0, only_network_errors=True, next_sync_at=None)
    assert after_success(paused, now=NOW, interval=timedelta(minutes=3)).state == "paused"
    failed = fail(paused, "imap_timeout")
    assert (failed.state, failed.next_sync_at, failed.failed_attempts) == ("paused", None, 1)


@given(st.lists(st.sampled_from(CODES), min_size=1, max_size=30))
def test_whatever_fails_the_count_never_passes_ten_and_ten_means_deactivated(codes):
    standing, at = FRESH, NOW
    for code in codes:
        at += timedelta(minutes=2)
        standing = fail(standing, code, at)
        assert (standing.state == "deactivated") == (standing.failed_attempts == 10)
        assert standing.failed_attempts <= 10
        assert standing.next_sync_at is None or standing.next_sync_at > at
    assert standing.failed_attempts == min(10, len(codes))


_longest = st.integers(1, 86_400).map(lambda seconds: timedelta(seconds=seconds))
_quiet = st.none() | st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=4000))


@given(_quiet, _longest, st.floats(0, 1), st.booleans())
def test_no_account_waits_longer_than_the_interval_or_is_asked_without_pause(quiet, longest, share, first):
    interval = rules.poll_interval(quiet, longest)
    assert longest / rules.OFTENEST <= interval <= longest
    assert interval / 2 <= rules.spread(interval, share, first=first) <= interval


@given(_longest, st.timedeltas(timedelta(0), timedelta(days=40)), st.timedeltas(timedelta(0), timedelta(days=40)))
def test_who_was_quiet_for_longer_is_not_asked_sooner(longest, one, other):
    shorter, longer = sorted((one, other))
    assert rules.poll_interval(shorter, longest) <= rules.poll_interval(longer, longest)


@given(_longest)
def test_mail_just_came_means_soon_and_silence_means_the_whole_interval(longest):
    assert rules.poll_interval(timedelta(0), longest) == longest / rules.OFTENEST
    assert rules.poll_interval(longest * rules.OFTENEST, longest) == longest == rules.poll_interval(None, longest)


def test_accounts_added_together_do_not_stay_together():
    firsts = {rules.spread(timedelta(seconds=180), number / 10, first=True) for number in range(11)}
    assert len(firsts) == 11 and max(firsts) - min(firsts) == timedelta(seconds=90)


@given(st.integers(2, 10_000))
def test_people_always_have_a_connection_that_bulk_work_cannot_take(connections):
    bulk = rules.places_of_host(connections, for_person=False)
    assert 1 <= bulk < rules.places_of_host(connections, for_person=True) == connections


def person(pk: int, role: str = "user") -> SimpleNamespace:
    return SimpleNamespace(pk=pk, role=role)


def test_who_sees_messages_of_an_account():
    alice, bob, charlie, erin = person(1), person(2, "manager"), person(3), person(4, "admin")
    seen = {
        visibility: [
            rules.may_see_messages(viewer, SimpleNamespace(owner_id=1, visibility=visibility), {2})
            for viewer in (alice, bob, charlie, erin)
        ]
        for visibility in ("everyone", "owner_and_managers", "owner")
    }
    assert seen == {
        "everyone": [True, True, True, True],
        "owner_and_managers": [True, True, False, False],
        "owner": [True, False, False, False],
    }


def test_owner_managers_and_admins_manage_but_only_the_owner_decides_on_privacy():
    account = SimpleNamespace(owner_id=1, visibility="owner")
    people = [person(1), person(2, "manager"), person(3), person(4, "admin")]
    assert [rules.may_manage(viewer, account, {2}) for viewer in people] == [True, True, False, True]
    assert [rules.may_change_privacy(viewer, account) for viewer in people] == [True, False, False, False]


def test_one_adds_for_oneself_managers_for_their_team_admins_for_all_and_nobody_without_the_permission():
    actors = [person(1), person(2, "manager"), person(3), person(4, "admin")]
    assert [rules.may_add_for(actor, 1, {2}, may_connect=True) for actor in actors] == [True, True, False, True]
    assert not any(rules.may_add_for(actor, 1, {2}, may_connect=False) for actor in actors)


def test_the_package_decides_how_many_accounts():
    assert rules.account_limit("automation", 3) == 3
    assert rules.account_limit("basic", 3) is None


WARSAW = ZoneInfo("Europe/Warsaw")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, NOW - timedelta(days=14)),
        ("", NOW - timedelta(days=14)),
        ("2026-11-09", datetime(2026, 11, 8, 23, 0, tzinfo=UTC)),
        ("2026-11-09T06:30:00", datetime(2026, 11, 9, 5, 30, tzinfo=UTC)),
        ("2026-11-09T06:30:00Z", datetime(2026, 11, 9, 6, 30, tzinfo=UTC)),
        ("2026-11-09T06:30:00+05:00", datetime(2026, 11, 9, 1, 30, tzinfo=UTC)),
        ("1970-01-01", datetime(1969, 12, 31, 23, 0, tzinfo=UTC)),
    ],
)
def test_the_import_begins_with_a_day_of_the_owner_or_a_moment(text, moment):
    assert rules.import_since(text, zone=WARSAW, now=NOW, window_days=14) == moment


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "2027-01-01", "9999-12-31", "0001-01-01", "1969-12-31"])
def test_an_import_cannot_begin_in_the_future_or_before_mail(text):
    with pytest.raises(ValueError):
        rules.import_since(text, zone=WARSAW, now=NOW, window_days=14)
