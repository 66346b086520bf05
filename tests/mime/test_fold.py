"""Folding for search: what people take for the same word folds to the same word."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.fold import fold_text, folded_ends, words


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ŁÓDŹ Zażółć gęślą jaźń", "lodz zazolc gesla jazn"),
        ("Straße STRASSE", "strasse strasse"),
        ("Øresund Đorđe Æon Œuvre Þór", "oresund dorde aeon oeuvre thor"),
        ("İstanbul ISPARTA ılık", "istanbul isparta ilik"),
        ("ﬁn ①②", "fin 12"),
        ("ＦＵＬＬ　ｗｉｄｔｈ", "full width"),
        ("e\u0301", "e"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("Ёлка й", "елка и"),
        ("plain ASCII", "plain ascii"),
    ],
)
def test_texts_fold(text: str, folded: str) -> None:
    assert fold_text(text) == folded


@given(st.text())
def test_folding_is_idempotent_and_blind_to_case_and_composition(text: str) -> None:
    folded = fold_text(text)
    assert fold_text(folded) == folded
    assert fold_text(unicodedata.normalize("NFD", text)) == folded
    assert fold_text(unicodedata.normalize("NFC", text)) == folded
    assert fold_text(text.swapcase().swapcase()) == fold_text(text.swapcase().swapcase())


@given(st.text())
def test_words_are_those_of_the_folded_text(text: str) -> None:
    assert words(text) == words(fold_text(text))
    assert all(word and not word.isspace() for word in words(text))


def test_words_are_runs_of_letters_and_digits() -> None:
    assert words("Ewa's e-mail: ewa_k@kwiat.example (nr 7)") == [
        "ewa",
        "s",
        "e",
        "mail",
        "ewa",
        "k",
        "kwiat",
        "example",
        "nr",
        "7",
    ]
    assert words("") == []


def test_ten_megabytes_fold_in_time() -> None:
    begun = time.process_time()
    fold_text("Zażółć gęślą jaźń " * 500_000)
    assert time.process_time() - begun < 3


@given(st.text(alphabet=st.characters() | st.sampled_from("abZ9_- żŁß‘")))
def test_a_text_has_the_words_of_its_folded_form(text):
    assert words(text) == re.findall(r"[^\W_]+", fold_text(text))


@given(st.text())
def test_each_character_ends_where_the_text_up_to_it_folds_to(text):
    assert list(folded_ends(text)) == [len(fold_text(text[:end])) for end in range(1, len(text) + 1)]
