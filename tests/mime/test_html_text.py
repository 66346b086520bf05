"""Readable text of HTML mail: blocks, lists and cells apart; nothing that is no text; linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.html_text import html_to_text, is_excessive


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("One<br>Two<br/><br>Three", "One\nTwo\n\nThree"),
        ("<div>One</div><div><br></div><div>Two</div>", "One\n\nTwo"),
        ("a <b>b</b> c<i>d</i>", "a b cd"),
        ("<b>a</b> <i>b</i>", "a b"),
        ("  a\n  b  ", "a b"),
        ("<ul><li>one<li>two</ul>after", "- one\n- two\n\nafter"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a\tb\nc"),
        ("a<hr>b", "a\n---\nb"),
        ("<pre>one\n  two</pre>", "one\n  two"),
        ("<title>T</title><style>x{}</style><script>y</script>z", "z"),
        ("<SCRIPT>a</SCRIPT >b", "b"),
        ("a<!-- <p>hidden</p> -->b<!doctype html>c", "abc"),
        ("<!-->a", "a"),
        ("<![if !mso]>a<![endif]>", "a"),
        ("&lt;b&gt; &amp;amp; &euro;&nbsp;5 &#321;", "<b> &amp; € 5 Ł"),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<img alt='Logo'> <img src=x>text", "Logo text"),
        ('<a href="https://x.example/?a>b">link</a>', "link"),
        ('<a title="x > y" href=z>link</a>', "link"),
        ("<p title=it's>text</p>", "text"),
        ("<title>never closed <p>still text", "never closed\n\nstill text"),
        ("<o:p>word</o:p>", "word"),
        ("&#xD800;&#0;a", "\ufffd\ufffda"),
        ("", ""),
    ],
)
def test_html_becomes_readable(source: str, text: str) -> None:
    assert html_to_text(source) == text


@given(st.text(alphabet="<>/\"'=abp -!&;#\x00\ud800", max_size=80) | st.text())
def test_any_html_gives_clean_text(source: str) -> None:
    text = html_to_text(source)
    assert "\x00" not in text
    text.encode("utf-8")


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=5), max_size=8))
def test_no_word_between_tags_is_lost(words: list[str]) -> None:
    source = "".join(f"<div><p>{word}</p>" for word in words)
    assert html_to_text(source).split() == words


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a ",
        "<a b='",
        '<a b="',
        "<a b=c\"'",
        "<!--",
        "<!a",
        "<title>",
        "<script>",
        "</",
        "&",
        "&amp",
        "&#",
        "<img alt=",
        "<a/",
        "<p>",
        " ",
        "\n",
        "<br>",
        "<li>",
        "<pre>",
        "<a =",
        "<a b= ",
        "--",
        "<?",
    ],
)
def test_hostile_html_takes_linear_time(piece: str) -> None:
    begun = time.process_time()
    html_to_text(piece * 100_000)
    is_excessive(piece * 100_000, max_depth=10**9, max_attributes=1_000)
    assert time.process_time() - begun < 2


def test_depth_and_attributes_are_judged() -> None:
    assert is_excessive("<div>" * 101, max_depth=100, max_attributes=10)
    assert not is_excessive("<div></div>" * 101 + "<br>" * 200, max_depth=100, max_attributes=10)
    assert is_excessive("<p " + "x " * 12 + ">", max_depth=100, max_attributes=10)
    assert not is_excessive("<p title='" + "x " * 50 + "'>", max_depth=100, max_attributes=10)
