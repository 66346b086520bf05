"""Rules before storing: whose they are, for which accounts they hold, who may change them."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import importing
from mailwall.email_accounts.errors import ImportRuleRefused
from mailwall.email_accounts.models import ImportRule
from tests.cast import make_account

pytestmark = pytest.mark.django_db


def add(viewer, text="@bank.example", **options):
    options = {"account": None, "for_all": False, **options}
    return importing.add_rule(viewer, "never_import_address", text, **options)


@pytest.mark.parametrize(
    ("typed", "kind", "value"),
    [
        ("Jan@Bank.EXAMPLE ", "never_import_address", "jan@bank.example"),
        ("@Bank.example", "never_import_domain", "bank.example"),
        ("bank.example", "never_import_domain", "bank.example"),
        ("żółw.example", "never_import_domain", "xn--w-uga1v8h.example"),
    ],
)
def test_an_address_or_a_domain_is_told_by_how_it_is_written(typed, kind, value):
    assert importing.settle_value(typed) == (kind, value)


@pytest.mark.parametrize("typed", ["", "@", "bank", "a b@bank.example", "@@bank.example", "jan@bank"])
def test_what_is_neither_is_refused(cast, typed):
    with pytest.raises(ImportRuleRefused):
        add(cast.alice, typed)


def test_a_rule_holds_for_its_account_its_owner_or_everybody(cast):
    one, two, charlies = make_account(cast.alice), make_account(cast.alice), make_account(cast.charlie)
    add(cast.alice, "@one.example", account=one)
    add(cast.alice, "@alice.example")
    add(cast.erin, "@all.example", for_all=True)
    held = {account.pk: set(importing.rules_of(account).domains) for account in (one, two, charlies)}
    assert held == {
        one.pk: {"one.example", "alice.example", "all.example"},
        two.pk: {"alice.example", "all.example"},
        charlies.pk: {"all.example"},
    }


def test_the_same_rule_again_is_the_same_row(cast):
    account = make_account(cast.alice)
    for options in ({}, {"account": account}):
        assert add(cast.alice, **options).pk == add(cast.alice, "bank.example", **options).pk
    assert add(cast.erin, for_all=True).pk == add(cast.erin, for_all=True).pk
    assert ImportRule.objects.count() == 3


def test_only_admins_speak_for_all_and_only_owners_for_their_accounts(cast):
    account = make_account(cast.alice)
    for viewer, options in (
        (cast.bob, {"account": account}),
        (cast.erin, {"account": account}),
        (cast.alice, {"for_all": True}),
    ):
        with pytest.raises(ImportRuleRefused):
            add(viewer, **options)
    shared, mine = add(cast.erin, for_all=True), add(cast.alice, account=account)
    for viewer, rule in ((cast.alice, shared), (cast.bob, mine), (cast.erin, mine), (cast.charlie, mine)):
        with pytest.raises(ImportRuleRefused):
            importing.remove_rule(viewer, rule.pk)
    importing.remove_rule(cast.erin, shared.pk)
    importing.remove_rule(cast.alice, mine.pk)
    assert not ImportRule.objects.exists()


def test_everybody_sees_their_own_rules_and_those_for_all(cast):
    account = make_account(cast.alice)
    mine, of_one, shared = add(cast.alice), add(cast.alice, account=account), add(cast.erin, for_all=True)
    assert set(importing.rules_for(cast.alice)) == {mine, of_one, shared}
    for viewer in (cast.bob, cast.charlie, cast.erin):
        assert set(importing.rules_for(viewer)) == {shared}
    assert set(importing.accounts_under(mine)) == set(importing.accounts_under(shared)) == {account}
