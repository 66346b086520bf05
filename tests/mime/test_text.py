"""One text part: format=flowed, line ends, charsets told in the HTML itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.text import decode_part, unflow
from mailwall.mime.types import BodyPart


@pytest.mark.parametrize(
    ("flowed", "text"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        ("> one \n> two\n>> deep \n>> er\nmine", "> one two\n>> deep er\nmine"),
        ("> one \nmine", "> one \nmine"),
        (" >not a quote\n From me", ">not a quote\nFrom me"),
        ("text \n-- \nEwa", "text \n-- \nEwa"),
        ("", ""),
    ],
)
def test_flowed_paragraphs_are_rejoined(flowed: str, text: str) -> None:
    assert unflow(flowed) == text


def test_delsp_drops_the_space_of_the_line_break() -> None:
    assert unflow("日本 \n語", delsp=True) == "日本語"


def test_line_ends_become_newlines() -> None:
    assert decode_part(BodyPart(section="1", content_type="text/plain"), b"a\r\nb\rc\nd").text == "a\nb\nc\nd"


def test_a_charset_in_meta_counts_where_the_header_names_none() -> None:
    raw = '<meta charset="iso-8859-2">Łódź'.encode("iso8859-2")
    assert "Łódź" in decode_part(BodyPart(section="1", content_type="text/html"), raw).text
    assert "Łódź" not in decode_part(BodyPart(section="1", content_type="text/html", charset="iso-8859-1"), raw).text


@given(st.text(alphabet="> a\n-", max_size=60))
def test_flowing_loses_no_word(text: str) -> None:
    assert unflow(text).count("a") == text.count("a")
