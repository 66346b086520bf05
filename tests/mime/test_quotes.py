"""Quoted text folds away for the mail programs we know, and nothing new is ever hidden."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.html import clean_html
from mailwall.mime.html_text import html_to_text
from mailwall.mime.quotes import split_quoted

OPENED = '<details class="quoted"><summary>…</summary>'


@pytest.mark.parametrize(
    "opening",
    [
        "On Tue, 10 Nov 2026 at 09:30, Ewa Kwiat <ewa@kwiat.example> wrote:",
        "On Tue, 10 Nov 2026 at 09:30, Ewa Kwiat\n<ewa@kwiat.example> wrote:",
        "W dniu 10.11.2026 o 09:30, Ewa Kwiat pisze:",
        "W dniu wt., 10 lis 2026 o 09:30 Ewa Kwiat <ewa@kwiat.example>\nnapisał(a):",
        "wt., 10 lis 2026 o 09:30 Ewa Kwiat <ewa@kwiat.example> napisał(a):",
        "Dnia 10 listopada 2026 09:30 Ewa Kwiat <ewa@kwiat.example> napisał(a):",
        "Ewa Kwiat napisała:",
        "Am 10.11.2026 um 09:30 schrieb Ewa Kwiat:",
        "Le 10/11/2026 à 09:30, Ewa Kwiat a écrit :",
        "El mar, 10 nov 2026 a las 9:30, Ewa Kwiat (<ewa@kwiat.example>) escribió:",
        "Il giorno mar 10 nov 2026 alle ore 09:30 Ewa Kwiat ha scritto:",
        "Op di 10 nov. 2026 om 09:30 schreef Ewa Kwiat <ewa@kwiat.example>:",
        "вт, 10 нояб. 2026 г. в 09:30, Ewa Kwiat <ewa@kwiat.example>:",
        "10.11.2026 09:30, Ewa Kwiat пишет:",
        "",
    ],
)
def test_marked_lines_at_the_end_are_split_off_with_their_opening(opening: str) -> None:
    quoted = f"{opening}\n> old line\n>> older\n>\n> end\n"
    visible, hidden = split_quoted("Thanks!\n\nBest\nJan\n\n" + quoted)
    assert visible + hidden == "Thanks!\n\nBest\nJan\n\n" + quoted
    if "вт" not in opening:
        assert hidden.strip() == quoted.strip()
    assert "Thanks" in visible and "old line" in hidden


@pytest.mark.parametrize(
    "block",
    [
        "-----Original Message-----\nFrom: Ewa\nSent: Tuesday\nTo: Jan\nSubject: Offer\n\nold\n",
        "From: Ewa Kwiat <ewa@kwiat.example>\nSent: Tuesday, 10 November 2026 09:30\nTo: Jan\nSubject: Offer\n\nold\n",
        "From: Ewa\nDate: Tuesday\nTo: Jan\nSubject: Offer\n\nold\n",
        "*From:* Ewa <ewa@kwiat.example>\n*Sent:* Tuesday\n*To:* Jan\n*Subject:* Offer\n\nold\n",
        "Od: Ewa Kwiat <ewa@kwiat.example>\nWysłano: wtorek, 10 listopada 2026 09:30\nDo: Jan\nTemat: Oferta\n\nold\n",
        "Von: Ewa\nGesendet: Dienstag\nAn: Jan\nBetreff: Angebot\n\nold\n",
        "De : Ewa\nEnvoyé : mardi\nÀ : Jan\nObjet : Offre\n\nold\n",
        "--- Oryginalna wiadomość ---\nold\n",
    ],
)
def test_header_blocks_begin_the_quoted_end(block: str) -> None:
    assert split_quoted("Thanks!\n\n" + block) == ("Thanks!\n\n", block)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Just text\nOn Monday he wrote:\nnothing quoted\n",
        "> question one\nanswer one\n> question two\nanswer two\n",
        "Hi\n> quoted\nmy answer below\n",
        "> only a quote\n",
        "FYI\n\n---------- Forwarded message ---------\nFrom: Ewa\nDate: Tuesday\nSubject: Offer\nTo: Jan\n\nthe news\n",
        "FYI\n\nBegin forwarded message:\n\n> From: Ewa\n> the news\n",
        "From: here to there\nit is far\n",
        "a > b\n",
    ],
)
def test_in_doubt_nothing_is_hidden(text: str) -> None:
    assert split_quoted(text) == (text, "")


@given(st.text(alphabet="> aOn wrote:\n-", max_size=80) | st.text())
def test_nothing_is_lost_between_visible_and_quoted(text: str) -> None:
    visible, quoted = split_quoted(text)
    assert visible + quoted == text
    assert not quoted or visible.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "On a wrote:\n",
        "> x\n",
        "From: a\nSent: b\n",
        "On ",
        "W dniu ",
        "-",
        " ",
        "\n",
        "De: x\n",
        "On\n",
        "a napisał",
        "*",
    ],
)
def test_hostile_text_is_split_in_time(piece: str) -> None:
    begun = time.process_time()
    split_quoted("x\n" + piece * 60_000)
    assert time.process_time() - begun < 3


GMAIL = (
    '<div dir="ltr">Thanks!</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Tue, 10 Nov 2026 '
    'at 09:30, Ewa &lt;<a href="mailto:ewa@kwiat.example">ewa@kwiat.example</a>&gt; wrote:<br></div><blockquote class="gmail_quote" '
    'style="margin:0 0 0 .8ex;border-left:1px solid"><div>old words</div></blockquote></div>'
)
OUTLOOK = (
    '<div>Thanks!</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><font>'
    "<b>From:</b> Ewa &lt;ewa@kwiat.example&gt;<br><b>Sent:</b> Tuesday<br><b>To:</b> Jan<br><b>Subject:</b> Offer</font></div><div>old words</div>"
)
WORD = (
    '<div class="WordSection1"><p class="MsoNormal">Thanks!</p><div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    '<p class="MsoNormal"><b>Od:</b> Ewa<br><b>Wysłano:</b> wtorek<br><b>Do:</b> Jan<br><b>Temat:</b> Oferta</p></div></div><p>old words</p></div>'
)
APPLE = '<div>Thanks!</div><div><br><blockquote type="cite"><div>On 10 Nov 2026, at 09:30, Ewa wrote:</div><br><div>old words</div></blockquote></div>'
THUNDERBIRD = (
    '<p>Thanks!</p><div class="moz-cite-prefix">W dniu 10.11.2026 o 09:30, Ewa Kwiat pisze:<br></div>'
    '<blockquote type="cite" cite="mid:1@x.example"><p>old words</p></blockquote>'
)
BARE_POLISH = (
    "<div>Thanks!</div><div>W dniu 10.11.2026 o 09:30, Ewa Kwiat napisał(a):</div><blockquote>old words</blockquote>"
)
YAHOO = '<div>Thanks!</div><div class="yahoo_quoted"><div>On Tuesday, Ewa wrote:</div><div>old words</div></div>'


@pytest.mark.parametrize("source", [GMAIL, OUTLOOK, WORD, APPLE, THUNDERBIRD, BARE_POLISH, YAHOO])
def test_quoted_html_folds_and_keeps_its_words(source: str) -> None:
    folded = clean_html(source, fold_quotes=True)
    outside, opened, inside = folded.partition(OPENED)
    assert opened and "Thanks!" in outside and "old words" in inside.partition("</details>")[0]
    assert "old words" not in outside
    assert html_to_text(folded.replace("…", "")).split() == html_to_text(clean_html(source)).split()


def test_answers_above_and_below_stay_visible() -> None:
    source = "<div>Above</div><blockquote type=cite>old</blockquote><div>Below</div>"
    folded = clean_html(source, fold_quotes=True)
    assert folded == f"<div>Above</div>{OPENED}<blockquote>old</blockquote></details><div>Below</div>"


def test_answers_between_gmail_quotes_stay_visible() -> None:
    source = (
        '<div class="gmail_quote"><div class="gmail_attr">On Tuesday Ewa wrote:</div><blockquote class="gmail_quote">one</blockquote></div>'
        '<div>My answer</div><div class="gmail_quote"><blockquote class="gmail_quote">two</blockquote><div>Another answer</div></div>'
    )
    folded = clean_html(source, fold_quotes=True)
    for part in folded.split("<details")[1:]:
        assert "answer" not in part.partition("</details>")[0]


@pytest.mark.parametrize(
    "source",
    [
        "<div>FYI</div><div class=gmail_quote><div class=gmail_attr>---------- Forwarded message ---------<br>From: Ewa</div>the news</div>",
        "<div>FYI</div><div>Begin forwarded message:</div><br><blockquote type=cite><div>From: Ewa</div>the news</blockquote>",
        "<blockquote type=cite>the news</blockquote>",
        "<p>As Mickiewicz says:</p><blockquote>Litwo! Ojczyzno moja!</blockquote>",
        '<p>Set in:</p><blockquote style="margin:0 0 0 40px;border:none;padding:0">indented</blockquote>',
        "<p>News</p><div style='border:none;border-top:solid #ccc 1pt'>A ruled paragraph</div><p>More</p>",
        "<div><div><p>News</p><div id=divRplyFwdMsg>From: x<br>Sent: y</div></div></div><p>More news</p>",
        "<div id=divRplyFwdMsg>no header block</div><p>More news</p>",
        "<p>plain</p>",
        "",
    ],
)
def test_in_doubt_no_html_is_folded(source: str) -> None:
    assert "<details" not in clean_html(source, fold_quotes=True)


def test_a_forward_hides_nothing() -> None:
    assert "<details" not in clean_html(OUTLOOK, fold_quotes=True, forwarded=True)


def test_senders_cannot_make_our_marker() -> None:
    forged = '<p>x</p><details class="quoted"><summary>…</summary>hidden news</details><quoted-0123>y</quoted-0123>'
    assert "<details" not in clean_html(forged, fold_quotes=True)
    assert "hidden news" in clean_html(forged, fold_quotes=True)
