"""The tab "Ignored senders": rules before storing, for oneself, an account or all; and whom triage ignores."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client

from mailwall.assignment.models import IgnoredSender
from mailwall.email_accounts.models import ImportRule
from mailwall.sync.models import Folder, LedgerEntry
from tests.cast import make_account

pytestmark = pytest.mark.django_db
URL = "/settings/email-accounts/ignored-senders/"


@pytest.fixture
def account(cast):
    return make_account(cast.alice)


def as_user(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def words(user) -> str:
    return unescape(as_user(user).get(URL).content.decode())


def add(user, kind="never_import_address", value="@bank.example", scope="mine"):
    return as_user(user).post(URL, {"kind": kind, "value": value, "scope": scope})


def test_rules_are_added_for_oneself_an_account_or_by_admins_for_all(cast, account):
    assert add(cast.alice).status_code == 302
    assert add(cast.alice, "mailing_list", "", str(account.pk)).status_code == 302
    assert add(cast.erin, "only_colleagues", "", "all").status_code == 302
    assert add(cast.alice, "bulk_mail", "", "all").status_code == 422
    assert add(cast.charlie, "bulk_mail", "", str(account.pk)).status_code == 422
    page = words(cast.alice)
    assert "@bank.example" in page and account.address in page and "Mail only between colleagues" in page
    assert "everybody at ours.example" in page
    assert "@bank.example</span></th>" not in words(cast.charlie)
    assert ImportRule.objects.count() == 3


def test_what_is_no_address_is_refused_with_what_was_typed(cast):
    refused = add(cast.alice, value="no address")
    page = unescape(refused.content.decode())
    assert refused.status_code == 422 and 'value="no address"' in page
    assert "“no address” is neither an email address nor a domain" in page


def test_removing_a_rule_has_what_it_kept_out_looked_at_again(cast, account):
    add(cast.alice)
    rule = ImportRule.objects.get()
    folder = Folder.objects.create(
        account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True, uidvalidity=1, uidnext=9,
        high_uid=8, low_uid=1, import_done=True,
    )  # fmt: skip
    LedgerEntry.objects.create(folder=folder, uidvalidity=1, uid=5, outcome="skipped", rule="never_import_domain")
    for other in (cast.bob, cast.charlie, cast.erin):
        as_user(other).post(f"{URL}{rule.pk}/remove/")
    assert ImportRule.objects.exists()
    done = as_user(cast.alice).post(f"{URL}{rule.pk}/remove/", follow=True)
    assert "1 message of the import window is looked at again." in done.content.decode()
    folder.refresh_from_db()
    assert not ImportRule.objects.exists() and not LedgerEntry.objects.exists() and not folder.import_done


def test_ignored_senders_are_listed_and_added_for_oneself_or_by_admins_for_all(cast):
    as_user(cast.alice).post(URL, {"ignore-sender": "@noise.example", "ignore-everybody": "on"})
    as_user(cast.erin).post(URL, {"ignore-sender": "spam@junk.example", "ignore-everybody": "on"})
    assert set(IgnoredSender.objects.values_list("domain", "address", "user")) == {
        ("noise.example", "", cast.alice.pk),
        ("", "spam@junk.example", None),
    }
    assert "@noise.example" in words(cast.alice) and "spam@junk.example" in words(cast.bob)
    assert "@noise.example" not in words(cast.bob)
    refused = as_user(cast.alice).post(URL, {"ignore-sender": "no address"})
    assert refused.status_code == 422 and "neither an email address" in refused.content.decode()


def test_the_signed_out_are_sent_to_sign_in(account):
    assert Client().get(URL).status_code == 302
    assert Client().post(f"{URL}1/remove/").status_code == 302


def test_admins_find_the_rules_of_the_workspace_from_its_page(cast):
    assert URL in as_user(cast.erin).get("/settings/workspace/").content.decode()
