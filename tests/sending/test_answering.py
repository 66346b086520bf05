"""Whom an answer goes to, and how it quotes. No database."""

from __future__ import annotations

from mailwall.mime.types import Address
from mailwall.sending import answering
from mailwall.sending.answering import Parties

EWA, JAN, BOOKS, ME = (Address(address=f"{name}@x.example") for name in ("ewa", "jan", "books", "me"))
OWN = {"me@x.example"}


def parties(**changed):
    return Parties(**{"from_": [EWA], "reply_to": [], "to": [ME, JAN], "cc": [BOOKS, ME], "sent": False, **changed})


def test_a_reply_goes_to_reply_to_before_the_sender():
    assert answering.receivers_of_reply(parties(), OWN, to_all=False).to == (EWA,)
    assert answering.receivers_of_reply(parties(reply_to=[JAN]), OWN, to_all=False).to == (JAN,)


def test_reply_all_keeps_the_others_and_drops_own_addresses():
    found = answering.receivers_of_reply(parties(), OWN, to_all=True)
    assert found.to == (EWA, JAN) and found.cc == (BOOKS,)


def test_an_answer_to_ones_own_mail_goes_on_to_its_receivers():
    mine = parties(from_=[ME], to=[EWA], cc=[BOOKS], sent=True)
    assert answering.receivers_of_reply(mine, OWN, to_all=False).to == (EWA,)
    found = answering.receivers_of_reply(mine, OWN, to_all=True)
    assert found.to == (EWA,) and found.cc == (BOOKS,)


def test_a_mail_to_oneself_is_answered_to_oneself():
    alone = parties(from_=[ME], to=[ME], cc=[], sent=True)
    assert answering.receivers_of_reply(alone, OWN, to_all=True).to == (ME,)


def test_a_subject_is_marked_once():
    assert answering.reply_subject("Price") == "Re: Price" and answering.reply_subject("RE: Price") == "RE: Price"
    assert answering.reply_subject("Odp: Cena") == "Odp: Cena" and answering.forward_subject("Re: A") == "Fwd: Re: A"
    assert answering.forward_subject("FW: A") == "FW: A"


def test_a_quote_escapes_its_heading_and_marks_each_line():
    assert "&lt;ewa@x.example&gt;" in answering.quote_html("<ewa@x.example> wrote:", "<p>Hi</p>", cited=True)
    assert answering.quote_text("E wrote:", "one\n> two\n\nthree", cited=True) == "E wrote:\n> one\n>> two\n>\n> three"
