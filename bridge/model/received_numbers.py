"""Keep a set of whole numbers as closed ranges, and remember what changed. Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ReceivedNumbers:
    """The numbers of the events received in an epoch, as ranges; `take_changes` returns what to store and to drop."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        pairs = sorted(ranges)
        self._lows = [low for low, _ in pairs]
        self._highs = [high for _, high in pairs]
        self._changed: set[int] = set()
        self._dropped: set[int] = set()

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self._lows, number) - 1
        return index >= 0 and number <= self._highs[index]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._lows, self._highs, strict=True)

    @property
    def highest(self) -> int:
        """The highest number in the set, 0 if it is empty."""
        return self._highs[-1] if self._highs else 0

    def add(self, low: int, high: int) -> None:
        """Add all numbers from `low` to `high`, both included; ranges that touch become one."""
        if self._highs and low == self._highs[-1] + 1:  # the usual case: the next events in order
            self._highs[-1] = high
            self._changed.add(self._lows[-1])
            return
        index = bisect_right(self._lows, low)
        if index and self._highs[index - 1] >= low - 1:
            index -= 1
            low = self._lows[index]
        end = index
        while end < len(self._lows) and self._lows[end] <= high + 1:
            high = max(high, self._highs[end])
            self._dropped.add(self._lows[end])
            end += 1
        self._lows[index:end] = [low]
        self._highs[index:end] = [high]
        self._changed -= self._dropped
        self._changed.add(low)
        self._dropped.discard(low)

    def through(self, first: int) -> int:
        """Return the highest number up to which none is missing, where numbers below `first` count as present."""
        reach = first - 1
        index = bisect_right(self._lows, first) - 1
        if index >= 0:
            reach = max(reach, self._highs[index])
        return reach

    def missing(self, through: int) -> int:
        """Return how many of the numbers from 1 to `through` are missing."""
        index = bisect_right(self._lows, through)
        if not index:
            return through
        last = min(self._highs[index - 1], through) - self._lows[index - 1] + 1
        before = sum(self._highs[: index - 1]) - sum(self._lows[: index - 1]) + index - 1
        return through - last - before

    def take_changes(self) -> tuple[list[tuple[int, int]], list[int]]:
        """Return what changed since the last call: the (low, high) ranges to store, and the lows of those to drop."""
        changed = [(low, self._highs[bisect_right(self._lows, low) - 1]) for low in sorted(self._changed)]
        dropped = sorted(self._dropped)
        self._changed.clear()
        self._dropped.clear()
        return changed, dropped
