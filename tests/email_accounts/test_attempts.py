"""What a synchronisation's end writes, who hears of it, and that an overtaken worker writes nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.utils import translation

from mailwall.email_accounts import leases, queries, services
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.imap.errors import ImapLoginRefused, ImapTimeout
from tests.cast import make_account

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime.now(UTC).replace(microsecond=0)
REFUSED = ImapLoginRefused(ImapLoginRefused.MSGID, details="NO [AUTHENTICATIONFAILED]")


def timeout() -> ImapTimeout:
    return ImapTimeout(ImapTimeout.MSGID, {"host": "imap.nowak.example", "seconds": 10})


@pytest.fixture
def account(cast) -> EmailAccount:
    return make_account(cast.alice, "alice@nowak.example", next_sync_at=NOW)


def fresh(account: EmailAccount) -> EmailAccount:
    return EmailAccount.objects.get(pk=account.pk)


def test_a_failure_is_counted_with_its_cause_and_the_next_try(account):
    attempt = services.record_failure(account.pk, None, timeout(), NOW)
    row = fresh(account)
    assert attempt.next_sync_at == row.next_sync_at == NOW + timedelta(minutes=1)
    assert (row.failed_attempts, row.last_error_code, row.last_error_at) == (1, "imap_timeout", NOW)
    assert row.last_error_message == "imap.nowak.example did not answer in time (waited 10 s)."
    assert not mail.outbox


def test_a_success_forgets_the_failures(account):
    services.record_failure(account.pk, None, REFUSED, NOW)
    services.record_success(account.pk, None, NOW + timedelta(minutes=1))
    row = fresh(account)
    assert (row.state, row.failed_attempts, row.last_error_code, row.last_error_at) == ("active", 0, "", None)
    assert (row.last_error_message, row.last_synchronized_at) == ("", NOW + timedelta(minutes=1))


def test_an_overtaken_worker_writes_nothing(account):
    mine = leases.take_lease(account.pk)
    EmailAccount.objects.filter(pk=account.pk).update(lease_token="another's")
    assert services.record_failure(account.pk, mine, timeout(), NOW) is None
    assert services.record_success(account.pk, mine, NOW) is None
    assert fresh(account).failed_attempts == 0
    assert fresh(account).last_synchronized_at is None


def test_a_removed_account_is_written_to_no_more(account):
    EmailAccount.objects.filter(pk=account.pk).update(removed_at=NOW)
    assert services.record_failure(account.pk, None, timeout(), NOW) is None


def test_owner_and_manager_are_told_once_of_a_refused_sign_in_each_in_their_language(account, cast):
    cast.bob.language = "pl"
    cast.bob.save()
    for _ in range(2):
        services.record_failure(account.pk, None, REFUSED, NOW)
    assert [letter.to for letter in mail.outbox] == [["alice@ours.example"], ["bob@ours.example"]]
    to_alice, to_bob = mail.outbox
    assert to_alice.subject == "alice@nowak.example needs its password"
    assert "The server refused this user name or password." in to_alice.body
    assert "/settings/email-accounts/" in to_alice.body
    assert to_bob.subject == "alice@nowak.example potrzebuje hasła"


def test_the_tenth_failure_deactivates_tells_and_keeps_the_password(account):
    EmailAccount.objects.filter(pk=account.pk).update(failed_attempts=9, sealed_imap_password="sealed")
    services.record_failure(account.pk, None, timeout(), NOW)
    row = fresh(account)
    assert (row.state, row.failed_attempts, row.deactivated_at) == (State.DEACTIVATED, 10, NOW)
    assert row.sealed_imap_password == "sealed"
    assert [letter.subject for letter in mail.outbox] == ["alice@nowak.example is deactivated"] * 2
    assert list(EmailAccount.objects.probe_due(NOW + timedelta(hours=2))) == [row]
    assert not EmailAccount.objects.due(NOW + timedelta(hours=2)).exists()


def test_a_probe_that_succeeds_reactivates_and_says_so(account):
    EmailAccount.objects.filter(pk=account.pk).update(state="deactivated", failed_attempts=10)
    services.record_success(account.pk, None, NOW)
    assert (fresh(account).state, fresh(account).failed_attempts) == ("active", 0)
    assert [letter.subject for letter in mail.outbox] == ["alice@nowak.example works again"] * 2


def test_a_notice_that_cannot_be_sent_stops_nothing(account, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert services.record_failure(account.pk, None, REFUSED, NOW).state == "needs_sign_in"


def test_the_error_is_said_in_the_readers_language(account):
    services.record_failure(account.pk, None, REFUSED, NOW)
    row = fresh(account)
    assert queries.error_sentence(row) == "The server refused this user name or password."
    with translation.override("pl"):
        assert queries.error_sentence(row) != "The server refused this user name or password."
