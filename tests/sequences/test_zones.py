"""Windows that follow the clock of each contact."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import formats, timezone

from mailwall.contacts import services as contact_services
from mailwall.contacts.rules import ContactInput
from mailwall.sequences import enrolling, planning, preview, queries
from mailwall.sequences.models import CONTACT_ZONE, Enrolment
from mailwall.sequences.services import WindowInput
from mailwall.sequences.timing import Backlog
from mailwall.team import queries as team_queries
from mailwall.team.models import Workspace
from tests.sequences.conftest import AGAIN, MAIL

pytestmark = pytest.mark.django_db
TOKYO, NEW_YORK = ZoneInfo("Asia/Tokyo"), ZoneInfo("America/New_York")
THEIR_OFFICE = WindowInput(days=(1, 2, 3, 4, 5), opens=time(8), closes=time(16), zone=CONTACT_ZONE)
ALWAYS = WindowInput(days=(1, 2, 3, 4, 5, 6, 7), opens=time(0), closes=time(23, 59), zone=CONTACT_ZONE)


@pytest.fixture
def sequence(story):
    Workspace.objects.filter(pk=team_queries.workspace().pk).update(time_zone="Europe/Warsaw")
    return story.sequence(window=THEIR_OFFICE)


def at(day: str, zone: ZoneInfo) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=zone).astimezone(UTC)


def test_each_is_written_to_in_their_own_office_hours(story, sequence):
    story.clock.move_to(at("2026-11-29 12:00", TOKYO))  # Sunday
    yuki, john = story.contact("Yuki", zone="Asia/Tokyo"), story.contact("John", zone="America/New_York")
    east = story.enrol(sequence, yuki, john)
    west = Enrolment.objects.get(contact=john)
    for enrolment, zone in ((east, TOKYO), (west, NEW_YORK)):
        local = enrolment.next_run_at.astimezone(zone)
        assert local.isoweekday() == 1 and 8 <= local.hour < 16
    story.clock.move_to(at("2026-11-30 15:59", TOKYO))
    assert [mail.receivers for mail in story.run()] == [["yuki@kunde.example"]]
    story.clock.move_to(at("2026-11-30 15:59", NEW_YORK))
    assert [mail.receivers for mail in story.run()] == [["john@kunde.example"]]
    for enrolment, zone in ((east, TOKYO), (west, NEW_YORK)):
        enrolment.refresh_from_db()
        local = enrolment.next_run_at.astimezone(zone)
        assert local.date().isoformat() == "2026-12-03" and 8 <= local.hour < 16


def test_what_is_due_waits_until_the_contacts_window_opens(story, sequence):
    """Due by an older plan: the clock of the contact counts when it is to leave."""
    yuki, john = story.contact("Yuki", zone="Asia/Tokyo"), story.contact("John", zone="America/New_York")
    story.enrol(sequence, yuki, john)
    now = at("2026-11-26 10:00", TOKYO)
    Enrolment.objects.update(next_run_at=now)
    story.clock.move_to(now)
    assert [mail.receivers for mail in story.run()] == [["yuki@kunde.example"]]
    assert at("2026-11-26 08:00", NEW_YORK) <= Enrolment.objects.get(contact=john).next_run_at


def test_without_a_zone_the_companys_counts_and_then_the_workspaces(story, sequence):
    acme = story.contact("Acme", kind="company", zone="Asia/Tokyo")
    theirs = story.contact("Yuki", company_id=acme.pk)
    own = story.contact("John", company_id=acme.pk, zone="America/New_York")
    nobody = story.contact("Ewa")
    found = queries.calendars_of([sequence], [theirs.pk, own.pk, nobody.pk, acme.pk, None])
    zones = [found.of(sequence.pk, pk).zone.key for pk in (theirs.pk, own.pk, nobody.pk, acme.pk, None)]
    assert zones == ["Asia/Tokyo", "America/New_York", "Europe/Warsaw", "Asia/Tokyo", "Europe/Warsaw"]


def test_over_a_clock_change_the_hours_stay_the_contacts_own(story, sequence):
    story.clock.move_to(at("2027-03-12 15:00", NEW_YORK))  # clocks go forward on Sunday
    enrolment = story.enrol(sequence, story.contact("John", zone="America/New_York"))
    assert len(story.run()) == 1
    enrolment.refresh_from_db()
    local = enrolment.next_run_at.astimezone(NEW_YORK)
    assert (
        local.date().isoformat() == "2027-03-15" and 8 <= local.hour < 16 and local.utcoffset() == timedelta(hours=-4)
    )


def test_a_night_window_opens_after_the_hour_that_a_contact_skips(story):
    night = WindowInput(days=(1, 2, 3, 4, 5, 6, 7), opens=time(2, 15), closes=time(3, 15), zone=CONTACT_ZONE)
    sequence = story.sequence(window=night)
    story.clock.move_to(at("2027-03-14 00:10", NEW_YORK))
    there = story.enrol(sequence, story.contact("John", zone="America/New_York"))
    here = story.enrol(sequence, story.contact("Yuki", zone="Asia/Tokyo"))
    assert there.next_run_at.astimezone(NEW_YORK).hour == 2 or there.next_run_at >= at("2027-03-14 03:00", NEW_YORK)
    assert here.next_run_at.astimezone(TOKYO).date().isoformat() == "2027-03-15"


def test_a_new_zone_of_the_contact_or_its_company_moves_what_comes_next(story, sequence):
    acme = story.contact("Acme", kind="company", zone="Asia/Tokyo")
    enrolment = story.enrol(sequence, story.contact("Yuki", company_id=acme.pk))
    before = enrolment.next_run_at
    contact_services.update_contact(story.cast.alice, acme.pk, ContactInput(zone="America/New_York"))
    enrolment.refresh_from_db()
    local = enrolment.next_run_at.astimezone(NEW_YORK)
    assert enrolment.next_run_at != before and 8 <= local.hour < 16


def test_one_mail_a_day_means_the_contacts_day(story):
    """The evening in Warsaw is already the next morning in Tokyo."""
    sequence = story.sequence(MAIL, AGAIN, window=ALWAYS)
    story.clock.move_to(at("2026-11-25 23:30", TOKYO))
    enrolment = story.enrol(sequence, story.contact("Yuki", zone="Asia/Tokyo"))
    assert len(story.run()) == 1 and story.run() == []
    Enrolment.objects.update(next_run_at=timezone.now())
    story.clock.move_to(at("2026-11-25 23:50", TOKYO))
    assert story.run() == []
    enrolment.refresh_from_db()
    assert enrolment.next_run_at.astimezone(TOKYO).date().isoformat() == "2026-11-26"
    story.clock.move_to(at("2026-11-26 00:30", TOKYO))
    Enrolment.objects.update(next_run_at=timezone.now())
    assert len(story.run()) == 1


def test_the_daily_cap_holds_over_all_zones(story):
    sequence = story.sequence(daily_cap=2, window=ALWAYS)
    people = [story.contact(f"P{n}", zone=zone) for n, zone in enumerate(("Asia/Tokyo", "America/New_York", "UTC") * 2)]
    story.enrol(sequence, *people)
    story.later(minutes=5)
    assert len(story.run()) == 2


def test_planning_and_preview_cost_the_same_queries_for_two_zones_and_for_many(story, sequence):
    zones = ["Asia/Tokyo", "America/New_York", "Asia/Kolkata", "Australia/Sydney", "Pacific/Apia", "America/Denver"]
    counts = [_queries(story, sequence, zones[:2], 2), _queries(story, sequence, zones, 30)]
    assert counts[0] == counts[1] and counts[0][0] <= 16


def _queries(story, sequence, zones: list[str], people: int) -> tuple[int, int]:
    """(to plan, to preview)"""
    contacts = [story.contact(f"Q{people}x{n}", zone=zones[n % len(zones)]) for n in range(people)]
    candidates = enrolling.check_contacts(story.cast.alice, sequence, [contact.pk for contact in contacts])
    with CaptureQueriesContext(connection) as shown:
        preview.plans_of(sequence, candidates)
    story.enrol(sequence, *contacts)
    now = timezone.now()
    Enrolment.objects.update(next_run_at=now)
    with CaptureQueriesContext(connection) as planned:
        planning.plan(story.account.pk, [sequence], now, defaultdict(Backlog))
    return len(planned), len(shown)


def test_the_api_takes_the_contacts_zone(story, api):
    alice = api(story.cast.alice)
    window = {"days": [1], "from": "08:00", "to": "16:00", "zone": "contact"}
    made = alice.post("/sequences", {"name": "Fair", "window": window}).json()
    assert made["window"] == window
    wrong = alice.call("PATCH", f"/sequences/{made['id']}", {"window": {**window, "zone": "Contact"}})
    assert wrong.status_code == 422 and wrong.json()["errors"][0]["field"] == "window.zone"


def test_dates_are_shown_in_the_contacts_time(story, sequence, client):
    client.force_login(story.cast.alice)
    yuki = story.contact("Yuki", zone="Asia/Tokyo")
    page = client.get(f"/sequences/{sequence.pk}/enrol/", {"contact": yuki.pk}).content.decode()
    assert "Times in Asia/Tokyo" in page
    first = preview.plans_of(sequence, enrolling.check_contacts(story.cast.alice, sequence, [yuki.pk]))[0]
    assert formats.date_format(first.planned[0].at.astimezone(TOKYO), "SHORT_DATETIME_FORMAT") in page
    shown = client.get(f"/sequences/{sequence.pk}/preview/{yuki.pk}/").content.decode()
    assert "Times in Asia/Tokyo" in shown
