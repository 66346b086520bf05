"""INTERNALDATE as aware UTC datetimes and back (RFC 3501 §9 date-time), with dates for SEARCH."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NUMBERS = {name.lower().encode(): number for number, name in enumerate(_MONTHS, 1)}
_NUMBERS |= {name.encode(): number for number, name in enumerate(_MONTHS, 1)}
_DATE_TIME = re.compile(rb"\s*(\d{1,2})-([A-Za-z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?: ([+-])(\d\d)(\d\d))?")


def parse_internaldate(raw: bytes) -> datetime | None:
    """'24-Nov-2026 08:00:00 +0100' as UTC, None when it is no date."""
    found = _DATE_TIME.match(raw)
    if found is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = found.groups()
    number = _NUMBERS.get(month) or _NUMBERS.get(month.lower())
    if number is None:
        return None
    try:
        local = datetime(int(year), number, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        if sign is None or zone_hours == zone_minutes == b"00":
            return local
        offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        return local + offset if sign == b"-" else local - offset
    except (ValueError, OverflowError):
        return None


def format_internaldate(moment: datetime) -> bytes:
    """An aware datetime for APPEND, quoted."""
    utc = moment.astimezone(UTC)
    return f'"{utc.day:02d}-{_MONTHS[utc.month - 1]}-{utc:%Y %H:%M:%S} +0000"'.encode()


def format_date(day: date) -> bytes:
    """A date for SEARCH SINCE, independent of the locale."""
    return f"{day.day}-{_MONTHS[day.month - 1]}-{day.year:04d}".encode()
