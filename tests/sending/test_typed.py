"""What writers type: receivers, moments, words about an attachment. No database."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.types import Address
from mailwall.sending import typed

WARSAW = ZoneInfo("Europe/Warsaw")


def addresses(text: str) -> list[str | None]:
    return [one.address.address if one.address else None for one in typed.read_receivers(text)]


def test_lists_are_read_however_they_are_separated():
    assert addresses("a@x.example, B <b@x.example>; c@x.example\nd@x.example") == [
        "a@x.example", "b@x.example", "c@x.example", "d@x.example",
    ]  # fmt: skip


def test_what_is_no_address_is_kept_and_told():
    read = typed.read_receivers("jan@@nowak, Ewa <ewa@kwiat.example>")
    assert [(one.text, one.address is None) for one in read] == [
        ("jan@@nowak", True),
        ("Ewa <ewa@kwiat.example>", False),
    ]


def test_outlook_writes_the_last_name_first():
    [only] = typed.read_receivers("Nowak, Jan <jan@nowak.example>;")
    assert only.address == Address(name="Nowak, Jan", address="jan@nowak.example")


def test_a_forgotten_separator_of_commas_hides_nobody():
    assert addresses("jan, Ewa <ewa@kwiat.example>") == [None, "ewa@kwiat.example"]


@given(st.text(max_size=30), st.sampled_from(["ewa@kwiat.example", "jan+x@nowak.example"]))
def test_what_is_written_is_read_again(name, address):
    person = Address(name=" ".join(name.replace("\x00", "").split()), address=address)
    [read] = typed.read_receivers(typed.write_receiver(person)) or [None]
    assert read is not None and read.address is not None and read.address.address == address


@given(st.text(max_size=200))
def test_any_text_can_be_read(text):
    assert all("\n" not in one.text and "\r" not in one.text for one in typed.read_receivers(text))


@pytest.mark.parametrize("text", ["see attached", "I attach the plan", "Oferta w załączniku", "Załączam plan"])
def test_words_about_an_attachment_are_found_in_both_languages(text):
    assert typed.mentions_attachment(text)


@pytest.mark.parametrize("text", ["> see attached", "an attache case", "a reattachedx word"])
def test_quoted_and_other_words_do_not_count(text):
    assert not typed.mentions_attachment(text)


def test_the_next_mornings_are_eight_in_the_writers_zone():
    monday = datetime(2026, 11, 23, 15, 30, tzinfo=WARSAW)
    assert typed.tomorrow_morning(monday) == datetime(2026, 11, 24, 8, 0, tzinfo=WARSAW)
    assert typed.monday_morning(monday) == datetime(2026, 11, 30, 8, 0, tzinfo=WARSAW)
