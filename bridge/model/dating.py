"""When something happened: dates of events without a clock, and the local hour of a site. Pure."""

from __future__ import annotations

from functools import lru_cache

from bridge.model.local_time import local_hour
from bridge.wire.contract import MAX_AT_MS

DAY_MS = 86_400_000
_QUARTER_MS = 900_000
_ODD_ZONES_UNTIL_MS = 100_000_000_000  # before 1973 some zones were off by odd seconds


def clamp(at_ms: int) -> int:
    """The nearest instant from 1970 to 9999: a boot's offset may lead anywhere."""
    return 0 if at_ms < 0 else min(at_ms, MAX_AT_MS)


def date_event(at_ms: int | None, up_ms: int, clock_offset_ms: int | None, arrival_offset_ms: int) -> tuple[int, str]:
    """(date in ms since 1970, by what) of an event.

    `clock_offset_ms` is `at_ms` - `up_ms` of the first clock_set of its boot, if there is one; `arrival_offset_ms`
    the smallest arrival - `up_ms` seen in its boot.
    """
    if at_ms is not None:
        return at_ms, "console"
    if clock_offset_ms is not None:
        return clamp(clock_offset_ms + up_ms), "clock_set"
    return clamp(arrival_offset_ms + up_ms), "arrival"


def hour_of(at_ms: int, timezone: str) -> str:
    """The local hour of an instant, see `local_hour`, quickly."""
    return hour_at(at_ms, timezone)[2]


def hour_at(at_ms: int, timezone: str) -> tuple[int, int, str]:
    """From when up to when it is this local hour for certain (by the quarter of an hour), and the hour."""
    if at_ms < _ODD_ZONES_UNTIL_MS:
        return at_ms, at_ms + 1, local_hour(at_ms, timezone)
    quarter = at_ms // _QUARTER_MS
    return quarter * _QUARTER_MS, (quarter + 1) * _QUARTER_MS, _hour_of_quarter(quarter, timezone)


@lru_cache(maxsize=65_536)
def _hour_of_quarter(quarter: int, timezone: str) -> str:
    return local_hour(min(quarter * _QUARTER_MS, MAX_AT_MS - DAY_MS), timezone)
