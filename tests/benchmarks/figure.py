"""One measured figure and its limit, which is fixed or measured in the same run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value and its limit.

    Attributes:
        name: what was measured, in words.
        value: the measured figure, in `unit`.
        unit: `events/s`, `ms`, `kB` … or empty for a ratio.
        limit: what it must reach, in the same unit.
        at_most: whether the limit is an upper one.
        note: what else was measured in the same run, in words, or empty.
    """

    name: str
    value: float
    unit: str
    limit: float
    at_most: bool
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the value is within its limit."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit
