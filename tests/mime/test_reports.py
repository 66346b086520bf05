"""Bounces read by report, and by words where a server writes none."""

from __future__ import annotations

import pytest

from mailwall.mime.parse import parse_whole
from mailwall.mime.parts import structure_of
from mailwall.mime.reports import FailedReceiver, failed_receivers, message_ids_in, sections_to_read

EWA, JAN = "ewa@kwiat.example", "jan@nowak.example"

POSTFIX = """\
From: MAILER-DAEMON@mx.ours.example (Mail Delivery System)
To: alice@ours.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

I'm sorry to have to inform you that your message could not be delivered.

<ewa@kwiat.example>: host mx.kwiat.example said: 550 5.1.1 No such user
--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.ours.example
Arrival-Date: Wed, 25 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; ewa@kwiat.example
Original-Recipient: rfc822;ewa@kwiat.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.kwiat.example
Diagnostic-Code: smtp; 550 5.1.1 <ewa@kwiat.example>: Recipient address
    rejected: No such user here

Final-Recipient: rfc822; jan@nowak.example
Action: delayed
Status: 4.4.1

--b1
Content-Type: message/rfc822

From: alice@ours.example
To: ewa@kwiat.example, jan@nowak.example
Subject: Offer
Message-ID: <0123456789abcdef0123456789abcdef@ours.example>

Hello
--b1--
"""

QMAIL = """\
Hi. This is the qmail-send program at kwiat.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<Ewa@kwiat.example>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <alice@ours.example>
To: ewa@kwiat.example, jan@nowak.example
Message-ID: <0123456789abcdef0123456789abcdef@ours.example>
"""


def test_report_names_the_receiver_the_reason_and_the_mail():
    parsed = parse_whole(POSTFIX.encode())
    assert parsed.automatic == "bounce"
    assert message_ids_in(parsed.report, parsed.text) == ("0123456789abcdef0123456789abcdef@ours.example",)
    words = "550 5.1.1 <ewa@kwiat.example>: Recipient address rejected: No such user here"
    assert failed_receivers(parsed.report, parsed.text, {EWA, JAN}) == (
        FailedReceiver(address=EWA, words=words, permanent=True),
    )


def test_report_is_asked_for_beside_the_text_and_of_the_original_only_its_header():
    structure, _ = structure_of(POSTFIX.encode())
    assert [part.section for part in sections_to_read(structure)] == ["1", "2", "3.HEADER"]


def test_report_stays_out_of_the_text_that_people_read():
    parsed = parse_whole(POSTFIX.encode())
    assert "Final-Recipient" not in parsed.text
    assert "Hello" not in parsed.report


def test_words_of_a_server_without_reports_are_read():
    [ewa] = failed_receivers("", QMAIL, {EWA, JAN})
    assert ewa == FailedReceiver(address=EWA, words="Sorry, no mailbox here by that name. (#5.1.1)", permanent=True)
    assert message_ids_in("", QMAIL) == ("0123456789abcdef0123456789abcdef@ours.example",)


@pytest.mark.parametrize(
    ("action", "status", "expected"),
    [("failed", "5.2.1", True), ("failed", "4.4.7", False), ("delayed", "4.4.1", None), ("delivered", "2.0.0", None)],
)
def test_only_a_failure_counts_and_only_a_final_one_marks_the_address(action, status, expected):
    report = f"Final-Recipient: rfc822; {EWA}\nAction: {action}\nStatus: {status}"
    found = failed_receivers(report, f"<{EWA}> could not be delivered", {EWA})
    assert [receiver.permanent for receiver in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    "text",
    [
        f"Your message to {EWA} is delayed. You do not need to resend your message; we will keep trying.",
        f"The address to which the message has not yet been delivered is:\n\n  {EWA}\n\nNo action is required.",
        f"Ihre Nachricht an {EWA} konnte noch nicht zugestellt werden. Der Server wird es weiter versuchen.",
        f"Wiadomość do {EWA} nie została jeszcze dostarczona. Serwer ponowi próbę.",
    ],
)
def test_warning_that_a_mail_is_late_is_no_failure(text):
    assert failed_receivers("", text, {EWA}) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"Die E-Mail konnte nicht zugestellt werden:\n\n{EWA}:\nPostfach existiert nicht (550)", "Postfach existiert nicht (550)"),
        (f"Nie udało się dostarczyć wiadomości do:\n\n<{EWA}>: 550 Nie ma takiego konta", "550 Nie ma takiego konta"),
        (f"This is a permanent error. The following address(es) failed:\n\n  {EWA}\n    host mx [192.0.2.1]\n    550 No such user\n\n------ This is a copy of the message", "host mx [192.0.2.1] 550 No such user"),
    ],
)  # fmt: skip
def test_words_of_german_polish_and_exim_servers_are_read(text, words):
    assert failed_receivers("", text, {EWA}) == (FailedReceiver(address=EWA, words=words, permanent=True),)


@pytest.mark.parametrize(
    "recipient", ["rfc822;ewa@kwiat.example", "rfc822; <Ewa@Kwiat.example>", "utf-8; ewa@kwiat.example"]
)
def test_reports_of_exchange_and_others_name_the_receiver_their_way(recipient):
    status = f"Reporting-MTA: dns;x\n\nFinal-Recipient: {recipient}\nAction: Failed (smtp)\nStatus: 5.1.10\nDiagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound"
    [ewa] = failed_receivers(status, "", {EWA, JAN})
    assert (ewa.address, ewa.words, ewa.permanent) == (EWA, "550 5.1.10 RESOLVER.ADR.RecipientNotFound", True)


def test_address_that_the_mail_was_forwarded_to_stands_for_its_only_receiver():
    report = "Final-Recipient: rfc822; kwiat-private@elsewhere.example\nAction: failed\nStatus: 5.1.1"
    assert [receiver.address for receiver in failed_receivers(report, "", {EWA})] == [EWA]
    assert failed_receivers(report, "", {EWA, JAN}) == ()
