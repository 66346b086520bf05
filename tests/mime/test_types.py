"""Types that travel between processes arrive as they left, with nothing lost that a field could hold."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from mailwall.imap.types import FetchedMessage
from mailwall.mailstore.preparing import prepare
from mailwall.mailstore.types import IncomingMessage, Prepared
from mailwall.mime.parse import parse_whole
from mailwall.mime.scan import scan_message
from mailwall.mime.types import Address, AttachmentInfo, BodyPart, ParsedMessage, Sendable
from mailwall.sync.interpreting import Reading
from tests.mailstore.makers import NOW

RAW = (
    b"From: Ewa <ewa@kwiat.example>, jan@kwiat.example\r\nTo: alice@example.org\r\nSender: x@y.example\r\n"
    b"Subject: =?utf-8?q?=C5=BC?=\r\nDate: Fri, 20 Nov 2026 12:00:00 +0100\r\nMessage-ID: <a@b>\r\nReferences: <r@b>\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nText\r\n'
    b'--x\r\nContent-Type: application/pdf; name="a.pdf"\r\n\r\nPDF\r\n--x--\r\n'
)
SCAN = scan_message(RAW)
INCOMING = prepare(IncomingMessage(parsed=parse_whole(RAW), direction="received", internaldate=NOW, size_bytes=5))
SENT = [
    Reading(uid=7, internaldate=NOW, size_bytes=9, incoming=INCOMING, attempts=2),
    FetchedMessage(
        uid=7, internaldate=NOW, size_bytes=9, flags=("\\Seen",), raw_header=SCAN.raw_header, structure=SCAN.structure,
        raw_sections=SCAN.raw_sections, truncated_sections=frozenset({"1"}), problem="empty",
    ),
]  # fmt: skip


@pytest.mark.parametrize("item", SENT, ids=lambda item: type(item).__name__)
def test_what_is_sent_arrives_equal_and_frozen(item):
    arrived = pickle.loads(pickle.dumps(item))
    assert arrived == item and replace(arrived) == item
    with pytest.raises(FrozenInstanceError):
        arrived.uid = 8


@pytest.mark.parametrize(
    "kind",
    [Address, AttachmentInfo, BodyPart, ParsedMessage, FetchedMessage, IncomingMessage, Prepared, Reading],
)
def test_every_field_of_what_may_be_sent_is_sent(kind):
    assert issubclass(kind, Sendable)
    assert list(kind.__slots__) == [field.name for field in fields(kind)]
