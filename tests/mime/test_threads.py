"""Thread roots and keys, keys of copies, and subjects without their marks."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.threads import dedupe_key, is_forward, normalize_subject, thread_key, thread_root
from mailwall.mime.types import Address, ParsedMessage

MAIL = ParsedMessage(
    message_id="1@kwiat.example",
    subject="Offer",
    date=datetime(2026, 11, 10, tzinfo=UTC),
    from_=(Address(address="ewa@kwiat.example"),),
    text="Hello",
)


def test_the_root_is_the_first_reference_else_the_answered_else_the_message_itself() -> None:
    assert thread_root("c", "b", ("a", "b")) == "a"
    assert thread_root("c", "b", ()) == "b"
    assert thread_root("c", "", ()) == "c"
    assert thread_root("", "", ()) == ""


def test_thread_keys_are_short_hex_and_stable() -> None:
    assert thread_key("1@kwiat.example") == thread_key("1@kwiat.example") != thread_key("2@kwiat.example")
    assert len(thread_key("x")) == 32 and int(thread_key("x"), 16) >= 0


def test_copies_share_their_key_whatever_the_folder_added() -> None:
    copy = dataclasses.replace(MAIL, text="Hello\n-- \nlist footer", message_id="1@KWIAT.example", defects=("odd",))
    assert dedupe_key(copy) == dedupe_key(MAIL)


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": "2@kwiat.example"},
        {"subject": "Other"},
        {"date": datetime(2026, 11, 11, tzinfo=UTC)},
        {"date": None},
        {"from_": (Address(address="jan@nowak.example"),)},
    ],
)
def test_another_mail_with_the_same_id_has_another_key(changed: dict[str, object]) -> None:
    assert dedupe_key(dataclasses.replace(MAIL, **changed)) != dedupe_key(MAIL)  # type: ignore[arg-type]


def test_without_an_id_headers_and_text_decide() -> None:
    bare = dataclasses.replace(MAIL, message_id="")
    assert dedupe_key(bare) == dedupe_key(dataclasses.replace(bare, text="Hello\r\n"))
    assert dedupe_key(bare) != dedupe_key(dataclasses.replace(bare, text="Bye"))
    assert dedupe_key(bare) != dedupe_key(dataclasses.replace(bare, to=(Address(address="x@nowak.example"),)))


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Re: Offer", "Offer"),
        ("RE: Fwd: re[2]: Offer", "Offer"),
        ("Odp: PD: Oferta", "Oferta"),
        ("AW: WG: Angebot", "Angebot"),
        ("SV: VS: Tilbud", "Tilbud"),
        ("RES: ENC: Oferta", "Oferta"),
        ("R: I: Offerta", "Offerta"),
        ("回复：报价", "报价"),
        ("Re (3): Offer", "Offer"),
        ("[roses] Re: Offer", "Offer"),
        ("Offer (fwd)", "Offer"),
        ("Re:   two   words ", "two words"),
        ("Reason: none", "Reason: none"),
        ("Re:", ""),
        ("", ""),
    ],
)
def test_subjects_lose_their_marks(subject: str, base: str) -> None:
    assert normalize_subject(subject) == base


@pytest.mark.parametrize(
    "subject", ["Fwd: Offer", "FW: Offer", "PD: Oferta", "WG: Angebot", "TR: Offre", "Re: Fwd: Offer"]
)
def test_forwards_are_told_by_their_subject(subject: str) -> None:
    assert is_forward(subject) is (not subject.startswith("Re"))


@given(st.text(max_size=60))
def test_normalizing_subjects_is_idempotent(subject: str) -> None:
    assert normalize_subject(normalize_subject(subject)) == normalize_subject(subject)
