"""The placeholder language: values, fallbacks, what is missing, and no second look at values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mailwall.sending.placeholders import fill, is_broken, placeholders_in, unknown_names

VALUES = {"first_name": "Ewa", "company": "Kwiat & Co"}


def test_values_and_fallbacks_stand_in_place_of_placeholders():
    filled = fill("Hello {{first_name|there}} of {{ company }}, {{title|friend}}", VALUES)
    assert (filled.text, filled.missing) == ("Hello Ewa of Kwiat & Co, friend", ())


def test_what_is_missing_is_told_and_not_printed():
    filled = fill("{{last_name}} {{title|}} {{last_name}}", VALUES)
    assert filled.missing == ("last_name",)
    assert "{{" not in filled.text


def test_values_are_escaped_in_html_and_an_editors_tags_do_not_count():
    filled = fill("<p>{{<b>company</b>}} {{x|dear&nbsp;A &amp; B}}</p>", {"company": "<img src=x>"}, as_html=True)
    assert filled.text == "<p>&lt;img src=x&gt; dear A &amp; B</p>"


def test_a_value_is_never_read_as_a_template():
    assert fill("{{first_name}}", {"first_name": "{{settings}} {% debug %}"}).text == "{{settings}} {% debug %}"


def test_unknown_names_and_open_braces_are_found():
    assert unknown_names("{{settings}} {{first_name}} {{settings|x}}") == ("settings",)
    assert is_broken("Hello {{first_name")
    assert is_broken("Hello first_name}}")
    assert not is_broken("Hello {{first_name|a}} {b}")


def test_a_subject_stays_one_line():
    assert fill("Hi {{first_name}}", {"first_name": "Ewa\r\nBcc: x@y.example"}).text == "Hi Ewa Bcc: x@y.example"


@given(st.text(alphabet="{}|ab <>&;\n", max_size=80))
def test_any_text_can_be_read(text):
    fill(text, {"a": "b"}, as_html=True)
    assert all(len(found.name) <= 500 for found in placeholders_in(text))
