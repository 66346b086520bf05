"""Out-of-office replies: when is the writer back?"""

from __future__ import annotations

from datetime import date

import pytest

from mailwall.sequences.absence import find_return

TODAY = date(2026, 11, 25)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("I am out of the office until 4 December and will answer then.", date(2026, 12, 5)),
        ("I'm away from November 20 to December 4th, 2026. I will be back on December 7th.", date(2026, 12, 7)),
        ("I am on leave, returning on Monday 30 November.", date(2026, 11, 30)),
        ("Thank you for your mail. I'll be back on Monday.", date(2026, 11, 30)),
        ("Out of office 2026-11-24 to 2026-11-27.", date(2026, 11, 28)),
        ("Będę nieobecny do 4 grudnia 2026 r. W pilnych sprawach proszę o kontakt z biurem.", date(2026, 12, 5)),
        ("Jestem na urlopie w dniach 24.11.2026 do 04.12.2026.", date(2026, 12, 5)),
        ("Wracam do biura 7 grudnia.", date(2026, 12, 7)),
        ("Do pracy wracam w poniedziałek.", date(2026, 11, 30)),
        ("Ich bin bis zum 4. Dezember nicht im Büro.", date(2026, 12, 5)),
        ("Ab dem 7.12. bin ich wieder da. Ich bin wieder erreichbar ab 07.12.2026", date(2026, 12, 7)),
        ("Je suis absente jusqu'au 4 décembre.", date(2026, 12, 5)),
        ("Estaré fuera de la oficina hasta el 4 de diciembre de 2026.", date(2026, 12, 5)),
        ("Sono assente fino al 4 dicembre.", date(2026, 12, 5)),
        ("Back on 3 January.", date(2027, 1, 3)),
        ("I will return on 01/12/2026.", date(2026, 12, 1)),
    ],
)
def test_the_day_of_return_is_read(text, back):
    assert find_return(text, TODAY) == back


@pytest.mark.parametrize(
    "text",
    [
        "I am out of the office and will answer as soon as I can.",
        "Thank you, we got your mail of 3 November 2026.",
        "Call us at 22 123 45 67, Mon to Fri 9.00 to 17.00.",
        "Back on 31 February.",
        "Our fair is on 1 December, the sale ends on 12 December.",
        "",
    ],
)
def test_what_tells_no_day_of_return_tells_none(text):
    assert find_return(text, TODAY) is None
