"""Check 35 of reliability.md: a huge mailbox keeps no small one waiting, and no silent server a healthy one."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from mailwall import queue
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.sync import services, tasks
from mailwall.sync.models import SyncRun
from mailwall.web import secrets
from tests.cast import make_account
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def empty_queues():
    for each in (queue.fast, queue.bulk):
        each.flush()
    yield
    for each in (queue.fast, queue.bulk):
        each.flush()


@pytest.fixture
def small(connect, mailbox: Mailbox, request) -> tuple[EmailAccount, list[EmailAccount]]:
    """The account with much mail, due first, and the small ones with two mails each."""
    big = connect(mailbox)
    EmailAccount.objects.filter(pk=big.pk).update(next_sync_at=NOW - timedelta(hours=1))
    accounts = []
    for number in range(50 if request.node.get_closest_marker("exhaustive") else 20):
        other = Mailbox(dovecot=mailbox.dovecot, address=f"small{number}-{mailbox.address}", ca_file="")
        other.fill([(mails.plain_mail(each), NOW) for each in range(2)])
        account = make_account(
            big.owner, other.address, imap_port=other.dovecot.port, next_sync_at=NOW, imap_host="127.0.0.1"
        )
        sealed = secrets.seal(other.dovecot.password, bound_to=f"{account.secret_id}:imap")
        EmailAccount.objects.filter(pk=account.pk).update(sealed_imap_password=sealed)
        accounts.append(account)
    return big, accounts


def turn() -> None:
    """What the one worker does next."""
    queue.bulk.execute(queue.bulk.dequeue())


def waiting(accounts: list[EmailAccount], since: datetime) -> int:
    mine = EmailAccount.objects.filter(pk__in=[account.pk for account in accounts])
    return mine.exclude(last_synchronized_at__gte=since).count()


def test_small_accounts_do_not_wait_for_a_huge_one(mailbox: Mailbox, small):
    take_turns(mailbox, *small, huge=1600)


@pytest.mark.exhaustive
def test_fifty_small_accounts_do_not_wait_for_twenty_thousand_mails(mailbox: Mailbox, small):
    take_turns(mailbox, *small, huge=20_000)


def take_turns(mailbox: Mailbox, big: EmailAccount, accounts: list[EmailAccount], *, huge: int) -> None:
    mailbox.fill([(mails.plain_mail(number, size=200), NOW - timedelta(seconds=number)) for number in range(huge)])
    for cycle in range(2):
        begin = datetime.now(UTC)
        stored = Message.objects.filter(account=big).count()
        EmailAccount.objects.filter(pk__in=[account.pk for account in accounts]).update(next_sync_at=NOW)
        tasks.tick()
        while waiting(accounts, begin):
            turn()
        # one turn of the huge one each cycle, and what was asked for in one go when the others began to wait
        assert Message.objects.filter(account=big).count() - stored <= 2 * services.SLICE_MESSAGES, cycle
    assert Message.objects.filter(account__in=accounts).count() == 2 * len(accounts)
    assert 0 < Message.objects.filter(account=big).count() < huge

    mine = accounts[7]
    Mailbox(dovecot=mailbox.dovecot, address=mine.address, ca_file="").deliver(mails.mail())
    run = services.request_download(mine)
    tasks.download(mine.pk)
    asked = time.monotonic()
    queue.fast.execute(queue.fast.dequeue())
    assert time.monotonic() - asked < 30
    run.refresh_from_db()
    assert (run.state, run.new) == (SyncRun.State.DONE, 1)

    while queue.bulk.pending_count():
        turn()
    assert Message.objects.filter(account=big).count() == huge


def test_a_silent_server_costs_the_others_one_deadline_and_then_waits_its_pause(mailbox: Mailbox, small, impatient):
    big, accounts = small
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.black_hole = True
        EmailAccount.objects.filter(pk=big.pk).update(imap_port=proxy.port)
        since = datetime.now(UTC)
        tasks.tick()
        while waiting(accounts, since):
            turn()
        assert 1 <= proxy.connections <= 2  # one try, and the question whether the port wants TLS
        big.refresh_from_db()
        assert big.failed_attempts == 1 and big.next_sync_at > datetime.now(UTC)
