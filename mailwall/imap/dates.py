"""INTERNALDATE as aware UTC datetimes and back (RFC 3501 §9 date-time), with dates for SEARCH."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
_DATE_TIME = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?")


def parse_internaldate(raw: bytes) -> datetime | None:
    """'24-Nov-2026 08:00:00 +0100' as UTC, None when it is no date."""
    found = _DATE_TIME.match(raw)
    if found is None or found.group(2).lower() not in _NUMBERS:
        return None
    day, year, hour, minute, second = (int(found.group(number)) for number in (1, 3, 4, 5, 6))
    try:
        local = datetime(year, _NUMBERS[found.group(2).lower()], day, hour, minute, second, tzinfo=UTC)
        offset = timedelta(hours=int(found.group(8) or 0), minutes=int(found.group(9) or 0))
        return local + offset if found.group(7) == b"-" else local - offset
    except (ValueError, OverflowError):
        return None


def format_internaldate(moment: datetime) -> bytes:
    """An aware datetime for APPEND, quoted."""
    utc = moment.astimezone(UTC)
    return f'"{utc.day:02d}-{_MONTHS[utc.month - 1]}-{utc:%Y %H:%M:%S} +0000"'.encode()


def format_date(day: date) -> bytes:
    """A date for SEARCH SINCE, independent of the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode()
