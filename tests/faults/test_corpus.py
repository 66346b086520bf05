"""Checks 29 and 30 of reliability.md: every odd mail of the corpus, through a real server: stored, and its files right."""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest

from mailwall.mailstore.models import Attachment, Message
from mailwall.mime.scan import scan_message
from mailwall.mime.transfer import decode_transfer
from mailwall.sync import attachments, services
from mailwall.sync.errors import MailServerUnreachable
from mailwall.sync.models import LedgerEntry, Placement
from tests.faults import oracle
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW

pytestmark = pytest.mark.live
CORPUS = sorted((Path(__file__).parent.parent / "corpus").glob("*.eml"))


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def decoded_by_another(raw: bytes) -> set[str]:
    """Of each part, as the standard library reads it; and of the bytes of mails within the mail."""
    found = set()
    for part in email.message_from_bytes(raw, policy=email.policy.compat32).walk():
        if part.get_content_type() == "message/rfc822":
            found.update(sha(inner.as_bytes().replace(b"\r\n", b"\n")) for inner in part.get_payload())
        elif not part.is_multipart():
            found.add(sha(part.get_payload(decode=True) or b""))
    return found


def decoded_by_us(raw: bytes) -> set[str]:
    """Of each part of the mail cut up here, not by the server."""
    scan = scan_message(raw)
    encodings = {part.section: part.encoding for part in scan.structure.walk()} if scan.structure else {}
    return {sha(decode_transfer(part, encodings.get(name, ""))[0]) for name, part in scan.raw_sections.items()}


def test_every_odd_mail_is_stored_and_its_files_come_byte_for_byte(connect, mailbox: Mailbox):
    raws = [re.sub(rb"\r?\n", b"\r\n", path.read_bytes()) for path in CORPUS]
    mailbox.fill([(raw, NOW - timedelta(minutes=number)) for number, raw in enumerate(raws)])
    account = connect(mailbox)
    oracle.to_the_end(account)
    oracle.to_the_end(account)
    failed = LedgerEntry.objects.filter(outcome="failed").values_list("uid", "rule")
    assert not failed, list(failed)
    assert Placement.objects.count() == len(raws)

    by_uid = uids_of(mailbox)
    odd, right = [], 0
    for placement in Placement.objects.select_related("message"):
        raw = by_uid[placement.uid]
        for attachment in Attachment.objects.filter(message=placement.message):
            download = attachments.open_attachment(account.owner, placement.message_id, attachment.pk)
            got = b"".join(download.chunks)
            known = {sha(got), sha(got.replace(b"\r\n", b"\n"))}
            if known & decoded_by_another(raw):
                right += 1
            elif sha(got) not in decoded_by_us(raw):
                odd.append((placement.message.subject, attachment.filename, attachment.section, len(got)))
    assert not odd, odd
    assert right > 40


def uids_of(mailbox: Mailbox) -> dict[int, bytes]:
    found = {}
    with mailbox.dovecot.client(mailbox.address) as client:
        client.select("INBOX", readonly=True)
        for item in client.uid("FETCH", "1:*", "(BODY.PEEK[])")[1]:
            if isinstance(item, tuple):
                found[int(re.search(rb"UID (\d+)", item[0])[1])] = item[1]
    return found


def test_a_file_cut_in_the_middle_ends_as_an_error_wherever_it_is_cut(connect, mailbox: Mailbox):
    mailbox.deliver(mails.attachment_mail(3, size_bytes=900_000))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        attachment = Attachment.objects.get()
        assert Message.objects.count() == 1
        for tenth in range(1, 10):
            before = proxy.cuts
            proxy.cut_after = proxy.to_client + tenth * 100_000 + 5000
            with pytest.raises(MailServerUnreachable):
                b"".join(attachments.open_attachment(account.owner, attachment.message_id, attachment.pk).chunks)
            assert proxy.cuts == before + 1
        whole = b"".join(attachments.open_attachment(account.owner, attachment.message_id, attachment.pk).chunks)
        assert len(whole) == 900_000
