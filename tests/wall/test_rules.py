"""What a search query means, what a hit shows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.fold import fold_text
from mailwall.wall import rules
from mailwall.wall.rules import SearchQuery, Term, parse_query


def marked(text: str, query: str) -> str:
    pieces = rules.mark_hits(text, parse_query(query).terms)
    return "".join(f"[{piece.text}]" if piece.hit else piece.text for piece in pieces)


def test_words_are_whole_except_the_last_which_is_a_beginning():
    assert parse_query("Green ŻÓŁ").terms == (Term(words=("green",)), Term(words=("zol",), prefix=True))


def test_a_phrase_is_whole():
    assert parse_query('"green horse"').terms == (Term(words=("green", "horse")),)


def test_a_word_before_a_phrase_is_whole():
    assert parse_query('gree "horse"').terms == (Term(words=("gree",)), Term(words=("horse",)))


def test_the_last_word_is_a_beginning_even_before_an_operator():
    assert parse_query("pelican in:sent") == SearchQuery(
        terms=(Term(words=("pelican",), prefix=True),), direction="sent"
    )


def test_letters_and_signs_typed_together_stand_together():
    assert parse_query("2026/114").terms == (Term(words=("2026", "114"), prefix=True),)


def test_operators():
    query = parse_query("from:jan@kwiat.example to:Ewa has:attachment after:2026-01-02 before:2026-02-03")
    assert query == SearchQuery(
        senders=(Term(words=("jan", "kwiat", "example")),),
        receivers=(Term(words=("ewa",), prefix=True),),
        has_attachment=True,
        since=date(2026, 1, 2),
        before=date(2026, 2, 3),
    )


def test_an_operator_takes_a_quoted_value():
    assert parse_query('from:"Jan Nowak"').senders == (Term(words=("jan", "nowak")),)


@pytest.mark.parametrize("text", ["in:nowhere", "before:yesterday", "after:9999-99-99", "has:teeth"])
def test_an_operator_with_an_unusable_value_is_searched_for_as_words(text):
    query = parse_query(text)
    assert query.terms[0].words[0] == text.partition(":")[0]
    assert query.since is None and query.before is None and not query.direction


@pytest.mark.parametrize(
    "text", ["", " ", '"', '""', "*", "--", "(", "\x00", "😀", "from:", "from:()", ":*", '"' * 999]
)
def test_what_holds_no_word_asks_for_nothing(text):
    query = parse_query(text)
    assert query.is_empty or query.terms == (Term(words=("from",), prefix=True),)


def test_ten_thousand_words_are_cut():
    assert len(parse_query("a " * 5_000).terms) == rules.MAX_TERMS


@given(st.text(max_size=300))
def test_any_text_is_a_query(text):
    query = parse_query(text)
    assert all(word == fold_text(word) and word.isalnum() for term in query.terms for word in term.words)
    rules.mark_hits(text, query.terms)
    rules.cut_snippet(text, query.terms)


@given(st.text(max_size=200), st.text(max_size=20))
def test_marking_changes_no_letter(text, query):
    assert "".join(piece.text for piece in rules.mark_hits(text, parse_query(query).terms)) == text


def test_hits_are_marked_whatever_their_case_and_accents():
    assert marked("Piękny ŻÓŁW szedł, żółwie też", "piekny zolw") == "[Piękny] [ŻÓŁW] szedł, [żółwie] też"


def test_a_letter_that_folds_into_two_keeps_marks_in_place():
    assert marked("Größe und Übergröße", "ubergro") == "Größe und [Übergröße]"
    assert marked("ßßß Müller", "muller") == "ßßß [Müller]"


def test_a_snippet_goes_round_a_hit_at_the_very_end():
    snippet = rules.cut_snippet("filler word " * 3_000 + "Nadel am Ende", parse_query("nadel").terms)
    assert snippet.startswith("… ") and "Nadel am Ende" in snippet and len(snippet) < 300


def test_a_snippet_finds_its_place_behind_letters_that_fold_into_two():
    snippet = rules.cut_snippet("ß" * 2_000 + " tail needle", parse_query("needle").terms)
    assert "needle" in snippet


def test_a_snippet_without_a_hit_is_the_beginning():
    assert rules.cut_snippet("one\n two", parse_query("zebra").terms) == "one two"


def test_days_begin_in_the_zone_of_the_viewer():
    warsaw = ZoneInfo("Europe/Warsaw")
    assert rules.read_moment("2026-01-02", warsaw) == datetime(2026, 1, 1, 23, tzinfo=UTC)
    assert rules.read_moment("2026-01-02", warsaw, end_of_day=True) == datetime(2026, 1, 2, 23, tzinfo=UTC)
    assert rules.read_moment("2026-01-02T10:00:00Z", warsaw) == datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert rules.read_moment("2026-01-02T10:00", warsaw) == datetime(2026, 1, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_what_is_no_moment_is_none(text):
    assert rules.read_moment(text, UTC) is None


def test_a_text_is_cut_between_characters():
    assert rules.cut_text("żż", 3) == ("ż", True)
    assert rules.cut_text("abc", 3) == ("abc", False)


def test_a_frame_is_tall_enough_for_its_text_but_no_screen():
    assert rules.frame_height("") == rules.MIN_FRAME_PIXELS
    assert rules.frame_height("line\n" * 10) > rules.frame_height("line")
    assert rules.frame_height("line\n" * 10_000) == rules.MAX_FRAME_PIXELS


@pytest.mark.parametrize(
    ("filename", "content_type", "kind"),
    [
        ("offer.pdf", "application/octet-stream", "PDF"),
        ("report.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "DOCX"),
        ("attachment", "image/png", "image/png"),
        ("v1.final version", "text/plain", "text/plain"),
        ("dot.", "text/plain", "text/plain"),
    ],
)
def test_a_file_is_told_by_the_ending_that_opens_it(filename, content_type, kind):
    assert rules.file_kind(filename, content_type) == kind
