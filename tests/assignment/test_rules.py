"""When the daily review is due: once a day, also when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from mailwall.assignment import rules

WARSAW = ZoneInfo("Europe/Warsaw")
ZONES = st.sampled_from([ZoneInfo(name) for name in ("UTC", "Europe/Warsaw", "Australia/Lord_Howe", "Pacific/Apia")])
MOMENTS = st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def test_it_is_due_at_the_set_time_of_the_zone():
    now = datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert rules.next_review_at(now, time(3), WARSAW) == datetime(2026, 11, 25, 2, tzinfo=UTC)
    assert rules.last_review_due(now, time(3), WARSAW) == datetime(2026, 11, 24, 2, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_is_due_all_the_same():
    eve = datetime(2026, 3, 28, 12, tzinfo=UTC)  # on the 29th 02:00 becomes 03:00
    assert rules.next_review_at(eve, time(2, 30), WARSAW) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_a_time_that_comes_twice_is_due_once():
    eve = datetime(2026, 10, 24, 12, tzinfo=UTC)  # on the 25th 03:00 becomes 02:00
    first = rules.next_review_at(eve, time(2, 30), WARSAW)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert rules.next_review_at(first, time(2, 30), WARSAW) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@given(MOMENTS, st.times(), ZONES)
def test_last_and_next_are_neighbours(now, at, zone):
    last, following = rules.last_review_due(now, at, zone), rules.next_review_at(now, at, zone)
    assert last <= now < following
    assert timedelta(hours=22) < following - last < timedelta(hours=51)  # Apia once skipped a whole day
    assert rules.next_review_at(last, at, zone) == following
    assert rules.last_review_due(following, at, zone) == following
