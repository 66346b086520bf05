"""Why a mail counts as automatic, and that people's mail does not."""

from __future__ import annotations

import pytest

from mailwall.mime.parse import parse_whole


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"", ""),
        (b"Auto-Submitted: no", ""),
        (b"Auto-Submitted: auto-replied", "auto-replied"),
        (b"Auto-Submitted: Auto-Replied; owner=x", "auto-replied"),
        (b"Auto-Submitted: auto-generated", "auto-generated"),
        (b"Auto-Submitted: auto-notified", "auto-generated"),
        (b"Precedence: auto_reply", "auto-replied"),
        (b"Precedence: bulk", "bulk"),
        (b"Precedence: junk", "bulk"),
        (b"Precedence: list", "list"),
        (b"List-Id: <roses.kwiat.example>", "list"),
        (b"List-Unsubscribe: <mailto:off@kwiat.example>", "list"),
        (b"List-Id: <r.kwiat.example>\r\nAuto-Submitted: auto-replied", "auto-replied"),
        (b"List-Id: <r.kwiat.example>\r\nAuto-Submitted: auto-generated", "auto-generated"),
        (b"List-Unsubscribe: <https://kwiat.example/u>\r\nAuto-Submitted: auto-generated", "auto-generated"),
        (b"Precedence: bulk\r\nAuto-Submitted: auto-generated", "auto-generated"),
        (b"List-Id: <r.kwiat.example>\r\nAuto-Submitted: no", "list"),
        (b"X-Autoreply: yes", "auto-replied"),
        (b"X-Autorespond: Out of office", "auto-replied"),
        (b"X-Auto-Response-Suppress: All", ""),
        (b"X-Auto-Response-Suppress: All\r\nSubject: Automatic reply: Offer", "auto-replied"),
        (b"X-Auto-Response-Suppress: OOF\r\nSubject: =?utf-8?q?Odpowied=C5=BA_automatyczna?=: x", "auto-replied"),
        (b"Return-Path: <>", "bounce"),
        (b"Return-Path: <>\r\nAuto-Submitted: auto-replied", "auto-replied"),
        (b"From: Mail Delivery Subsystem <mailer-daemon@mx.example>", "bounce"),
        (b"X-Failed-Recipients: a@x.example", "bounce"),
        (b"Return-Path: <>\r\nSubject: Automatic reply: Offer\r\nX-Auto-Response-Suppress: All", "auto-replied"),
        (b"Return-Path: <>\r\nSubject: Automatic reply: Offer\r\nAuto-Submitted: auto-generated", "auto-replied"),
        (b"Return-Path: <>\r\nSubject: Poza biurem\r\nPrecedence: auto_reply", "auto-replied"),
        (b"Subject: On holiday\r\nX-Autoreply: yes\r\nPrecedence: bulk", "auto-replied"),
        (b"Subject: Abwesend: Angebot\r\nX-Auto-Response-Suppress: All", "auto-replied"),
        (b"Return-Path: <>\r\nSubject: Undeliverable: Offer\r\nFrom: postmaster@x.example", "bounce"),
        (b"Return-Path: <>\r\nSubject: Automatic reply: x\r\nFrom: MAILER-DAEMON@x.example", "bounce"),
        (b"Content-Type: multipart/report; report-type=delivery-status; boundary=b", "bounce"),
        (b"Content-Type: multipart/report; report-type=disposition-notification; boundary=b", "auto-generated"),
    ],
)
def test_headers_tell_why(header: bytes, why: str) -> None:
    body = b"--b\r\n\r\ntext\r\n--b\r\nContent-Type: message/x\r\n\r\nx\r\n--b--\r\n"
    assert parse_whole(header + b"\r\n\r\n" + body if header else b"\r\n").automatic == why
