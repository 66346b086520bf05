"""`mailwall sync` in the foreground."""

from __future__ import annotations

import json

import pytest
from django.core.management import CommandError, call_command

from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import ids

pytestmark = pytest.mark.live


def test_all_accounts_are_synchronised_and_told(account, mailbox: Mailbox, capsys):
    mailbox.deliver(mails.mail(message_id="<a@x.example>"))
    call_command("sync")
    assert capsys.readouterr().out == f"account {account.pk}: 1 new, 0 assigned\n"
    assert ids(account) == {"a@x.example"}


def test_a_failure_is_told_and_gives_exit_status_1(connect, mailbox: Mailbox, capsys):
    account = connect(mailbox, port=1)
    with pytest.raises(SystemExit) as ended:
        call_command("sync", str(account.pk), "--json")
    assert ended.value.code == 1
    [told] = json.loads(capsys.readouterr().out)["accounts"]
    assert (told["id"], told["state"], told["error"]["code"]) == (account.pk, "failed", "imap_unreachable")


def test_an_unknown_account_is_a_clear_error(account):
    with pytest.raises(CommandError, match="No such email account: 999"):
        call_command("sync", "999")
