"""One worker at a time at an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailwall.email_accounts import leases
from mailwall.email_accounts.models import EmailAccount
from tests.cast import make_account

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(cast) -> EmailAccount:
    return make_account(cast.alice)


def run_out(account: EmailAccount) -> None:
    EmailAccount.objects.filter(pk=account.pk).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


def test_a_held_account_is_not_given_to_another(account):
    assert leases.take_lease(account.pk)
    assert leases.take_lease(account.pk) is None


def test_a_lease_lasts_two_minutes(account):
    leases.take_lease(account.pk)
    account.refresh_from_db()
    left = (account.lease_until - datetime.now(UTC)).total_seconds()
    assert 118 < left <= 121


def test_a_released_account_is_free_and_due_as_said(account):
    token = leases.take_lease(account.pk)
    due = datetime.now(UTC) + timedelta(minutes=3)
    assert leases.release_lease(account.pk, token, due)
    account.refresh_from_db()
    assert (account.lease_token, account.lease_until, account.next_sync_at) == ("", None, due)
    assert leases.take_lease(account.pk)


def test_releasing_without_a_time_leaves_it(account):
    EmailAccount.objects.update(next_sync_at=(due := datetime.now(UTC)))
    leases.release_lease(account.pk, leases.take_lease(account.pk))
    account.refresh_from_db()
    assert account.next_sync_at == due


def test_a_lease_that_ran_out_goes_to_the_next_and_fences_the_first(account):
    first = leases.take_lease(account.pk)
    run_out(account)
    second = leases.take_lease(account.pk)
    assert second and second != first
    assert not leases.renew_lease(account.pk, first)
    assert not leases.release_lease(account.pk, first)
    with pytest.raises(leases.LeaseLost):
        leases.fence(account.pk, first)
    assert leases.renew_lease(account.pk, second)


def test_a_lease_that_ran_out_unwanted_can_be_renewed(account):
    token = leases.take_lease(account.pk)
    run_out(account)
    leases.fence(account.pk, token)
    assert leases.take_lease(account.pk) is None


def test_a_removed_account_cannot_be_taken_and_ends_the_run(account):
    token = leases.take_lease(account.pk)
    EmailAccount.objects.update(removed_at=datetime.now(UTC))
    assert not leases.renew_lease(account.pk, token)
    assert leases.take_lease(account.pk) is None
