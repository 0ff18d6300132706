"""Read dates, times and numbers as people and their spreadsheets write them. Pure.

What could be meant in two ways is refused. Each function raises ValueError; its text is a sentence without the full
stop.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone

FIRST_YEAR, LAST_YEAR = 1971, 9998  # all their instants are from 1970 to 9999 in every zone

_WIDE_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2007\u2009\u202f", " "))
_DATE = r"(?P<first>[0-9]{1,4})(?P<mark>[-./])(?P<second>[0-9]{1,2})(?P=mark)(?P<third>[0-9]{1,4})(?: ?г\.?)?"  # noqa: RUF001 - Bulgarian for "year"
_TIME = (
    r"(?P<hour>[0-9]{1,2})[:.](?P<minute>[0-9]{2})(?:[:.](?P<second_of_minute>[0-9]{2})(?:[.,](?P<part>[0-9]{1,6}))?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?| ?ч\.?)?"
)
_OFFSET = r"(?: ?(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2}))?"
_MOMENT = re.compile(rf"{_DATE}(?:(?:T|,? +|, ?){_TIME}{_OFFSET})?")
_ONLY_TIME = re.compile(_TIME)
_SERIAL_DATE = re.compile(r"[0-9]{5}(?:[.,][0-9]+)?")
_NUMBER = re.compile(
    r"(?P<whole>[1-9][0-9]{0,2}(?P<mark>[ .,'’])[0-9]{3}(?:(?P=mark)[0-9]{3})*|[0-9]{1,15})"  # noqa: RUF001 - the mark of thousands in Switzerland
    r"(?:(?P<point>[.,])(?P<fraction>[0-9]+))?"
)


def read_moment(text: str) -> datetime:
    """Read a date, or a date and a time; without an offset the result is naive: local time, as typed.

    24:00 is midnight at the end of that day.
    """
    return _read(text, "a time such as 2026-11-22 13:00, 2026-11-22T13:00+02:00 or 22.11.2026 13:00")


def has_time(text: str) -> bool:
    """Return whether what `read_moment` reads has a time of day, be it 0:00."""
    plain = text.translate(_WIDE_SPACES).strip()
    try:
        date.fromisoformat(plain)
    except ValueError:
        match = _MOMENT.fullmatch(plain)
        return match is None or match["hour"] is not None
    return False


def read_day(text: str) -> date:
    """Read a date, which may have the time 0:00, as spreadsheets write it."""
    moment = _read(text, "a date such as 2026-11-22 or 22.11.2026")
    if moment.tzinfo is not None or moment.time() != time():
        raise ValueError(f"{text!r} has a time: give only the date, as 2026-11-22")
    return moment.date()


def _read(text: str, wanted: str) -> datetime:
    plain = text.translate(_WIDE_SPACES).strip()
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        moment = _other_form(plain, wanted)
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is not from {FIRST_YEAR} to {LAST_YEAR}")
    return moment


def _other_form(text: str, wanted: str) -> datetime:
    match = _MOMENT.fullmatch(text)
    if match is None:
        if _ONLY_TIME.fullmatch(text):
            raise ValueError(f"{text!r} has no date: write it before the time, as in 2026-11-22 13:00")
        if _SERIAL_DATE.fullmatch(text):
            raise ValueError(
                f"{text!r} is a spreadsheet's number of a day: format its column as a date, and save again"
            )
        raise ValueError(f"{text!r} is not {wanted}")
    midnight = datetime.combine(_date(match, text), time())
    return midnight if match["hour"] is None else _at_time(midnight, match, text)


def _date(match: re.Match[str], text: str) -> date:
    first, second, third = (int(match[name]) for name in ("first", "second", "third"))
    if len(match["first"]) == 4:  # noqa: PLR2004 - digits of a year
        readings = {_day(first, second, third)}
    elif len(match["third"]) != 4:  # noqa: PLR2004 - digits of a year
        raise ValueError(f"{text!r} does not say its year in four digits: write it as 2026-11-22 or 22.11.2026")
    elif match["mark"] == ".":
        readings = {_day(third, second, first)}
    else:
        readings = {_day(third, second, first), _day(third, first, second)}
    days = sorted(readings - {None}, key=str)
    if len(days) > 1:
        known = " or ".join(f"{day:%Y-%m-%d}" for day in days if day)
        raise ValueError(f"{text!r} can mean {known}: write it in one of these forms, or as 22.11.2026")
    if not days or days[0] is None:
        raise ValueError(f"{text!r} is not a date of the calendar")
    return days[0]


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _at_time(midnight: datetime, match: re.Match[str], text: str) -> datetime:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second_of_minute"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:  # noqa: PLR2004 - hours of half a day
            raise ValueError(f"{text!r} has no such hour: use 1 to 12 with AM and PM, or 0:00 to 24:00 without")
        hour = hour % 12 + (12 if match["half"] in "Pp" else 0)
    microsecond = int((match["part"] or "").ljust(6, "0"))
    if (hour, minute, second, microsecond) > (24, 0, 0, 0) or minute > 59 or second > 59:  # noqa: PLR2004
        raise ValueError(f"{text!r} is not a time of day: use 0:00 to 24:00")
    try:
        moment = midnight + timedelta(hours=hour, minutes=minute, seconds=second, microseconds=microsecond)
    except OverflowError as error:
        raise ValueError(f"{text!r} is not from {FIRST_YEAR} to {LAST_YEAR}") from error
    return moment.replace(tzinfo=_zone(match["offset"], text)) if match["offset"] else moment


def _zone(offset: str, text: str) -> timezone:
    if offset == "Z":
        return UTC
    size = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    if size >= timedelta(days=1):
        raise ValueError(f"{text!r} has no possible offset: write it as +02:00")
    return timezone(-size if offset[0] == "-" else size)


def read_whole_number(text: str) -> int:
    """Read a whole number, 0 or more; `1 234`, `1.234.567` and `12,00` are whole numbers, too."""
    match = _NUMBER.fullmatch(text.translate(_WIDE_SPACES).strip())
    if match is None or match["mark"] == match["point"] is not None or int(match["fraction"] or 0):
        raise ValueError(f"must be a whole number, 0 or more, not {text!r}")
    digits = re.sub(r"[^0-9]", "", match["whole"])
    if match["point"] is None and match["mark"] in {".", ","} and match["whole"].count(match["mark"]) == 1:
        raise ValueError(
            f"must be a whole number: {text!r} can mean {digits} or a fraction; write it without {match['mark']!r}"
        )
    return int(digits)
