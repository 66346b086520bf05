"""The copy in Sent on a real Dovecot: filed once, folded with what the synchronisation brings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mailwall.mailstore.models import Message
from mailwall.sending.models import CopyState, Outgoing
from mailwall.sync import services as sync_services
from tests.sending.conftest import deliver, file_copies, make_due

pytestmark = pytest.mark.live


def in_sent(mailbox, outgoing: Outgoing, folder: str = "Sent") -> list[str]:
    """Flags of every copy that lies in the folder."""
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select(folder, readonly=True)
        _, [uids] = client.uid("SEARCH", f'HEADER Message-ID "{outgoing.message_id_header}"')
        flags = mailbox.dovecot.flags(mailbox.address, folder)
        return [flags[int(uid)].replace(" \\Recent", "") for uid in uids.split()]


def test_copy_is_filed_once_as_seen_and_folds_into_the_mail_on_the_wall(whole_account, queue, mailbox, smtp_sink):
    outgoing = deliver(queue(html="<p>Żółć</p>", bcc=(), text=""))
    make_due(outgoing, sent_at=datetime.now(UTC) - timedelta(minutes=1), copy_at=datetime.now(UTC))
    file_copies(outgoing)
    assert outgoing.copy_state == CopyState.FILED
    assert in_sent(mailbox, outgoing) == ["\\Seen"]
    sync_services.sync_account(whole_account.pk)
    sync_services.sync_account(whole_account.pk)
    assert [message.pk for message in Message.objects.all()] == [outgoing.message_id]
