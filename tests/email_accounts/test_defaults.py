"""Which account mail leaves from: the first that can send, until another is chosen or it can send no more."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from mailwall.email_accounts import rules, services
from mailwall.email_accounts.drafts import AccountChanges, AccountDraft, ServerDraft
from mailwall.email_accounts.errors import DraftInvalid
from mailwall.email_accounts.models import EmailAccount
from mailwall.imap.errors import ImapProtocolError
from tests.cast import make_account

SMTP = {"smtp_host": "127.0.0.1", "smtp_port": 25, "smtp_security": "none", "sending_active": True}


def default_of(user) -> list[int]:
    found = EmailAccount.objects.connected().filter(owner=user, is_default=True)
    return list(found.values_list("pk", flat=True))


def change(account, **wanted) -> EmailAccount:
    return services.update_account(account.owner, account.pk, AccountChanges(**wanted))


def sender(**fields):
    values = {"pk": 1, "smtp_host": "h", "sending_active": True, "state": "active", "is_default": False}
    return SimpleNamespace(**{**values, **fields})


@pytest.mark.parametrize(
    ("fields", "package", "obstacle"),
    [
        ({}, "automation", ""),
        ({"is_default": True}, "basic", ""),
        ({}, "basic", "package"),
        ({"smtp_host": ""}, "automation", "no_server"),
        ({"sending_active": False}, "basic", "switched_off"),
        ({"state": "deactivated"}, "automation", "deactivated"),
        ({"state": "paused"}, "automation", ""),
    ],
)
def test_what_keeps_an_account_from_sending_has_a_name(fields, package, obstacle):
    assert rules.sending_obstacle(sender(**fields), package) == obstacle


KINDS = list(itertools.product(["", "h"], [True, False], ["active", "deactivated"]))


def test_the_default_can_send_whenever_any_account_can():
    for kinds, chosen in itertools.product(itertools.product(KINDS, repeat=3), range(4)):
        accounts = [
            sender(pk=number, is_default=number == chosen, smtp_host=host, sending_active=active, state=state)
            for number, (host, active, state) in enumerate(kinds)
        ]
        found = rules.default_account(accounts)
        able = [account.pk for account in accounts if not rules.sending_obstacle(account, "automation")]
        assert (found in able) if able else (found is None or accounts[found].smtp_host)
        if chosen in able:
            assert found == chosen


@pytest.mark.django_db
class TestServices:
    def test_the_first_account_that_can_send_becomes_the_default(self, cast, settings):
        settings.MAIL_HOSTS_ALLOW = ("127.0.0.1",)
        server = ServerDraft(host="127.0.0.1", port=143, security="none", password="x")
        receiving = AccountDraft(address="one@ours.example", imap=server)
        services.create_account(cast.alice, receiving, verify=False)
        assert default_of(cast.alice) == []
        sending = AccountDraft(address="two@ours.example", imap=server, smtp=server)
        second = services.create_account(cast.alice, sending, verify=False)
        services.create_account(
            cast.alice, AccountDraft(address="three@ours.example", imap=server, smtp=server), verify=False
        )
        assert default_of(cast.alice) == [second.pk]

    def test_another_account_is_made_the_default_and_there_is_one(self, cast):
        make_account(cast.alice, is_default=True, **SMTP)
        second = make_account(cast.alice, **SMTP)
        assert change(second, is_default=True).is_default
        assert default_of(cast.alice) == [second.pk]

    def test_an_account_that_cannot_send_is_not_made_the_default(self, cast):
        first = make_account(cast.alice, is_default=True, **SMTP)
        for other in (make_account(cast.alice), make_account(cast.alice, **{**SMTP, "sending_active": False})):
            with pytest.raises(DraftInvalid):
                change(other, is_default=True)
        assert default_of(cast.alice) == [first.pk]

    def test_a_default_that_is_switched_off_or_loses_its_server_hands_over(self, cast):
        first = make_account(cast.alice, is_default=True, **SMTP)
        second = make_account(cast.alice, **SMTP)
        change(first, sending_active=False)
        assert default_of(cast.alice) == [second.pk]
        change(first, sending_active=True)
        assert default_of(cast.alice) == [second.pk]
        change(second, smtp=None)
        assert default_of(cast.alice) == [first.pk]

    def test_the_only_account_stays_the_default_while_switched_off(self, cast):
        only = make_account(cast.alice, is_default=True, **SMTP)
        assert change(only, sending_active=False).is_default
        with pytest.raises(DraftInvalid, match="cannot be used"):
            change(only, is_default=False)

    def test_a_default_that_gives_up_hands_over(self, cast):
        first = make_account(cast.alice, is_default=True, **SMTP)
        second = make_account(cast.alice, **SMTP)
        change(first, is_default=False)
        assert default_of(cast.alice) == [second.pk]

    def test_a_deleted_default_hands_over_to_one_that_can_send(self, cast):
        first = make_account(cast.alice, is_default=True, **SMTP)
        make_account(cast.alice, state="deactivated", **SMTP)
        third = make_account(cast.alice, **SMTP)
        services.remove_account(cast.alice, first.pk, keep_messages=True)
        assert default_of(cast.alice) == [third.pk]

    def test_a_default_that_deactivates_hands_over_and_a_healed_one_takes_what_is_free(self, cast):
        first = make_account(cast.alice, is_default=True, failed_attempts=9, **SMTP)
        second = make_account(cast.alice, **SMTP)
        now = datetime.now(UTC)
        services.record_failure(first.pk, None, ImapProtocolError("?"), now)
        assert default_of(cast.alice) == [second.pk]
        services.remove_account(cast.alice, second.pk, keep_messages=True)
        assert default_of(cast.alice) == []
        services.record_success(first.pk, None, now)
        assert default_of(cast.alice) == [first.pk]

    def test_defaults_of_others_stay(self, cast):
        first = make_account(cast.alice, is_default=True, **SMTP)
        second = make_account(cast.charlie, is_default=True, **SMTP)
        change(second, sending_active=False)
        assert (default_of(cast.alice), default_of(cast.charlie)) == ([first.pk], [second.pk])

    def test_sending_cannot_be_switched_on_without_a_server(self, cast):
        with pytest.raises(DraftInvalid) as refused:
            change(make_account(cast.alice), sending_active=True)
        assert refused.value.errors[0][0] == "sending_active"
