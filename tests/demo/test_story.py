"""The sample mail is proper mail: it parses without oddities, and there is enough of it inside and before the window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from mailwall.demo import envelopes, story
from mailwall.mime.parse import parse_whole

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LETTERS = story.letters(NOW)


def test_every_letter_is_clean_mail_with_an_id_of_its_own():
    for letter in LETTERS:
        parsed = parse_whole(envelopes.raw_mail(letter))
        assert parsed.defects == (), letter.subject
        assert parsed.message_id == letter.message_id
        assert [address.address for address in parsed.from_] == [letter.sender.address]
        assert {attachment.filename for attachment in parsed.attachments} == set(letter.files)
    assert len({letter.message_id for letter in LETTERS}) == len(LETTERS)


def test_there_is_mail_of_the_last_two_weeks_and_twice_as_much_from_before():
    window = NOW - timedelta(days=14)
    recent = [letter for letter in LETTERS if letter.at >= window]
    assert len(recent) > 35
    assert len(LETTERS) - len(recent) > 70
    assert max(letter.at for letter in LETTERS) < NOW


def test_it_shows_threads_html_attachments_lists_and_strangers():
    assert any(len(letter.before) > 3 for letter in LETTERS)
    assert any(letter.html for letter in LETTERS)
    assert {name.rpartition(".")[2] for letter in LETTERS for name in letter.files} == {"pdf", "png", "csv", "ics"}
    assert any(("List-Id", "<designweekly.example>") in letter.headers for letter in LETTERS)
    assert {person.key for person in story.strangers()} <= {letter.sender.key for letter in LETTERS}


def test_addresses_are_in_the_example_domain_only():
    people = [person for letter in LETTERS for person in (letter.sender, letter.to, *letter.cc)]
    assert all(person.address.endswith(".example") for person in people)


def test_an_answer_belongs_to_the_thread_and_a_bounce_names_the_receiver():
    from email import message_from_bytes, policy

    letter = LETTERS[-1]
    mail = message_from_bytes(envelopes.raw_mail(letter), policy=policy.default)
    answer = parse_whole(envelopes.raw_answer(mail, letter.to, letter.sender, "Fine!", NOW))
    assert answer.in_reply_to == letter.message_id
    assert answer.references[-1] == letter.message_id
    assert answer.text.startswith("Fine!")
    bounce = parse_whole(envelopes.raw_bounce(mail, "anna@brzoza.example", "x@nowhere.example", "brzoza.example", NOW))
    assert bounce.defects == ()
    assert "<x@nowhere.example>" in bounce.text
    assert bounce.automatic == "bounce"
