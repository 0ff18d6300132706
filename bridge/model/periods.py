"""Shifts and placements, and a timeline to look up which one holds at an instant."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

EVER = 2**62


class Timeline:
    """Periods in order of their starts; where two overlap, the later one holds from its start on."""

    def __init__(self, periods: Sequence[tuple[int, int, str]]) -> None:
        """Take (from_ms, to_ms, value) of each period, sorted by `from_ms`; `to_ms` is not included."""
        self._starts = [period[0] for period in periods]
        self._periods = periods

    def at(self, at_ms: int) -> tuple[int, int, str | None]:
        """Return (from_ms, to_ms, value): what holds at an instant (None: nothing), and from when up to when."""
        index = bisect_right(self._starts, at_ms)
        next_ms = self._starts[index] if index < len(self._starts) else EVER
        if not index:
            return -EVER, next_ms, None
        from_ms, to_ms, value = self._periods[index - 1]
        return (from_ms, min(to_ms, next_ms), value) if at_ms < to_ms else (to_ms, next_ms, None)


class Shift(NamedTuple):
    """A seller on a console, from `started_at_ms` up to, not including, `ended_at_ms`."""

    started_at_ms: int
    ended_at_ms: int
    seller_id: str


class TypedTimes(NamedTuple):
    """The local times, without an offset, from which a period was resolved; None: an instant was given."""

    start: str | None = None
    end: str | None = None


NOT_TYPED = TypedTimes()


class Placement(NamedTuple):
    """A console that stands at a checkout point from `from_ms` up to, not including, `to_ms` (None: still)."""

    console_id: str
    console_key: int
    from_ms: int
    to_ms: int | None
    checkout_point_id: str
