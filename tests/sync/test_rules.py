"""Pure decisions of a synchronisation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.imap.types import FolderStatus
from mailwall.mime.types import Address, AttachmentInfo, ParsedMessage
from mailwall.sync import rules

NOW = datetime(2026, 11, 24, 0, 30, tzinfo=UTC)


def cursor(**changes) -> rules.FolderCursor:
    values = {"uidvalidity": 7, "uidnext": 11, "high_uid": 10, "low_uid": 1, "import_done": True, "on_server": 10}
    return rules.FolderCursor(**{**values, **changes})


def status(**changes) -> FolderStatus:
    return FolderStatus(**{"uidvalidity": 7, "uidnext": 11, "messages": 10, **changes})


def test_an_unchanged_folder_needs_nothing():
    assert rules.plan_sync(cursor(), status()).is_empty


def test_changed_flags_need_nothing():
    assert rules.plan_sync(cursor(), status(highestmodseq=99)).is_empty


def test_a_new_uid_is_fetched_without_a_comparison():
    plan = rules.plan_sync(cursor(), status(uidnext=13, messages=12))
    assert plan.fetch_new and not plan.compare and not plan.continue_import


@pytest.mark.parametrize("messages", [9, 11])
def test_a_count_that_does_not_follow_from_new_uids_is_compared(messages):
    plan = rules.plan_sync(cursor(), status(messages=messages))
    assert plan.compare and not plan.fetch_new


def test_one_expunged_and_one_new_is_compared_too():
    plan = rules.plan_sync(cursor(), status(uidnext=12, messages=10))
    assert plan.fetch_new and plan.compare


def test_another_uidvalidity_voids_placements_also_when_it_is_smaller():
    for uidvalidity in (6, 8):
        plan = rules.plan_sync(cursor(), status(uidvalidity=uidvalidity))
        assert plan.void_placements and plan.begin_import and plan.continue_import


def test_a_folder_seen_for_the_first_time_voids_nothing():
    plan = rules.plan_sync(None, status())
    assert plan.begin_import and not plan.void_placements


def test_an_interrupted_import_goes_on():
    plan = rules.plan_sync(cursor(import_done=False, low_uid=5), status(messages=3))
    assert plan.continue_import and not plan.compare


@given(st.integers(631_152_000, 3_786_912_000), st.integers(-14, 14))
def test_the_searched_day_begins_before_the_window_in_every_zone(epoch, zone_hours):
    since = datetime.fromtimestamp(epoch, UTC)
    in_server_zone = (since + timedelta(hours=zone_hours)).date()
    assert rules.search_day(since) <= in_server_zone


def test_the_searched_day_is_one_day_more():
    assert rules.search_day(NOW) == date(2026, 11, 23)


def parsed(**changes) -> ParsedMessage:
    return ParsedMessage(**{"from_": (Address(address="ewa@kwiat.example"),), **changes})


@pytest.mark.parametrize(
    ("sender", "role", "direction"),
    [
        ("ewa@kwiat.example", "inbox", "received"),
        ("ewa@kwiat.example", "sent", "sent"),
        ("alias@ours.example", "inbox", "sent"),
        ("alias@ours.example", "", "sent"),
    ],
)
def test_direction_follows_from_own_addresses_or_the_sent_folder(sender, role, direction):
    message = parsed(from_=(Address(address="x@x.example"), Address(address=sender)))
    own = frozenset({"me@ours.example", "alias@ours.example"})
    assert rules.direction_of(message, own_addresses=own, folder_role=role) == direction


def test_the_window_includes_its_first_moment():
    def rule(moment):
        return rules.skip_rule(internaldate=moment, direction="sent", since=NOW, store="both")

    assert rule(NOW) == ""
    assert rule(NOW - timedelta(seconds=1)) == "before_window"


@pytest.mark.parametrize(("store", "rule"), [("both", ""), ("sent", ""), ("received", "direction")])
def test_only_the_wanted_direction_is_kept(store, rule):
    assert rules.skip_rule(internaldate=NOW, direction="sent", since=NOW, store=store) == rule


def test_a_mail_without_text_but_with_room_for_one_is_read_whole():
    assert rules.is_text_missing(parsed(), header_bytes=500, size_bytes=3000)
    assert not rules.is_text_missing(parsed(text="Hello"), header_bytes=500, size_bytes=3000)
    assert not rules.is_text_missing(parsed(html="<img>"), header_bytes=500, size_bytes=3000)
    assert not rules.is_text_missing(parsed(), header_bytes=500, size_bytes=520)
    assert not rules.is_text_missing(parsed(), header_bytes=500, size_bytes=300_000)


def test_a_mail_that_is_all_attachment_is_not_read_whole():
    file = AttachmentInfo(
        section="2", filename="a.pdf", content_type="application/pdf", size_bytes=15_000, encoded_size_bytes=20_000,
        encoding="base64",
    )  # fmt: skip
    assert not rules.is_text_missing(parsed(attachments=(file,)), header_bytes=500, size_bytes=20_800)


def test_retries_come_at_growing_pauses():
    pauses = [rules.retry_after(attempts) for attempts in range(1, 10)]
    assert pauses == sorted(pauses) and pauses[0] == timedelta(minutes=1) and pauses[-1] == timedelta(days=1)


def test_the_third_uidvalidity_in_a_day_pauses_a_folder():
    changes, changed_at = 0, None
    verdicts = []
    for hour in range(3):
        now = NOW + timedelta(hours=hour)
        change = rules.count_uidvalidity_change(changes, changed_at, now)
        changes, changed_at = change.changes, now
        verdicts.append(change.paused)
    assert verdicts == [False, False, True]
    later = rules.count_uidvalidity_change(2, NOW, NOW + timedelta(days=2))
    assert later == rules.ValidityChange(changes=1, paused=False)


def test_compared_uid_sets_tell_gone_late_and_old_ones():
    found = rules.compare_uids(
        on_server=[1, 2, 3, 5, 6, 9], in_window=[3, 5, 6, 9], placed={3, 4}, noted={5, 7}, high_uid=8
    )
    assert found == rules.Differences(gone=(4,), forgotten=(7,), gaps=(6,), out_of_window=2, on_server=5)


_uids = st.sets(st.integers(1, 60))


@given(_uids, _uids, _uids, st.integers(0, 60))
def test_every_uid_of_the_server_up_to_the_cursor_is_accounted_for(server, placed, noted, high_uid):
    found = rules.compare_uids(
        on_server=server, in_window=server, placed=placed, noted=noted - placed, high_uid=high_uid
    )
    known = (placed | noted) & server
    assert {uid for uid in server if uid <= high_uid} <= known | set(found.gaps)
    assert set(found.gone) == placed - server
