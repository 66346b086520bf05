"""Drafts as bytes, read again by the parser of Python's library and by our own."""

from __future__ import annotations

import email
import email.policy
import random
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.compose import HeaderInvalid, bcc_line, compose, with_files
from mailwall.mime.fields import breaks_out
from mailwall.mime.parse import parse_whole
from mailwall.mime.types import Address, Draft, DraftFile

ALICE = Address(name="Alice Śliwa", address="alice@ours.example")
EWA = Address(name="Kwiat, Ewa", address="ewa@kwiat.example")
NOW = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
DRAFT = Draft(from_=ALICE, to=(EWA,), subject="Offer", text="Hello", message_id="m1@ours.example", date=NOW)
NUMBERS = random.Random(1).randbytes(100_000)


def read(raw: bytes) -> Any:
    """By an independent parser, that must find nothing odd in it."""
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not any(part.defects for part in message.walk())
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return message


def text_of(message: Any, kind: str = "plain") -> str:
    return str(message.get_body((kind,)).get_content()).replace("\r\n", "\n")


def test_every_field_arrives_as_it_was_meant():
    zoe = Address(name='Żółta "Zoë" Nowak', address="zoe@nowak.example")
    message = read(compose(replace(DRAFT, to=(EWA, zoe), cc=(ALICE,), subject="Oferta – Grüße 東京 " * 9 + "end")))
    assert [(a.display_name, a.addr_spec) for a in message["To"].addresses] == [
        (EWA.name, EWA.address),
        (zoe.name, zoe.address),
    ]
    assert message["From"].addresses[0].display_name == ALICE.name
    assert message["Cc"].addresses[0].addr_spec == ALICE.address
    assert message["Subject"] == "Oferta – Grüße 東京 " * 9 + "end"
    assert message["Message-ID"] == "<m1@ours.example>"
    assert message["Date"].datetime == NOW


def test_reply_names_what_it_answers():
    message = read(compose(replace(DRAFT, in_reply_to="b@x.example", references=("a@x.example", "b@x.example"))))
    assert (message["In-Reply-To"], message["References"]) == ("<b@x.example>", "<a@x.example> <b@x.example>")


def test_long_chain_of_references_keeps_its_root_and_its_end():
    message = read(compose(replace(DRAFT, references=tuple(f"{n}{'x' * 60}@x.example" for n in range(100)))))
    ids = message["References"].split()
    assert (len(ids), ids[0][:4], ids[-1][:4]) == (40, "<0xx", "<99x")


@pytest.mark.parametrize(
    "text",
    ["plain", ".\n..\n.leading\n", "x" * 5_000, "From here\nFrom there", "trailing \n\ttabs\t\n", "Zażółć\n東京\n" * 50,
     "東京都" * 900, "a\rb\r\nc\n", "=?utf-8?q?no_word?=", ""],
)  # fmt: skip
def test_text_survives_the_way(text):
    message = read(compose(replace(DRAFT, text=text)))
    assert text_of(message).rstrip("\n") == text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")


def test_html_stands_beside_its_text_with_the_images_that_it_shows():
    image = DraftFile(filename="logo.png", content_type="image/png", raw_content=NUMBERS, content_id="i1@ours.example")
    message = read(compose(replace(DRAFT, html="<p>Zażółć <img src='cid:i1@ours.example'></p>", files=(image,))))
    kinds = ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    assert [part.get_content_type() for part in message.walk()] == kinds
    assert "Zażółć" in text_of(message, "html")
    [inline] = [part for part in message.walk() if part["Content-ID"]]
    assert (inline["Content-ID"], inline.get_content()) == ("<i1@ours.example>", NUMBERS)


@pytest.mark.parametrize(
    "filename",
    ["offer.pdf", "Oferta żółć.pdf", 'a "quoted" \\ name.pdf', "semi;colon=equals.pdf", "=?utf-8?q?word?=.pdf",
     "ż" * 120 + ".pdf", "two  spaces.pdf"],
)  # fmt: skip
def test_file_keeps_its_name_and_every_byte(filename):
    file = DraftFile(filename=filename, content_type="application/pdf", raw_content=NUMBERS)
    [found] = read(compose(replace(DRAFT, files=(file,)))).iter_attachments()
    assert (found.get_filename(), found.get_content_type()) == (filename, "application/pdf")
    assert found.get_payload(decode=True) == NUMBERS


def test_more_files_are_put_behind_what_is_there():
    file = DraftFile(filename="a.pdf", content_type="application/pdf", raw_content=NUMBERS)
    for before in (DRAFT, replace(DRAFT, html="<p>x</p>"), replace(DRAFT, files=(file,))):
        raw = compose(before)
        message = read(with_files(raw, [replace(file, filename="b.pdf")]))
        assert text_of(message).strip() == "Hello"
        names = [part.get_filename() for part in message.walk() if part.get_filename()]
        assert names == ["a.pdf", "b.pdf"][-len(before.files) - 1 :]
        assert with_files(raw, []) == raw


def test_inline_files_added_later_stand_beside_the_text_that_shows_them():
    pdf = DraftFile(filename="a.pdf", content_type="application/pdf", raw_content=NUMBERS)
    logo = DraftFile(filename="logo.png", content_type="image/png", raw_content=NUMBERS, content_id="logo@x.example")
    for before in (replace(DRAFT, html="<p>x</p>"), replace(DRAFT, html="<p>x</p>", files=(pdf,))):
        message = read(with_files(compose(before), [logo, replace(pdf, filename="b.pdf")]))
        related = next(part for part in message.walk() if part.get_content_type() == "multipart/related")
        root, image = related.iter_parts()
        assert related.get_param("type") == root.get_content_type()
        assert (image["Content-ID"], image.get_content_disposition()) == ("<logo@x.example>", "inline")
        assert text_of(message).strip() == "Hello"
        names = [part.get_filename() for part in message.iter_attachments() if part.get_filename()]
        assert names[-1] == "b.pdf"


def test_attached_mail_is_no_message_part_because_base64_may_not_carry_one():
    file = DraftFile(filename="old.eml", content_type="message/rfc822", raw_content=b"Subject: x\r\n\r\nBody\r\n")
    [found] = read(compose(replace(DRAFT, files=(file,)))).iter_attachments()
    assert (found.get_content_type(), found.get_payload(decode=True)) == ("application/octet-stream", file.raw_content)


def test_hidden_receivers_stand_only_in_the_senders_own_copy():
    raw = compose(DRAFT)
    assert b"bcc" not in raw.lower()
    assert read(bcc_line([EWA]) + raw)["Bcc"].addresses[0].addr_spec == EWA.address


def test_size_of_a_file_is_what_a_server_will_tell():
    file = DraftFile(filename="a.pdf", content_type="application/pdf", raw_content=NUMBERS)
    [attachment] = parse_whole(compose(replace(DRAFT, files=(file,)))).attachments
    lines, quanta = -(-len(NUMBERS) // 57), -(-len(NUMBERS) // 3)
    assert attachment.encoded_size_bytes == 4 * quanta + 2 * lines


EVIL = [
    "a\r\nBcc: evil@x.example", "a\nb", "a\rb", "a\0b", "=?utf-8?q?a=0D=0ABcc:_evil?=", "=?utf-8?q?a=0ab?=",
    "=?utf-8?b?YQ0KQmNjOiBl?=", "=?utf-8?Q?a=00b?=", "=?utf-8?b?AA==?=", "=?utf-7?q?+AA0ACg-?=",
    "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0Ab=3F=3D?=", "x =?iso-8859-2?b?Cg?= y",
]  # fmt: skip


@pytest.mark.parametrize("evil", EVIL)
def test_value_that_would_end_its_field_is_refused(evil):
    assert breaks_out(evil)
    file = DraftFile(filename="a.txt", content_type="text/plain", raw_content=b"")
    for draft in (
        replace(DRAFT, subject=evil),
        replace(DRAFT, to=(Address(name=evil, address="a@x.example"),)),
        replace(DRAFT, files=(replace(file, filename=evil),)),
        replace(DRAFT, files=(replace(file, content_type=evil),)),
        replace(DRAFT, headers=(("List-Unsubscribe", evil),)),
    ):
        with pytest.raises(HeaderInvalid):
            compose(draft)


@pytest.mark.parametrize("name", ["Bcc", "bcc", "Content-Type", "From", "Subject", "X Y", "X:", "", "Received"])
def test_header_of_our_own_cannot_be_set(name):
    with pytest.raises(HeaderInvalid):
        compose(replace(DRAFT, headers=((name, "x"),)))


@given(st.text(max_size=300), st.text(max_size=80))
def test_any_subject_and_name_arrive_or_are_refused(subject, name):
    person = Address(name=name, address="a@x.example")
    try:
        raw = compose(replace(DRAFT, subject=subject, to=(person,)))
    except (HeaderInvalid, UnicodeEncodeError):
        assert breaks_out(subject) or breaks_out(name) or any("\ud800" <= c <= "\udfff" for c in subject + name)
        return
    parsed = parse_whole(raw)
    assert parsed.text == "Hello\n" or parsed.text == "Hello"
    assert [found.address for found in parsed.to] == ["a@x.example"]
    assert parsed.message_id == DRAFT.message_id
    visible = subject.strip()
    if visible.isprintable() and "=?" not in visible:
        assert parsed.subject == visible
