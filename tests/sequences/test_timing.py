"""Waits, windows, holidays, caps: when a step runs."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailwall.sequences import timing
from mailwall.sequences.timing import Backlog, Calendar, Caps, DueMail, Used, Wait, Window

WARSAW = ZoneInfo("Europe/Warsaw")
OFFICE = Window(days=frozenset({1, 2, 3, 4, 5}), opens=time(8), closes=time(16))
OPEN = Calendar(zone=WARSAW)
WEEK = Calendar(zone=WARSAW, window=OFFICE)


def warsaw(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=WARSAW)


def test_without_window_and_wait_a_step_runs_at_once():
    now = warsaw("2026-11-28 23:59")
    assert timing.run_at(now, [], OPEN, fraction=0.5) == now


def test_without_window_a_wait_keeps_the_time_of_day():
    assert timing.run_at(warsaw("2026-11-25 14:30"), [Wait(days=3)], OPEN, fraction=0.5) == warsaw("2026-11-28 14:30")


def test_working_days_leave_out_weekends_and_holidays():
    holidays = frozenset({date(2026, 12, 1)})
    assert timing.after_waits(date(2026, 11, 27), [Wait(days=2, working_days=True)], holidays) == date(2026, 12, 2)


def test_waits_in_a_row_add_up():
    waits = [Wait(days=1), Wait(days=2, working_days=True)]
    assert timing.after_waits(date(2026, 11, 25), waits, frozenset()) == date(2026, 11, 30)


def test_in_an_open_window_what_waits_for_nothing_runs_at_once():
    now = warsaw("2026-11-25 09:00")
    assert timing.run_at(now, [], WEEK, fraction=0.9) == now


def test_a_window_that_is_closed_for_the_weekend_and_a_holiday_opens_on_tuesday():
    calendar = Calendar(zone=WARSAW, window=OFFICE, holidays=frozenset({date(2026, 11, 30)}))
    run_at = timing.run_at(warsaw("2026-11-27 17:00"), [], calendar, fraction=0.25)
    assert run_at == warsaw("2026-12-01 10:00")


def test_a_wait_that_ends_on_a_weekend_goes_on_in_the_next_window():
    assert timing.run_at(warsaw("2026-11-25 15:00"), [Wait(days=3)], WEEK, fraction=0) == warsaw("2026-11-30 08:00")


def test_nine_in_the_morning_stays_nine_over_the_change_of_clocks():
    before = warsaw("2026-10-24 09:00")
    after = timing.run_at(before, [Wait(days=1)], OPEN, fraction=0)
    assert after.astimezone(WARSAW).hour == 9 and after - before == timedelta(hours=25)


def test_a_time_that_the_clock_change_skips_is_an_hour_later():
    night = Calendar(zone=WARSAW, window=Window(days=frozenset(range(1, 8)), opens=time(2, 30), closes=time(6)))
    run_at = timing.first_open(warsaw("2027-03-28 00:10"), night, fraction=0)
    assert run_at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC) and timing.is_open(run_at, night)


def test_a_night_that_comes_twice_opens_once():
    night = Calendar(zone=WARSAW, window=Window(days=frozenset(range(1, 8)), opens=time(1), closes=time(4)))
    opens, closes = timing.open_hours(date(2026, 10, 25), night) or (None, None)
    assert opens and closes and closes - opens == timedelta(hours=4)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    moment=st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    days=st.sets(st.integers(1, 7), min_size=1),
    hours=st.tuples(st.integers(0, 23), st.integers(0, 23)).filter(lambda pair: pair[0] < pair[1]),
    wait=st.integers(0, 40),
    fraction=st.floats(0, 1, exclude_max=True),
)
def test_a_step_never_runs_outside_its_window_nor_before_its_wait_is_over(moment, days, hours, wait, fraction):
    window = Window(days=frozenset(days), opens=time(hours[0]), closes=time(hours[1]))
    calendar = Calendar(zone=WARSAW, window=window)
    run_at = timing.run_at(moment, [Wait(days=wait)], calendar, fraction=fraction)
    assert timing.is_open(run_at, calendar) and run_at >= moment
    assert timing.local_day(run_at, WARSAW) >= timing.local_day(moment, WARSAW) + timedelta(days=wait)


def due(*domains: str) -> list[DueMail]:
    return [DueMail(enrolment_id=n, contact_id=n, domain=domain, fraction=0.5) for n, domain in enumerate(domains)]


def test_the_daily_cap_hands_out_the_next_days_in_order():
    now = warsaw("2026-11-25 09:00")
    plan = timing.plan_mails(due(*"abcdefg"), now, WEEK, Used(total=1), Caps(daily=3), Backlog())
    days = [None if at is None else timing.local_day(at, WARSAW).day for at in plan.values()]
    assert days == [None, None, 26, 26, 26, 27, 27]


def test_a_domain_has_a_cap_of_its_own():
    now = warsaw("2026-11-25 09:00")
    plan = timing.plan_mails(due("x", "x", "y"), now, OPEN, Used(by_domain={"x": 1}), Caps(domain=2), Backlog())
    assert [at is None for at in plan.values()] == [True, False, True]


def test_the_next_batch_takes_the_days_behind_those_of_the_batch_before():
    now, backlog = warsaw("2026-11-25 09:00"), Backlog()
    days = [
        moment.date().day
        for _batch in range(2)
        for moment in timing.plan_mails(due("x", "y"), now, OPEN, Used(total=1), Caps(daily=1), backlog).values()
        if moment
    ]
    assert days == [26, 27, 28, 29]


def test_each_domain_over_its_cap_takes_its_own_next_day():
    now = warsaw("2026-11-25 09:00")
    plan = timing.plan_mails(due("x", "y", "x", "y"), now, OPEN, Used(), Caps(domain=1), Backlog())
    assert [moment and moment.date().day for moment in plan.values()] == [None, None, 26, 26]


def test_a_contact_gets_one_mail_a_day():
    now = warsaw("2026-11-25 09:00")
    twice = [DueMail(enrolment_id=n, contact_id=5, domain="x", fraction=0) for n in (1, 2)]
    plan = timing.plan_mails(twice, now, OPEN, Used(), Caps(), Backlog())
    assert plan == {1: None, 2: warsaw("2026-11-26 09:00")}


def test_what_comes_too_late_for_its_window_waits_for_the_next():
    plan = timing.plan_mails(due("x"), warsaw("2026-11-25 16:00"), WEEK, Used(), Caps(), Backlog())
    assert plan == {0: warsaw("2026-11-26 12:00")}


@pytest.mark.parametrize("place", [0, 1, 5])
def test_contacts_of_one_enrolment_do_not_all_begin_in_the_same_second(place):
    assert timing.stagger(place, OPEN, fraction=0.5) == timedelta()
    assert timing.stagger(place, WEEK, fraction=0.5) == timedelta(seconds=place * timing.GAP_SECONDS)
