"""When something happened: dates of events without a clock, and the local hour of a site. Pure."""

from __future__ import annotations

from bridge.wire.contract import MAX_AT_MS


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
