"""Date events, also those that the console recorded before it knew the time. Pure."""

from __future__ import annotations

from bridge.wire.contract import MAX_AT_MS


def clamp(at_ms: int) -> int:
    """Return the nearest instant from 1970 to 9999, in ms; the offset of a boot can lead far outside."""
    return 0 if at_ms < 0 else min(at_ms, MAX_AT_MS)


def date_event(at_ms: int | None, up_ms: int, clock_offset_ms: int | None, arrival_offset_ms: int) -> tuple[int, str]:
    """Date an event; return (ms since 1970, how it was dated: `console`, `clock_set` or `arrival`).

    `clock_offset_ms` is `at_ms` - `up_ms` of the first clock_set in the event's boot, None if there is none;
    `arrival_offset_ms` is the smallest arrival - `up_ms` seen in that boot.
    """
    if at_ms is not None:
        return at_ms, "console"
    if clock_offset_ms is not None:
        return clamp(clock_offset_ms + up_ms), "clock_set"
    return clamp(arrival_offset_ms + up_ms), "arrival"
