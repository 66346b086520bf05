"""When somebody who is away will be back, read from their automatic reply. Pure.

Six languages, no guesses: a date counts with a word before it that says "back on" or "until", else when it is the only
one in the text. Nothing that can be read gives None, and the caller waits a few working days.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

READ_CHARS = 3_000
FARTHEST = timedelta(days=370)
_CUE_CHARS = 40

_MONTHS = (
    "january jan stycznia styczen januar janvier enero gennaio",
    "february feb lutego luty februar fevrier febrero febbraio",
    "march mar marca marzec marz maerz mars marzo",
    "april apr kwietnia kwiecien avril abril aprile",
    "may maja maj mai mayo maggio",
    "june jun czerwca czerwiec juni juin junio giugno",
    "july jul lipca lipiec juli juillet julio luglio",
    "august aug sierpnia sierpien aout agosto",
    "september sept sep wrzesnia wrzesien septembre septiembre settembre",
    "october oct pazdziernika pazdziernik oktober octobre octubre ottobre",
    "november nov listopada listopad novembre noviembre",
    "december dec grudnia grudzien dezember decembre diciembre dicembre",
)
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
_WEEKDAYS = (
    "monday poniedzialek poniedzialku montag lundi lunes lunedi",
    "tuesday wtorek wtorku dienstag mardi martes martedi",
    "wednesday srode sroda srody mittwoch mercredi miercoles mercoledi",
    "thursday czwartek czwartku donnerstag jeudi jueves giovedi",
    "friday piatek piatku freitag vendredi viernes venerdi",
    "saturday sobote sobota soboty samstag samedi sabado sabato",
    "sunday niedziele niedziela niedzieli sonntag dimanche domingo domenica",
)
_WEEKDAY = {name: number for number, names in enumerate(_WEEKDAYS, 1) for name in names.split()}
_BACK = re.compile(
    r"\b(back|return\w*|again|from then|resum\w+|wrac\w*|wroc\w*|powr\w+|ponownie|dostepn\w+|zuruck|wieder|"
    r"erreichbar ab|de retour|retour|reviens|regres\w*|vuelv\w*|volver\w*|vuelta|torn\w+|rientr\w+|ritorn\w*)\b"
)
_UNTIL = re.compile(
    r"\b(until|till|til|through|thru|to|including|do|wlacznie|bis|zum|jusqu ?au|jusqu.?a|au|hasta|al|fino al?|a)\b"
)
_ISO = re.compile(r"\b(20\d\d)-(\d{1,2})-(\d{1,2})\b")
_DOTTED = re.compile(r"\b(\d{1,2})[./](\d{1,2})(?:[./](20\d\d|\d\d))?\b")
_DAY_MONTH = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th|\.|er)?\s+(?:of\s+|de\s+)?(" + "|".join(_MONTH) + r")\b\.?,?\s*(?:de\s+)?(20\d\d)?"
)
_MONTH_DAY = re.compile(r"\b(" + "|".join(_MONTH) + r")\b\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b(?!:)(?:,?\s*(20\d\d))?")
_DAY_NAME = re.compile(r"\b(" + "|".join(_WEEKDAY) + r")\b")


@dataclass(frozen=True, slots=True)
class _Found:
    at: int
    day: date
    is_weekday: bool = False


def find_return(text: str, today: date) -> date | None:
    """The first day on which the writer is back, after `today` (when the reply came) and within a year."""
    folded = _fold(text[:READ_CHARS])
    found = [item for item in _dates(folded, today) if today < item.day <= today + FARTHEST]
    back = [item.day for item in found if _has_cue(_BACK, folded, item.at)]
    if back:
        return max(back)
    dates = [item for item in found if not item.is_weekday]
    until = [item.day for item in dates if _has_cue(_UNTIL, folded, item.at)]
    if until:
        return max(until) + timedelta(days=1)
    return dates[0].day + timedelta(days=1) if len({item.day for item in dates}) == 1 else None


def _fold(text: str) -> str:
    """Lower case without accents; ł too."""
    decomposed = unicodedata.normalize("NFKD", text.lower().replace("ł", "l").replace("’", "'"))
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _has_cue(cue: re.Pattern[str], text: str, at: int) -> bool:
    before = text[max(0, at - _CUE_CHARS) : at]
    return cue.search(re.split(r"[.!?;]\s|\n\n", before)[-1]) is not None


def _dates(text: str, today: date) -> Iterator[_Found]:
    for match in _ISO.finditer(text):
        yield from _made(match.start(), int(match[1]), int(match[2]), int(match[3]), today)
    for match in _DOTTED.finditer(text):
        yield from _numeric(match, today)
    for match in _DAY_MONTH.finditer(text):
        yield from _made(match.start(), int(match[3] or 0), _MONTH[match[2]], int(match[1]), today)
    for match in _MONTH_DAY.finditer(text):
        yield from _made(match.start(), int(match[3] or 0), _MONTH[match[1]], int(match[2]), today)
    for match in _DAY_NAME.finditer(text):
        ahead = (_WEEKDAY[match[1]] - today.isoweekday() - 1) % 7 + 1
        yield _Found(match.start(), today + timedelta(days=ahead), is_weekday=True)


def _numeric(match: re.Match[str], today: date) -> Iterator[_Found]:
    """12.07. is a day before a month; 12/7 may be either, then the nearer one that is ahead counts."""
    first, second, year = int(match[1]), int(match[2]), int(match[3] or 0)
    year += 2000 if 0 < year < 100 else 0
    readings = list(_made(match.start(), year, second, first, today))
    if "/" in match[0]:
        readings += _made(match.start(), year, first, second, today)
    ahead = [item for item in readings if item.day > today]
    if ahead:
        yield min(ahead, key=lambda item: item.day)


def _made(at: int, year: int, month: int, day: int, today: date) -> Iterator[_Found]:
    """Without a year: the next such day."""
    try:
        made = date(year or today.year, month, day)
        if not year and made < today - timedelta(days=60):
            made = date(today.year + 1, month, day)
    except ValueError:
        return
    yield _Found(at, made)
