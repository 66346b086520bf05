"""Keys, dates, identity, snippets: pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mailstore import rules
from tests.mailstore.makers import NOW, attachment

moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments, moments, st.integers(0, 2**30), st.integers(0, 2**30))
def test_a_later_mail_has_a_larger_key_that_javascript_keeps_exact(one, other, salt, other_salt):
    earlier, later = sorted((one, other))
    key, later_key = rules.message_key(earlier, salt), rules.message_key(later, other_salt)
    assert 0 <= key < 2**53 and 0 <= later_key < 2**53
    if 0 < later.timestamp() - 1 < 2**33 - 2 and later - earlier >= timedelta(seconds=1):
        assert key < later_key


def test_a_bound_lies_below_every_key_of_its_second():
    assert rules.key_before(NOW) <= rules.message_key(NOW, 0) < rules.message_key(NOW, 2**20 - 1)
    assert rules.message_key(NOW, 2**20 - 1) < rules.key_before(NOW + timedelta(seconds=1))


@pytest.mark.parametrize(
    ("parsed", "wanted"),
    [
        (None, NOW),
        (datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC)),
        (NOW + timedelta(hours=23), NOW + timedelta(hours=23)),
        (NOW + timedelta(hours=25), NOW),
        (datetime(2099, 1, 1, tzinfo=UTC), NOW),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), NOW),
        (datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))), NOW),
        (datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2))), datetime(2026, 11, 1, 10, tzinfo=UTC)),
    ],
)
def test_the_date_is_the_header_s_unless_it_cannot_be(parsed, wanted):
    date = rules.choose_date(parsed, NOW, NOW)
    assert (date, date.utcoffset()) == (wanted, timedelta(0))


def test_content_differs_by_text_and_by_attachments_but_not_by_white_space():
    plain = rules.content_key("d", "a b", ())
    assert plain == rules.content_key("d", "a\r\n  b\n", ())
    assert plain == rules.content_key("d", "a" + " \n" * 1_000_000 + "b", ())
    others = {
        plain,
        rules.content_key("e", "a b", ()),
        rules.content_key("d", "a c", ()),
        rules.content_key("d", "a b", (attachment(),)),
        rules.content_key("d", "a b", (attachment(size_bytes=2_000),)),
        rules.content_key("d", "a b", (attachment("other.pdf"),)),
        rules.content_key("d", "a b", (attachment(), attachment())),
    }
    assert len(others) == 7


def test_the_snippet_is_what_the_sender_wrote_in_one_line():
    assert rules.snippet("Thanks,\r\n  it is right.\n\n> old words\n") == "Thanks, it is right."
    assert rules.snippet("> only\n> quoted") == "> only > quoted"
    assert rules.snippet("") == ""


@given(st.text())
def test_the_snippet_is_short_and_has_no_line_ends(text):
    assert len(rules.snippet(text * 9)) <= rules.SNIPPET_LENGTH
    assert "\n" not in rules.snippet(text)


@given(st.text(), st.integers(0, 50))
def test_a_text_is_cut_between_characters(text, limit):
    cut = rules.cut_bytes(text, limit)
    assert text.startswith(cut) and len(cut.encode()) <= limit
    assert cut == text or len(text[: len(cut) + 1].encode()) > limit


def test_the_ids_of_a_thread_begin_with_its_root_and_end_with_the_own():
    assert rules.thread_ids("own", "b", ("a", "b", "")) == ("a", "b", "own")
    assert rules.thread_ids("own", "", ()) == ("own",)
    assert rules.thread_ids("", "", ()) == ()
    many = rules.thread_ids("own", "", tuple(str(number) for number in range(1000)))
    assert (len(many), many[0], many[-2:]) == (rules.MAX_REFERENCES + 1, "0", ("999", "own"))


@given(st.text(alphabet=st.characters() | st.sampled_from("ab ż\t\n\x1c\x85\xa0\u2003\u3000")))
def test_no_white_space_counts_for_the_identity_of_a_mail(text):
    assert rules.content_key("k", text, ()) == rules.content_key("k", "".join(text.split()), ())
    assert rules.content_key("k", text + "\xa0x", ()) != rules.content_key("k", text, ())
