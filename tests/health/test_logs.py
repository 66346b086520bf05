"""Logs: one id through all lines of a run, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from mailwall.config import logging as our_logging
from mailwall.sync import services
from mailwall.web import secrets
from tests.cast import make_account

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
CANARY = "cänary-“p4ss” wörd\\"


@pytest.fixture
def logged():
    """What is written, as JSON lines, from the most talkative level on."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    our_logging.configure()
    written = io.StringIO()
    for handler in root.handlers:
        handler.setStream(written)
    root.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    root.handlers, root.level = before


def test_all_lines_of_a_run_carry_its_id_and_none_a_secret(cast, mailbox, logged):
    ids = []
    for _ in range(2):
        account = make_account(cast.alice, imap_port=mailbox.dovecot.port)
        account.sealed_imap_password = secrets.seal(CANARY, bound_to=f"{account.secret_id}:imap")
        account.save()
        assert services.sync_account(account.pk).error_code == "imap_login_refused"
        lines = [line for line in logged() if line.get("account_id") == account.pk]
        assert [line["event"] for line in lines if line["logger"].startswith("mailwall.email_accounts")]
        [run] = {line.get("run") for line in lines}
        ids.append(run)
    assert ids[0] != ids[1]
    assert all(run.startswith("sync-") for run in ids)
    everything = json.dumps(logged(), ensure_ascii=False)
    assert "4ss" not in everything
    assert cast.alice.email_accounts.first().address not in everything
