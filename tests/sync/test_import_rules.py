"""Rules before storing against a real Dovecot: what they skip stands in the ledger, and its text never crosses the wire."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import importing
from mailwall.sync import folders, services
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import ago, ids, ledger

pytestmark = pytest.mark.live


def deliver(mailbox: Mailbox, name: str, **fields) -> None:
    mailbox.deliver(mails.mail(message_id=f"<{name}@x.example>", **fields), internaldate=ago(1))


def test_each_skip_stands_in_the_ledger_under_its_rule(account, mailbox: Mailbox):
    for kind, value in (("never_import_address", "info@bank.example"), ("never_import_domain", "@junk.example"),
                        ("only_colleagues", ""), ("mailing_list", ""), ("bulk_mail", "")):  # fmt: skip
        importing.add_rule(account.owner, kind, value, account=None, for_all=False)
    deliver(mailbox, "kept")
    deliver(mailbox, "bank", sender="info@bank.example", to=mailbox.address)
    deliver(mailbox, "bank-and-ewa", sender="info@bank.example", to=f"{mailbox.address}, ewa@kwiat.example")
    deliver(mailbox, "junk", sender="any@junk.example", to=mailbox.address)
    deliver(mailbox, "internal", sender="bob@ours.example", to="alice@ours.example")
    deliver(mailbox, "list", headers={"List-Id": "<news.shop.example>"})
    deliver(mailbox, "bulk", headers={"Precedence": "bulk"})

    services.sync_account(account.pk)

    assert ids(account) == {"kept@x.example", "bank-and-ewa@x.example"}
    told = ledger(account)["inbox"]
    assert told.skipped == {
        "never_import_address": 1, "never_import_domain": 1, "only_colleagues": 1, "mailing_list": 1, "bulk_mail": 1,
    }  # fmt: skip
    assert told.accounted == told.on_server == 7


def test_the_text_of_what_is_not_imported_is_not_fetched(connect, mailbox: Mailbox):
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        importing.add_rule(account.owner, "mailing_list", account=account, for_all=False)
        deliver(mailbox, "list", headers={"List-Id": "<news.shop.example>"}, text="words and words\n" * 20_000)
        services.sync_account(account.pk)
        assert proxy.to_client < 20_000
    assert ledger(account)["inbox"].skipped == {"mailing_list": 1}


def test_what_was_skipped_comes_when_the_rule_goes_and_the_window_is_read_again(account, mailbox: Mailbox):
    rule = importing.add_rule(account.owner, "never_import_domain", "@bank.example", account=account, for_all=False)
    deliver(mailbox, "bank", sender="info@bank.example", to=mailbox.address)
    services.sync_account(account.pk)
    assert ids(account) == set()
    importing.remove_rule(account.owner, rule.pk)
    folders.read_window_again(account)
    services.sync_account(account.pk)
    assert ids(account) == {"bank@x.example"}
    assert ledger(account)["inbox"].skipped == {}
