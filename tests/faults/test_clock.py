"""Check 31 of reliability.md: clocks that are wrong, here or there, lose nothing and hold nobody up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.sync import due, tasks
from tests.fakes.imap_server import ImapServer
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import NOW, ago, ids

pytestmark = pytest.mark.live


def on(server: ImapServer) -> Mailbox:
    return Mailbox(dovecot=server, address="alice@example.org", ca_file="")  # type: ignore[arg-type]


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_of_ours_that_is_a_day_off_loses_nothing(connect, days):
    with ImapServer() as server:
        mailbox = on(server)
        mailbox.deliver(mails.mail(message_id="<before@x.example>"))
        account = connect(mailbox)
        with time_machine.travel(NOW + timedelta(days=days)):
            oracle.to_the_end(account)
            mailbox.deliver(mails.mail(message_id="<meanwhile@x.example>"), internaldate=NOW)
            oracle.to_the_end(account)
        mailbox.deliver(mails.mail(message_id="<after@x.example>"))
        tasks.tidy()  # comes hourly; the clock is right again
        assert due.claim_due(datetime.now(UTC) + timedelta(minutes=5), 10) == [account.pk]
        oracle.to_the_end(account)
        assert ids(account) == {"before@x.example", "meanwhile@x.example", "after@x.example"}


def test_a_worker_killed_while_the_clock_was_ahead_blocks_nothing(connect):
    with ImapServer() as server:
        account = connect(on(server))
        tomorrow = NOW + timedelta(days=1)
        EmailAccount.objects.update(lease_token="dead", lease_until=tomorrow, next_sync_at=NOW)
        tasks.tidy()
        assert due.claim_due(datetime.now(UTC) + timedelta(minutes=3), 10) == [account.pk]
        oracle.to_the_end(account)


def test_a_server_whose_clock_is_a_day_off_loses_nothing(connect):
    with ImapServer() as server:
        mailbox = on(server)
        for days in (-1, 0, 1):
            at = NOW + timedelta(days=days)
            mailbox.deliver(mails.mail(message_id=f"<{days}@x.example>", date=at), internaldate=at)
        account = connect(mailbox)
        oracle.to_the_end(account)
        assert ids(account) == {"-1@x.example", "0@x.example", "1@x.example"}


@pytest.mark.parametrize("date", ["Thu, 1 Jan 1970 00:00:00 +0000", "Thu, 31 Dec 2099 23:59:59 +0000", "yesterday"])
def test_what_a_sender_calls_today_changes_neither_window_nor_order(connect, date):
    with ImapServer() as server:
        mailbox = on(server)
        for number in range(3):
            raw = mails.mail(message_id=f"<{number}@x.example>", date=ago(3 - number))
            if number == 1:
                head, tail = raw.split(b"\r\nDate: ", 1)
                raw = head + b"\r\nDate: " + date.encode() + b"\r\n" + tail.split(b"\r\n", 1)[1]
            mailbox.deliver(raw, internaldate=ago(3 - number))
        account = connect(mailbox)
        oracle.to_the_end(account)
        newest_first = Message.objects.order_by("-internaldate").values_list("message_id", flat=True)
        assert list(newest_first) == ["2@x.example", "1@x.example", "0@x.example"]


@pytest.mark.parametrize("night", [datetime(2026, 10, 25, tzinfo=UTC), datetime(2027, 3, 28, tzinfo=UTC)])
def test_the_night_of_the_clock_change_loses_nothing(connect, night):
    """Mail of each quarter of that night, read once an hour."""
    with ImapServer() as server:
        mailbox = on(server)
        account = connect(mailbox, import_since=night - timedelta(days=1))
        for hour in range(6):
            for quarter in range(4):
                at = night + timedelta(hours=hour, minutes=15 * quarter)
                mailbox.deliver(mails.mail(message_id=f"<{hour}-{quarter}@x.example>", date=at), internaldate=at)
            with time_machine.travel(night + timedelta(hours=hour + 1)):
                oracle.to_the_end(account)
        assert Message.objects.count() == 24
