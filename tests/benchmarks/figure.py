"""One measured figure beside the limit, or the peer, that was measured or set for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and what it is held against.

    Attributes:
        name: what was measured, in words.
        value: the measured figure, in `unit`.
        unit: `events/s`, `ms`, `kB` … or empty for a ratio.
        limit: what it must reach, in the same unit.
        at_most: whether the limit is an upper one.
        beside: what was measured in the same run for comparison, in words, or empty.
    """

    name: str
    value: float
    unit: str
    limit: float
    at_most: bool
    beside: str = ""

    @property
    def reached(self) -> bool:
        """Whether the value keeps to its limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit
