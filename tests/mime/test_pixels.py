"""The picture of opens: known by its form, taken out of what we file."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime

import pytest

from mailwall.mime import pixels
from mailwall.mime.compose import compose
from mailwall.mime.html import clean_html
from mailwall.mime.types import Address, Draft

URL = "https://crm.ours.example/opened/12-3." + "aB-_5" * 8 + "xyz.gif"


def written(html: str) -> bytes:
    alice = Address(name="Alice", address="alice@ours.example")
    return compose(
        Draft(from_=alice, to=(alice,), subject="Hello", text="Hi", html=html, message_id="1@ours.example",
              date=datetime(2026, 11, 25, tzinfo=UTC))
    )  # fmt: skip


@pytest.mark.parametrize("text", ["<p>Short</p>", "<p>zażółć gęślą</p>" * 50, "<p>日本語</p>" * 99, "x" * 2_000])
def test_the_copy_that_is_filed_has_everything_but_the_picture(text):
    bare = pixels.without_pixel(written(text + pixels.tag_for(URL)))
    message = email.message_from_bytes(bare, policy=email.policy.default)
    assert message.get_body(("html",)).get_content().strip() == text
    assert message.get_body(("plain",)).get_content().strip() == "Hi" and message["Message-ID"] == "<1@ours.example>"


def test_a_mail_without_the_picture_stays_as_it_is():
    raw = written('<p>Look: <img src="https://shop.example/opened/1.gif"></p>')
    assert pixels.without_pixel(raw) is raw and pixels.without_pixel(b"Subject: x\r\n\r\ny") == b"Subject: x\r\n\r\ny"


@pytest.mark.parametrize(
    "html",
    [
        pixels.tag_for(URL),
        f"<IMG WIDTH=1 SRC='{URL}'>",
        f"<img alt='' src={URL.replace('crm.ours', 'other')}?x=1>",
        f"<blockquote><p>You wrote:</p><img src=' {URL.replace('https', 'HTTP')}#f '></blockquote>",
    ],
)
def test_shown_mail_has_no_such_picture_wherever_it_comes_from(html):
    shown = clean_html(html + '<img src="https://shop.example/hat.png">')
    assert "opened/" not in shown and 'data-remote-src="https://shop.example/hat.png"' in shown


def test_other_pictures_are_none_of_ours():
    assert pixels.is_pixel(URL) and not pixels.is_pixel("https://news.example/opened/12-3.gif")
    assert not pixels.is_pixel(URL + "x") and not pixels.is_pixel("https://news.example/opened/promo-2026.gif")
