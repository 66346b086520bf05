"""The Sent folder on a real Dovecot: one copy, folded with what the synchronisation brings; unknown mails found there."""

from __future__ import annotations

import email
import email.policy
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Attachment, DeliveryState, Message
from mailwall.sending import attempts, copies, departures
from mailwall.sending.draft_queries import Origin
from mailwall.sending.drafts import DraftContent
from mailwall.sending.models import CopyState, DraftMode, Outgoing, OutgoingContent, OutgoingState
from mailwall.sending.types import LetterFile
from mailwall.sync import services as sync_services
from tests.rig import mails
from tests.rig.dovecot import Dovecot
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sending.conftest import EWA, deliver, file_copies, make_due

pytestmark = pytest.mark.live


INLINE_IMAGE = b"""From: Ewa <ewa@kwiat.example>\r
To: alice@ours.example\r
Subject: Logo\r
Message-ID: <logo-mail@kwiat.example>\r
MIME-Version: 1.0\r
Content-Type: multipart/related; boundary=b\r
\r
--b\r
Content-Type: text/html\r
\r
<p>Our logo: <img src="cid:logo@kwiat.example" alt="logo"></p>\r
--b\r
Content-Type: image/png\r
Content-ID: <logo@kwiat.example>\r
Content-Disposition: inline; filename=logo.png\r
Content-Transfer-Encoding: base64\r
\r
UE5H\r
--b--\r
"""


def in_sent(mailbox, outgoing: Outgoing, folder: str = "Sent") -> list[str]:
    """Flags of every copy that lies in the folder."""
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select(folder, readonly=True)
        _, [uids] = client.uid("SEARCH", f'HEADER Message-ID "{outgoing.message_id_header}"')
    flags = mailbox.dovecot.flags(mailbox.address, folder)
    return [flags[int(uid)].replace(" \\Recent", "") for uid in uids.split()]


def after_a_while(outgoing: Outgoing, minutes: float = 1) -> Outgoing:
    """The copy is due, and the server has had its time to file it."""
    now = datetime.now(UTC)
    make_due(outgoing, sent_at=now - timedelta(minutes=minutes), copy_at=now)
    return outgoing


def test_copy_is_filed_once_as_seen_and_folds_into_the_mail_on_the_wall(whole_account, queue, mailbox, smtp_sink):
    pdf = LetterFile(filename="Oferta żółć.pdf", content_type="application/pdf", raw_content=b"%PDF" * 9_000)
    hidden = mails.mail()  # something else that lies there
    mailbox.deliver(hidden, folder="Sent")
    outgoing = file_copies(after_a_while(deliver(queue(html="<p>Żółć</p>", text="", files=(pdf,), bcc=(EWA,)))))
    assert outgoing.copy_state == CopyState.FILED
    assert in_sent(mailbox, outgoing) == ["\\Seen"]
    assert not OutgoingContent.objects.exists()
    for _ in range(2):
        sync_services.sync_account(whole_account.pk)
    [card] = Message.objects.filter(message_id=outgoing.message_id_header)
    assert (card.pk, card.delivery_state) == (outgoing.message_id, DeliveryState.SENT)


def test_copy_that_the_server_changed_on_the_way_is_the_same_mail(whole_account, queue, mailbox, smtp_sink):
    outgoing = deliver(queue(html="<p>Hello</p>", text=""))
    mailbox.deliver(smtp_sink.taken[0].raw.replace(b"Hello", b"Hello. Scanned by Guardian"), folder="Sent")
    sync_services.sync_account(whole_account.pk)
    [card] = Message.objects.select_related("body")
    assert (card.pk, "Guardian" in card.body.text) == (outgoing.message_id, False)


def test_new_server_gets_a_moment_to_file_by_itself(whole_account, queue, mailbox):
    outgoing = deliver(queue())
    assert file_copies(outgoing).copy_state == CopyState.WANTED
    assert in_sent(mailbox, outgoing) == []
    assert outgoing.copy_at < datetime.now(UTC) + timedelta(seconds=3)


def test_copy_that_the_server_filed_is_left_alone_and_its_habit_remembered(whole_account, queue, mailbox, smtp_sink):
    outgoing = deliver(queue())
    mailbox.deliver(smtp_sink.taken[0].raw, folder="Sent")
    assert file_copies(outgoing).copy_state == CopyState.BY_SERVER
    assert len(in_sent(mailbox, outgoing)) == 1
    second = after_a_while(deliver(queue(subject="Second")))
    assert file_copies(second).copy_state == CopyState.WANTED  # it gets minutes now
    assert file_copies(after_a_while(second, minutes=5)).copy_state == CopyState.FILED


def test_mail_is_sent_though_its_copy_fails_and_the_copy_comes_alone(whole_account, queue, mailbox, smtp_sink):
    EmailAccount.objects.update(imap_port=1)
    outgoing = file_copies(after_a_while(deliver(queue())))
    assert (outgoing.state, outgoing.copy_state) == (OutgoingState.SENT, CopyState.WANTED)
    assert outgoing.copy_at > datetime.now(UTC) + timedelta(seconds=15)
    EmailAccount.objects.update(imap_port=mailbox.dovecot.port)
    assert file_copies(after_a_while(outgoing)).copy_state == CopyState.FILED
    assert (len(in_sent(mailbox, outgoing)), len(smtp_sink.taken)) == (1, 1)


def test_answer_to_append_that_is_lost_gives_no_second_copy(whole_account, queue, mailbox):
    outgoing = after_a_while(deliver(queue()))
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.rewrite = lambda line: b"* BYE\r\n" if b"APPENDUID" in line else line
        EmailAccount.objects.update(imap_port=proxy.port)
        assert file_copies(outgoing).copy_state == CopyState.WANTED
    EmailAccount.objects.update(imap_port=mailbox.dovecot.port)
    assert file_copies(after_a_while(outgoing)).copy_state == CopyState.FILED
    assert len(in_sent(mailbox, outgoing)) == 1


def test_folder_is_never_made_in_silence_and_the_copy_waits_for_one(account, queue):
    with Dovecot(special_use=False) as server:
        mailbox = Mailbox(dovecot=server, address=account.address, ca_file="")
        EmailAccount.objects.update(imap_port=server.port)
        outgoing = file_copies(after_a_while(deliver(queue())))
        assert (outgoing.state, outgoing.copy_state) == (OutgoingState.SENT, CopyState.NO_FOLDER)
        assert EmailAccount.objects.get().lacks_sent_folder
        with server.client(account.address) as client:
            assert [line for line in client.list()[1] if b"INBOX" not in line] == []
            client.create("Wys&AUI-ane")  # Wysłane
        file_copies(after_a_while(deliver(queue(subject="Second"))))
        assert file_copies(outgoing).copy_state == CopyState.FILED
        assert len(in_sent(mailbox, outgoing, "Wys&AUI-ane")) == 1
        assert not EmailAccount.objects.get().lacks_sent_folder


def test_mail_of_unknown_outcome_is_settled_by_its_copy_in_sent(whole_account, queue, mailbox, smtp_sink):
    smtp_sink.mode = "drop"
    outgoing = deliver(queue())
    make_due(outgoing, look_at=datetime.now(UTC))
    assert file_copies(outgoing).state == OutgoingState.SENDING
    mailbox.deliver(smtp_sink.taken[0].raw, folder="Sent")
    make_due(outgoing, look_at=datetime.now(UTC))
    assert file_copies(outgoing).state == OutgoingState.SENT
    assert (outgoing.copy_state, len(in_sent(mailbox, outgoing))) == (CopyState.BY_SERVER, 1)
    assert Message.objects.get(pk=outgoing.message_id).delivery_state == DeliveryState.SENT


def test_worker_that_died_after_data_leaves_a_mail_that_is_looked_for(whole_account, queue, mailbox):
    outgoing = queue()
    [claimed] = attempts.claim(whole_account.pk, datetime.now(UTC))
    attempts.begin(claimed)
    make_due(outgoing, look_at=datetime.now(UTC), data_started_at=datetime.now(UTC) - timedelta(minutes=11))
    assert file_copies(outgoing).state == OutgoingState.NEEDS_REVIEW


def test_forwarded_file_is_fetched_when_the_mail_goes_and_stands_on_the_card(whole_account, queue, mailbox, smtp_sink):
    mailbox.deliver(mails.attachment_mail(1, size_bytes=30_000))
    sync_services.sync_account(whole_account.pk)
    original = Attachment.objects.get()
    outgoing = deliver(queue(forward_attachments=(original.pk,), html="<p>See below</p>", text=""))
    assert (outgoing.state, outgoing.error_message) == (OutgoingState.SENT, "")
    [copied] = Attachment.objects.filter(message_id=outgoing.message_id)
    assert (copied.filename, copied.encoded_size_bytes) == (original.filename, original.encoded_size_bytes)
    file_copies(after_a_while(outgoing))
    sync_services.sync_account(whole_account.pk)
    [card] = Message.objects.filter(message_id=outgoing.message_id_header)
    assert (card.pk, card.incomplete) == (outgoing.message_id, False)


def test_image_in_a_forwarded_text_stays_in_it(whole_account, people, mailbox, smtp_sink):
    mailbox.deliver(INLINE_IMAGE)
    sync_services.sync_account(whole_account.pk)
    original, image = Message.objects.get(), Attachment.objects.get()
    content = DraftContent(to="ewa@kwiat.example", subject="Fwd", forward_attachments=(image.pk,))
    origin = Origin(mode=DraftMode.FORWARD, original_id=original.pk)
    outgoing = departures.save_and_send(people.alice, uuid.uuid4(), content, version=0, origin=origin)
    make_due(outgoing)
    assert deliver(outgoing).state == OutgoingState.SENT
    message = email.message_from_bytes(smtp_sink.taken[0].raw, policy=email.policy.default)
    assert 'src="cid:logo@kwiat.example"' in message.get_body(("html",)).get_content()
    [part] = [part for part in message.walk() if part["Content-ID"] == "<logo@kwiat.example>"]
    assert (part.get_content_disposition(), part.get_content()) == ("inline", b"PNG")


def test_forwarded_file_that_is_gone_makes_the_mail_fail_with_the_reason(whole_account, queue, mailbox, smtp_sink):
    uid = mailbox.deliver(mails.attachment_mail(2, size_bytes=3_000))
    sync_services.sync_account(whole_account.pk)
    outgoing = queue(forward_attachments=(Attachment.objects.get().pk,))
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select("INBOX")
        client.uid("STORE", str(uid), "+FLAGS", "\\Deleted")
        client.expunge()
    assert deliver(outgoing).state == OutgoingState.FAILED
    assert "no longer on the mail server" in Message.objects.get(pk=outgoing.message_id).delivery_note
    assert smtp_sink.taken == []


def test_account_that_waits_for_a_password_is_not_connected_for_copies(whole_account, queue, mailbox):
    outgoing = after_a_while(deliver(queue()))
    EmailAccount.objects.update(state="needs_sign_in")
    logged = mailbox.dovecot.log().count("Login")
    copies.work_account(whole_account.pk)
    outgoing.refresh_from_db()
    assert (outgoing.copy_state, mailbox.dovecot.log().count("Login")) == (CopyState.WANTED, logged)
