"""Counts, progress and the ledger as screens show them."""

from __future__ import annotations

import pytest

from mailwall.assignment import services as assignment
from mailwall.assignment.models import Link
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from mailwall.sync import queries
from mailwall.sync.models import Folder, LedgerEntry
from tests.cast import make_account, make_contact, make_raw, store
from tests.sync.conftest import NOW

pytestmark = pytest.mark.django_db


def test_counts_are_of_messages_and_of_what_the_viewer_may_see(cast):
    account, empty = make_account(cast.alice), make_account(cast.alice)
    for number in range(3):
        sender = "jan@nowak.example" if number else "ewa@kwiat.example"
        store(account, make_raw(sender, account.address, f"Mail {number}"))
    make_contact("Ewa", "ewa@kwiat.example")
    assignment.assign_messages(list(Message.objects.values_list("pk", flat=True)))
    mailstore.narrow_thread(cast.alice, Link.objects.get().message.thread_key)
    wanted = [account.pk, empty.pk]
    assert queries.account_counts(wanted, cast.alice) == {
        account.pk: queries.Counts(downloaded=3, assigned=1, unassigned=2),
        empty.pk: queries.Counts(),
    }
    assert queries.account_counts(wanted, cast.bob)[account.pk] == queries.Counts(downloaded=2, unassigned=2)


def test_counts_of_many_accounts_take_one_query(cast, django_assert_num_queries):
    accounts = [make_account(cast.alice).pk for _ in range(5)]
    with django_assert_num_queries(1):
        queries.account_counts(accounts, cast.alice)


def test_progress_is_in_messages_over_all_folders(cast):
    account = make_account(cast.alice)
    assert queries.progress_of([account.pk])[account.pk].done is False
    for name, done, total, seen in (("a", False, 100, 40), ("b", True, 20, 20)):
        Folder.objects.create(
            account=account, raw_name=name.encode(), name=name, selected=True, import_done=done, import_total=total,
            import_seen=seen,
        )  # fmt: skip
    progress = queries.progress_of([account.pk])[account.pk]
    assert (progress.total, progress.seen, progress.done, progress.running) == (120, 60, False, False)
    Folder.objects.update(import_done=True)
    assert queries.progress_of([account.pk])[account.pk].done


def test_the_ledger_names_the_rule_of_every_skip_and_failures_their_reason(cast):
    account = make_account(cast.alice)
    folder = Folder.objects.create(
        account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True, uidvalidity=1, import_done=True,
        on_server=7, out_of_window=2,
    )  # fmt: skip
    for uid, outcome, rule in ((1, "skipped", "direction"), (2, "skipped", "before_window"), (3, "failed", "empty")):
        LedgerEntry.objects.create(folder=folder, uidvalidity=1, uid=uid, outcome=outcome, rule=rule, next_try_at=NOW)
    [entry] = queries.ledger_of(account)
    assert entry.skipped == {"direction": 1, "before_window": 3}
    assert (entry.failed, entry.stored, entry.accounted) == (1, 0, 5)
    assert [failure.rule for failure in queries.failures_of(account)] == ["empty"]
