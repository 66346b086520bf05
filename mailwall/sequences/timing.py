"""When a step runs: waits, windows, holidays, caps. Pure; moments are aware and given, never asked for.

Days and hours are local to the calendar's zone, so that 9 o'clock stays 9 o'clock in summer and in winter; a local time
that a clock change skips means the same distance after the change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LOOK_AHEAD_DAYS = 800
GAP_SECONDS = 10  # between the contacts of one enrolment while a window is open
SATURDAY = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When mail may leave. days: ISO week days, 1 Monday … 7. from opens on, before closes."""

    days: frozenset[int]
    opens: time
    closes: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """What the days of a sequence are like. window None: always."""

    zone: ZoneInfo
    window: Window | None = None
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    days: int
    working_days: bool = False


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def day_start(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day, in UTC."""
    return _at(day, time.min, zone)


def after_waits(day: date, waits: Sequence[Wait], holidays: frozenset[date]) -> date:
    """The day on which the waits are over. Working days: Monday to Friday without holidays."""
    for wait in waits:
        day = add_working_days(day, wait.days, holidays) if wait.working_days else day + timedelta(days=wait.days)
    return day


def add_working_days(day: date, count: int, holidays: frozenset[date]) -> date:
    while count > 0:
        day += timedelta(days=1)
        if day.isoweekday() < SATURDAY and day not in holidays:
            count -= 1
    return day


def run_at(after: datetime, waits: Sequence[Wait], calendar: Calendar, *, fraction: float) -> datetime:
    """When the step that follows these waits runs. after: when the step before them ran.

    Without a window: at the same local time of the day on which the waits are over; without waits at once. With a
    window: somewhere in that day's window, where `fraction` (0 to 1, its own for every enrolment and step) says, so
    that mails spread over the day; when nothing is waited for and the window is open, at once.
    """
    local = after.astimezone(calendar.zone)
    day = after_waits(local.date(), waits, calendar.holidays)
    if day == local.date():
        return first_open(after, calendar, fraction=fraction)
    if calendar.window is None:
        return _at(day, local.time(), calendar.zone)
    return first_open(day_start(day, calendar.zone), calendar, fraction=fraction)


def first_open(earliest: datetime, calendar: Calendar, *, fraction: float) -> datetime:
    """`earliest` when the window is open then, else a moment in the next window, where `fraction` says."""
    if calendar.window is None:
        return earliest
    day = local_day(earliest, calendar.zone)
    for ahead in range(LOOK_AHEAD_DAYS):
        hours = open_hours(day + timedelta(days=ahead), calendar)
        if hours is None or hours[1] <= earliest:
            continue
        opens, closes = hours
        if opens < earliest:
            return earliest
        return opens + (closes - opens) * min(max(fraction, 0.0), 0.999)
    return earliest + timedelta(days=LOOK_AHEAD_DAYS)  # every day is a holiday


def open_hours(day: date, calendar: Calendar) -> tuple[datetime, datetime] | None:
    """When the window of this local day opens and closes; None on a closed day."""
    window = calendar.window
    if window is None:
        return day_start(day, calendar.zone), day_start(day + timedelta(days=1), calendar.zone)
    if day.isoweekday() not in window.days or day in calendar.holidays:
        return None
    opens, closes = _at(day, window.opens, calendar.zone), _at(day, window.closes, calendar.zone)
    return (opens, closes) if opens < closes else None


def is_open(moment: datetime, calendar: Calendar) -> bool:
    hours = open_hours(local_day(moment, calendar.zone), calendar)
    return hours is not None and hours[0] <= moment < hours[1]


def next_day(moment: datetime, calendar: Calendar, *, fraction: float, days: int = 1) -> datetime:
    """So many days later: at the same time, or in that day's window."""
    return run_at(moment, [Wait(days=days)], calendar, fraction=fraction)


def back_on(day: date, calendar: Calendar, *, fraction: float) -> datetime:
    """When to write to somebody who is back on this day: then, in the window, or in the morning where there is none."""
    if calendar.window is None:
        return _at(day, time(9, 0), calendar.zone)
    return first_open(day_start(day, calendar.zone), calendar, fraction=fraction)


def fraction_of(sequence_id: int, contact_id: int, step_key: int) -> float:
    """A number from 0 to 1, the same for the same three: jitter that a preview can tell in advance."""
    digest = hashlib.blake2b(f"{sequence_id}/{contact_id}/{step_key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def stagger(place: int, calendar: Calendar, *, fraction: float) -> timedelta:
    """How much later the contact at this place of one enrolment begins, so that an open window brings no burst."""
    if calendar.window is None or place == 0:
        return timedelta()
    return timedelta(seconds=GAP_SECONDS * (place - 0.5 + fraction))


# -- what goes now of what is due


@dataclass(frozen=True, slots=True, kw_only=True)
class DueMail:
    """A mail that is due. fraction: its own number from 0 to 1."""

    enrolment_id: int
    contact_id: int
    domain: str
    fraction: float


@dataclass(slots=True, kw_only=True)
class Used:
    """What has gone out today, in the calendar's zone: from the account, by domain, and to whom."""

    total: int = 0
    by_domain: dict[str, int] = field(default_factory=dict)
    contacts: set[int] = field(default_factory=set)

    def add(self, contact_id: int, domain: str) -> None:
        self.total += 1
        self.by_domain[domain] = self.by_domain.get(domain, 0) + 1
        self.contacts.add(contact_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Automatic mails of the account a day, and of these to one domain; None: no limit."""

    daily: int | None = None
    domain: int | None = None


@dataclass(slots=True, kw_only=True)
class Backlog:
    """How many of a sequence a cap has put off so far: they take the places of the next days in their order."""

    total: int = 0
    by_domain: dict[str, int] = field(default_factory=dict)

    def put_off(self, daily_cap: int) -> int:
        """For how many days."""
        self.total += 1
        return 1 + (self.total - 1) // max(daily_cap, 1)

    def put_off_domain(self, domain: str, domain_cap: int) -> int:
        before = self.by_domain.get(domain, 0)
        self.by_domain[domain] = before + 1
        return 1 + before // max(domain_cap, 1)


def plan_mails(
    due: Sequence[DueMail],
    now: datetime,
    calendar: Calendar,
    used: Used,
    caps: Caps,
    backlog: Backlog,
) -> dict[int, datetime | None]:
    """enrolment → None: goes now; else when it is looked at again. `used` grows by what goes, `backlog` by the rest.

    First come, first served: what is over a cap takes the places of the next days in the order of `due`.
    """
    plan: dict[int, datetime | None] = {}
    if not is_open(now, calendar):
        return {mail.enrolment_id: first_open(now, calendar, fraction=mail.fraction) for mail in due}
    for mail in due:
        days = 0
        if mail.contact_id in used.contacts:
            days = 1
        elif caps.daily is not None and used.total >= caps.daily:
            days = backlog.put_off(caps.daily)
        elif caps.domain is not None and used.by_domain.get(mail.domain, 0) >= caps.domain:
            days = backlog.put_off_domain(mail.domain, caps.domain)
        if days:
            plan[mail.enrolment_id] = next_day(now, calendar, fraction=mail.fraction, days=days)
            continue
        plan[mail.enrolment_id] = None
        used.add(mail.contact_id, mail.domain)
    return plan


def _at(day: date, local: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, local.replace(tzinfo=None), tzinfo=zone).astimezone(UTC)
