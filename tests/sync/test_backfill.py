"""Older history, when asked for: the right range, beside new mail, through pauses and kills."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from mailwall.mailstore import hooks
from mailwall.mailstore.models import Message
from mailwall.sync import backfill, batches, folders, queries, rules, services
from mailwall.sync.models import Backfill, BackfillFolder, Folder, SyncRun
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import NOW, ago, ids, ledger

pytestmark = pytest.mark.live

AGES = [1, 5, 13, *range(15, 45), *range(60, 90)]


@pytest.fixture
def old_mail(account, mailbox: Mailbox):
    """Mail of many ages; the window is stored already."""
    mailbox.fill([(mails.mail(message_id=f"<{age}@x.example>"), ago(age)) for age in sorted(AGES, reverse=True)])
    services.sync_account(account.pk)
    assert ages(account) == {1, 5, 13}
    return account


def ages(account) -> set[int]:
    return {int(name.split("@")[0]) for name in ids(account)}


def to_the_end(account) -> None:
    for _ in range(50):
        outcome = services.sync_account(account.pk)
        assert outcome.state == "done"
        if not (outcome.more or outcome.more_history):
            return
    raise AssertionError("never done")


def test_exactly_the_range_comes_and_a_second_older_one_too(old_mail):
    backfill.start(old_mail, old_mail.owner, since=ago(39.5))
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13, *range(15, 40)}
    done = backfill.latest(old_mail)
    assert (done.state, done.total, done.done, done.stored) == ("done", 25, 25, 25)

    backfill.start(old_mail, old_mail.owner, since=ago(80.5), until=ago(69.5))
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13, *range(15, 40), *range(70, 81)}
    told = ledger(old_mail)["inbox"]
    assert told.accounted == told.on_server == len(AGES) and told.failed == 0


def test_newest_comes_first_and_a_kill_anywhere_loses_nothing(old_mail, monkeypatch):
    monkeypatch.setattr(rules, "BATCH_MESSAGES", 4)
    monkeypatch.setattr(rules, "FIRST_BATCH_MESSAGES", 4)
    backfill.start(old_mail, old_mail.owner, since=ago(100))
    commit = batches._commit

    def killed(*arguments):
        commit(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(batches, "_commit", killed)
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            services.sync_account(old_mail.pk)
    assert ages(old_mail) == {1, 5, 13, *range(15, 35)}
    monkeypatch.setattr(batches, "_commit", commit)
    to_the_end(old_mail)
    assert ages(old_mail) == set(AGES)
    assert backfill.latest(old_mail).done == 60


def test_new_mail_comes_before_older_history(old_mail, mailbox: Mailbox, monkeypatch):
    monkeypatch.setattr(backfill, "STEP_SECONDS", 0.0)
    backfill.start(old_mail, old_mail.owner, since=ago(100))
    mailbox.deliver(mails.mail(message_id="<0@x.example>"))
    outcome = services.sync_account(old_mail.pk)
    assert outcome.new == 1 and not outcome.more and outcome.more_history
    assert ages(old_mail) >= {0, 1, 5, 13}
    old_mail.refresh_from_db()
    assert old_mail.next_sync_at < datetime.now(UTC) + timedelta(seconds=31)


def test_a_download_does_not_wait_for_older_history_nor_counts_it(old_mail, mailbox: Mailbox):
    backfill.start(old_mail, old_mail.owner, since=ago(100))
    mailbox.deliver(mails.mail(message_id="<0@x.example>"))
    run = services.request_download(old_mail)
    outcome = services.sync_account(old_mail.pk)
    run = services.wait_for_run(run.pk, 0)
    assert (run.state, run.new) == ("done", 1)
    assert outcome.more_history and ages(old_mail) == {0, 1, 5, 13}
    to_the_end(old_mail)
    assert ages(old_mail) == {0, *AGES} and SyncRun.objects.filter(kind="scheduled").count() == 1


def test_paused_history_stands_still_and_goes_on(old_mail):
    backfill.start(old_mail, old_mail.owner, since=ago(100))
    assert backfill.pause(old_mail) and backfill.latest(old_mail).state == "paused"
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13}
    assert backfill.resume(old_mail)
    to_the_end(old_mail)
    assert ages(old_mail) == set(AGES)
    assert not backfill.pause(old_mail) and not backfill.resume(old_mail)


def test_stopped_history_ends_and_another_may_begin(old_mail):
    backfill.start(old_mail, old_mail.owner, since=ago(100))
    with pytest.raises(backfill.BackfillActive) as told:
        backfill.start(old_mail, old_mail.owner, since=ago(50))
    assert told.value.code == "backfill_active"
    assert backfill.stop(old_mail) and not backfill.stop(old_mail)
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13}
    backfill.start(old_mail, old_mail.owner, since=ago(20.5))
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13, *range(15, 21)}


def test_outside_its_hours_nothing_is_fetched(old_mail):
    later = (datetime.now(UTC) + timedelta(hours=8)).time().replace(microsecond=0)
    end = (datetime.now(UTC) + timedelta(hours=10)).time().replace(microsecond=0)
    backfill.start(old_mail, old_mail.owner, since=ago(100), between=(later, end))
    outcome = services.sync_account(old_mail.pk)
    assert not outcome.more_history and ages(old_mail) == {1, 5, 13}
    Backfill.objects.update(state="running")
    assert backfill.latest(old_mail).state == "waiting"


def test_no_more_than_the_limit_comes_in_a_minute(old_mail):
    backfill.start(old_mail, old_mail.owner, since=ago(100), per_minute=10)
    outcome = services.sync_account(old_mail.pk)
    assert not outcome.more_history and len(ages(old_mail)) == 13
    old_mail.refresh_from_db()
    assert old_mail.next_sync_at <= datetime.now(UTC) + timedelta(seconds=61)
    services.sync_account(old_mail.pk)
    assert len(ages(old_mail)) == 13
    Backfill.objects.update(minute_began_at=ago(1))
    services.sync_account(old_mail.pk)
    assert len(ages(old_mail)) == 23
    progress = backfill.latest(old_mail)
    assert (progress.state, progress.total, progress.done) == ("running", 60, 20) and progress.eta_at


def test_a_folder_numbered_anew_meanwhile_is_planned_again(old_mail):
    backfill.start(old_mail, old_mail.owner, since=ago(100), per_minute=10)
    services.sync_account(old_mail.pk)
    Folder.objects.filter(role="inbox").update(uidvalidity=5)
    BackfillFolder.objects.update(uidvalidity=5)
    Backfill.objects.update(per_minute=0)
    to_the_end(old_mail)
    assert ages(old_mail) == set(AGES) and Message.objects.count() == len(AGES)


def test_the_estimate_is_near(old_mail):
    assert abs(backfill.estimate(old_mail, since=ago(39.5)) - 25) <= 2
    assert abs(backfill.estimate(old_mail, since=ago(80), until=ago(60)) - 20) <= 2


def test_widening_the_direction_fetches_what_was_skipped(connect, mailbox: Mailbox):
    account = connect(mailbox, store="received")
    mailbox.deliver(mails.mail(message_id="<1@x.example>"))
    mailbox.deliver(mails.mail(sender=mailbox.address, message_id="<2@x.example>"), folder="Sent")
    services.sync_account(account.pk)
    account.store = "both"
    account.save()
    folders.read_window_again(account)
    to_the_end(account)
    assert ages(account) == {1, 2}
    assert all(entry.accounted == entry.on_server for entry in ledger(account).values())


def test_an_earlier_import_since_fetches_the_rest_of_the_window(old_mail):
    old_mail.import_since = ago(30.5)
    old_mail.save()
    folders.read_window_again(old_mail)
    to_the_end(old_mail)
    assert ages(old_mail) == {1, 5, 13, *range(15, 31)}
    told = ledger(old_mail)["inbox"]
    assert told.accounted == told.on_server
    assert queries.progress_of([old_mail.pk])[old_mail.pk].done


@pytest.mark.parametrize(
    ("shown", "begins", "ends", "within"),
    [
        (time(3), time(1), time(5), True),
        (time(5), time(1), time(5), False),
        (time(0, 59), time(1), time(5), False),
        (time(23, 30), time(22), time(4), True),
        (time(3), time(22), time(4), True),
        (time(12), time(22), time(4), False),
        (time(12), None, None, True),
        (time(12), time(1), time(1), True),
    ],
)
def test_hours_may_go_over_midnight(shown, begins, ends, within):
    warsaw = ZoneInfo("Europe/Warsaw")
    now = datetime.combine(NOW.date(), shown, warsaw)
    assert rules.is_within_hours(now.astimezone(UTC), "Europe/Warsaw", begins, ends) is within


def test_until_a_date_includes_that_day_in_its_zone():
    warsaw = ZoneInfo("Europe/Warsaw")
    assert rules.until_moment("2026-11-09", warsaw) == datetime(2026, 11, 9, 23, 0, tzinfo=UTC)
    assert rules.until_moment("2026-11-09T10:00:00", warsaw) == datetime(2026, 11, 9, 9, 0, tzinfo=UTC)
    with pytest.raises(ValueError, match="Invalid"):
        rules.until_moment("yesterday", warsaw)


def test_a_uid_set_is_read_back():
    assert rules.uids_of_set("1:3,7,9:10") == [1, 2, 3, 7, 9, 10]
    assert rules.uids_of_set("") == []


def test_who_listens_hears_of_each_message_once_and_whether_it_is_history(old_mail, mailbox: Mailbox, monkeypatch):
    heard: list[tuple[str, bool]] = []

    def listen(message_ids, history) -> None:
        names = Message.objects.filter(pk__in=message_ids).values_list("message_id", flat=True)
        heard.extend((name, history) for name in names)

    monkeypatch.setattr(hooks, "_listeners", [listen])
    mailbox.fill([(mails.mail(message_id="<news@x.example>"), NOW)])
    backfill.start(old_mail, old_mail.owner, since=ago(16.5))
    to_the_end(old_mail)
    to_the_end(old_mail)
    assert sorted(heard) == [("15@x.example", True), ("16@x.example", True), ("news@x.example", False)]
