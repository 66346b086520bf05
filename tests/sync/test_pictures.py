"""Pictures that lie in a mail, shown in its frame: fetched from the mail server when they are wanted, not before."""

from __future__ import annotations

import base64

import pytest
from django.test import Client

from mailwall.mailstore.models import Attachment, Message
from mailwall.sync import services
from tests.rig.fixtures import Mailbox
from tests.sync.test_attachments import b64

pytestmark = pytest.mark.live

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
HTML = (
    b'<p>Look</p><img src="cid:logo@x"><img src="cid:photo%40x"><img src="cid:bad@x"><img src="cid:none@x">'
    b'<img src="https://shop.example/b.png">'
)


def picture(content_id: str, raw: bytes, kind: str = "image/png") -> bytes:
    head = f"Content-Type: {kind}\r\nContent-ID: <{content_id}>\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return b"--b\r\n" + head.encode() + b64(raw) + b"\r\n"


@pytest.fixture
def mail(account, mailbox: Mailbox) -> Message:
    mailbox.deliver(
        b"From: ewa@kwiat.example\r\nTo: alice@example.org\r\nSubject: Pictures\r\nMessage-ID: <p@x.example>\r\n"
        b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n" + HTML + b"\r\n"
        + picture("logo@x", PNG) + picture("photo@x", PNG * 2) + picture("bad@x", SVG) + b"--b--\r\n"
    )  # fmt: skip
    services.sync_account(account.pk)
    return Message.objects.get(account=account)


def frame(mail: Message, query: str = "") -> str:
    client = Client()
    client.force_login(mail.account.owner)
    answer = client.get(f"/mail/{mail.pk}/frame/{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def data(raw: bytes) -> str:
    return f'src="data:image/png;base64,{base64.b64encode(raw).decode()}"'


def test_pictures_come_with_the_images_and_only_those_made_of_pixels(mail):
    assert " src=" not in frame(mail)
    shown = frame(mail, "?images=1")
    assert data(PNG) in shown and data(PNG * 2) in shown
    assert shown.count("data:image/") == 2 and "svg" not in shown.lower()
    assert 'data-cid="bad@x"' in shown and 'data-cid="none@x"' in shown


def test_where_the_server_does_not_answer_the_mail_is_shown_and_says_why(mail):
    type(mail.account).objects.update(imap_port=1)
    shown = frame(mail, "?images=1")
    assert "<p>Look</p>" in shown and 'src="https://shop.example/b.png"' in shown
    assert "The images in this mail are missing: The mail server cannot be reached" in shown


def test_of_a_mail_that_is_gone_the_text_stays(mail):
    Message.objects.update(on_server=False)
    shown = frame(mail, "?images=1")
    assert "<p>Look</p>" in shown and "no longer on the mail server" in shown


def test_too_many_bytes_are_not_taken_into_a_page(mail, monkeypatch):
    monkeypatch.setattr("mailwall.wall.pictures.MAX_PICTURES_BYTES", len(PNG))
    shown = frame(mail, "?images=1")
    assert "data:image/" not in shown and "The images in this mail are missing" in shown
    assert Attachment.objects.count() == 3
