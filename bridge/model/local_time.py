"""Convert between instants and a site's local hours, days, weeks and months. Pure; zones come from the tz database.

An hour that comes twice in autumn is told apart by its offset; without one it is refused, as is an hour that is skipped
in spring. But a period may end as the skipped hour begins, and midnight is always the start of its day, even if it
comes twice or the clock skips it. What is stored already is the first of two.
"""

from __future__ import annotations

import errno
import re
import struct
from datetime import UTC, date, datetime, time, timedelta
from datetime import timezone as fixed_zone
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bridge.errors import TrivoxError, UsageError
from bridge.wire.contract import MAX_AT_MS

SECOND_MS = 1000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
UNITS = ("hour", "day", "week", "month")
FIRST_S, LAST_S = -62_135_510_400, 253_402_214_400  # 0001-01-02 and 9999-12-31, which all zones have

_NOT_THE_NAMES_FAULT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.EACCES}
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")
_OF_NO_PLACE = {"localtime", "Factory", "posixrules"}  # files beside those of real zones
_OTHER_SETS = ("posix/", "right/")  # the same zones once more, the latter with leap seconds
_QUARTER_MS = 15 * MINUTE_MS
_ODD_ZONES_UNTIL_MS = 100_000_000_000  # until 1972 some zones were off UTC by odd seconds


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of this name, such as `Europe/Sofia`.

    Raises UsageError if there is none, TrivoxError if its rules cannot be read.
    """
    unknown = UsageError(f"There is no time zone {name!r}: give a name such as Europe/Sofia or UTC.")
    if not _NAME.fullmatch(name):
        raise unknown
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError as error:
        raise unknown from error
    except OSError as error:
        if error.errno not in _NOT_THE_NAMES_FAULT:
            raise unknown from error
        raise TrivoxError(f"The rules of time zone {name} cannot be read ({error.strerror}): try again.") from error
    except (ValueError, IndexError, EOFError, struct.error) as error:
        raise TrivoxError(
            f"The rules of time zone {name} are damaged on this machine ({error}): install its time zones (tzdata) "
            "again, and check PYTHONTZPATH."
        ) from error


def check_zone_of_place(name: str) -> None:
    """Check that the clocks of some place go by a time zone. Raises UsageError, or TrivoxError as `zone` does."""
    zone(name)
    if name in _OF_NO_PLACE or name.startswith(_OTHER_SETS):
        raise UsageError(f"Time zone {name!r} is not that of a place: give a name such as Europe/Sofia or UTC.")


def local(at_ms: int, timezone: str) -> datetime:
    """Return an instant as a local time of the zone, to the second; one beyond the years 1 to 9999 as their end."""
    return datetime.fromtimestamp(min(max(at_ms // SECOND_MS, FIRST_S), LAST_S), zone(timezone))


def local_hour(at_ms: int, timezone: str) -> str:
    """Return the local hour of an instant, as `2026-11-22T13:00+02:00`; its first ten characters are the local day."""
    moment = local(at_ms, timezone)  # use the offset of this very instant: some clocks go back by half an hour
    hour = moment.replace(minute=0, second=0, tzinfo=fixed_zone(moment.utcoffset() or timedelta()))
    return hour.isoformat(timespec="minutes")


@lru_cache(maxsize=65_536)
def day_starts_ms(day: date, timezone: str) -> int:
    """Return the first instant of a local day: 01:00 where summer time skips midnight.

    A day that is skipped as a whole ends where it begins.
    """
    return resolved_ms(datetime(day.year, day.month, day.day), timezone)  # noqa: DTZ001 - local to the zone


def today_starts_ms(now_ms: int, timezone: str) -> int:
    """Return the instant at which the current local day began."""
    return day_starts_ms(local(now_ms, timezone).date(), timezone)


def utc_date(at_ms: int) -> str:
    """Return the date of an instant in UTC, as `2026-11-22`."""
    return datetime.fromtimestamp(at_ms // SECOND_MS, UTC).date().isoformat()


def instant_ms(moment: datetime, timezone: str, *, is_end: bool = False) -> int:
    """Return the instant of a date and time; without an offset it is local time. Midnight is always the day's start.

    `is_end`: a period ends there, so that it may be the very time at which the clock went forward. Raises ValueError;
    its text is a sentence without the full stop.
    """
    if moment.tzinfo is None and moment.time() != time():
        first, second = (moment.replace(tzinfo=zone(timezone), fold=fold) for fold in (0, 1))
        if first.utcoffset() != second.utcoffset():  # the clock was changed there
            _refuse_unclear(first, second, timezone, is_end=is_end)
    return resolved_ms(moment, timezone)


def _refuse_unclear(first: datetime, second: datetime, timezone: str, *, is_end: bool) -> None:
    moment = first.replace(tzinfo=None)
    if _exists(moment, timezone):
        raise ValueError(
            f"{moment.isoformat(' ')} comes twice in {timezone}, as the clock went back: give its offset, as "
            f"{iso_text(first)} or {iso_text(second)}"
        )
    if not (is_end and _exists(moment - timedelta(microseconds=1), timezone)):
        raise ValueError(f"{moment.isoformat(' ')} does not exist in {timezone}: the clock went forward over it")


def as_typed(moment: datetime) -> str | None:
    """Return a local time as it is stored; None if it has an offset, as then it is an instant."""
    return None if moment.tzinfo is not None else iso_text(moment)


def iso_text(moment: datetime) -> str:
    """Return a time in ISO 8601, as short as it can be."""
    return moment.isoformat(timespec="auto" if moment.second or moment.microsecond else "minutes")


def resolved_ms(moment: datetime, timezone: str) -> int:
    """Return the instant of a local time; if the clock skips it, the first instant after. An offset goes before."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(timezone)) if _exists(moment, timezone) else _first_after(moment, timezone)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@lru_cache(maxsize=65_536)
def typed_ms(text: str, timezone: str) -> int:
    """Return the instant of a local time as it is stored, in ISO 8601 and without an offset."""
    return resolved_ms(datetime.fromisoformat(text), timezone)


def _exists(local_time: datetime, timezone: str) -> bool:
    moment = local_time.replace(tzinfo=zone(timezone))
    return moment.astimezone(UTC).astimezone(zone(timezone)).replace(tzinfo=None) == local_time


def _first_after(skipped: datetime, timezone: str) -> datetime:
    """Return the first instant after the gap that a local time falls into."""
    in_zone = skipped.replace(tzinfo=zone(timezone))
    before, after = (in_zone.replace(fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    from_s, to_s = (int((skipped.replace(tzinfo=UTC) - offset).timestamp()) for offset in (after, before))
    return datetime.fromtimestamp(first_of_offset(from_s, to_s, zone(timezone)), UTC)


def first_of_offset(from_s: int, to_s: int, tz: ZoneInfo) -> int:
    """Return the first second after `from_s` with the offset that holds at `to_s`; one change lies in between."""
    wanted = datetime.fromtimestamp(to_s, tz).utcoffset()
    while to_s - from_s > 1:
        middle = (from_s + to_s) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == wanted:
            to_s = middle
        else:
            from_s = middle
    return to_s


@lru_cache(maxsize=65_536)
def period_of(unit: str, name: str, timezone: str) -> tuple[int, int]:
    """Return the instants at which an hour, day, week or month, named as in reports, begins and ends in a zone.

    The end is the first instant after it.
    """
    if unit == "hour":
        from_ms = int(datetime.fromisoformat(name).timestamp() * SECOND_MS)
        to_ms = from_ms + HOUR_MS
        if local_hour(from_ms, timezone) == local_hour(to_ms - 1, timezone) == name:
            return from_ms, to_ms
        # The clock was changed within it: only a part of these 60 minutes has this name.
        minutes = [at_ms for at_ms in range(from_ms, to_ms, MINUTE_MS) if local_hour(at_ms, timezone) == name]
        return (minutes[0], minutes[-1] + MINUTE_MS) if minutes else (from_ms, to_ms)
    first, following = days_of(unit, name)
    return day_starts_ms(first, timezone), day_starts_ms(following, timezone)


def days_of(unit: str, name: str) -> tuple[date, date]:
    """Return the first day of a day, week or month, and the first day after it (`date.max` where that is later)."""
    first = date.fromisoformat(f"{name}-01" if unit == "month" else name)
    try:
        if unit == "month":
            return first, (first + timedelta(days=31)).replace(day=1)
        return first, first + timedelta(days=7 if unit == "week" else 1)
    except OverflowError:
        return first, date.max


def months_within(from_day: date, to_day: date) -> tuple[str, str]:
    """Return the first whole month of a period, and the first one after it that is not whole, as reports name them.

    They are the same where none is whole. `to_day` is not included.
    """
    last = to_day.year * 12 + to_day.month - 1
    first = min(from_day.year * 12 + from_day.month - 1 + (from_day.day > 1), last)
    return f"{first // 12:04}-{first % 12 + 1:02}", to_day.isoformat()[:7]


def hour_of(at_ms: int, timezone: str) -> str:
    """Return the local hour of an instant as `local_hour` does, from a cache."""
    return hour_at(at_ms, timezone)[2]


def hour_at(at_ms: int, timezone: str) -> tuple[int, int, str]:
    """Return the local hour of an instant, after a span of time in which it surely lasts: (from_ms, to_ms, hour).

    The span is the quarter of an hour around the instant: all zones change their offsets at such quarters.
    """
    if at_ms < _ODD_ZONES_UNTIL_MS:
        return at_ms, at_ms + 1, local_hour(at_ms, timezone)
    quarter = at_ms // _QUARTER_MS
    return quarter * _QUARTER_MS, (quarter + 1) * _QUARTER_MS, _hour_of_quarter(quarter, timezone)


@lru_cache(maxsize=65_536)
def _hour_of_quarter(quarter: int, timezone: str) -> str:
    return local_hour(min(quarter * _QUARTER_MS, MAX_AT_MS - DAY_MS), timezone)
