"""Cut the time of a chart into days, weeks or months, and pool days that have too few surveys. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.local_time import days_of
from bridge.reports.days import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CHART_UNITS = ("day", "week", "month")
LAST_BY_DEFAULT = {"day": 60, "week": 26, "month": 24}
MOST_UNITS = 400
LEAST_EXPECTED = 5  # N·p̄


class ChartUnit(NamedTuple):
    """A day, week or month, named as in reports, or several days in a row: its first day, and the first day after it.

    One that is not complete lies only partly in the chart's time, or is not over yet.
    """

    name: str
    first: date
    following: date
    is_complete: bool

    @property
    def last(self) -> date:
        """Its last day."""
        return self.following - DAY


def unit_of(unit: str, day: date) -> str:
    """Return the name of the day, week or month that holds a day."""
    if unit == "week":
        return day.strftime("%G-W%V")
    return day.isoformat()[: len("2026-11")] if unit == "month" else day.isoformat()


def units_of(unit: str, from_day: date, to_day: date, today: date) -> list[ChartUnit]:
    """Return the units from a day up to another, not included; those that go beyond `today`, or to it, are not over."""
    found: list[ChartUnit] = []
    day = from_day
    while day < to_day and len(found) <= MOST_UNITS + 1:  # one more may be under way
        name = unit_of(unit, day)
        first, following = days_of(unit, name)
        is_complete = first >= from_day and following <= min(to_day, today)
        found.append(ChartUnit(name, max(first, from_day), min(following, to_day), is_complete))
        day = following
    return found


def first_day_of_last(unit: str, count: int, today: date) -> date:
    """Return the first day of the last so many units that are over."""
    first, _ = days_of(unit, unit_of(unit, today))
    for _ in range(count):
        first, _ = days_of(unit, unit_of(unit, first - timedelta(days=1)))
    return first


def pools(units: Sequence[ChartUnit], sizes: Sequence[int], share: float, least_size: int) -> Iterator[list[ChartUnit]]:
    """Yield neighbouring days that make one point: until N is `least_size` and N·p̄ is 5, p̄ being `share`.

    A day without surveys begins no pool. The last pool may have too few.
    """
    pool: list[ChartUnit] = []
    size = 0
    for unit, number in zip(units, sizes, strict=True):
        if not (pool or number):
            yield [unit]
            continue
        pool.append(unit)
        size += number
        if is_enough(size, share, least_size):
            yield pool
            pool, size = [], 0
    if pool:
        yield pool


def is_enough(size: int, share: float, least_size: int) -> bool:
    """Return whether so many surveys make a point."""
    return size >= least_size and size * share >= LEAST_EXPECTED


def joined(pool: Sequence[ChartUnit], *, is_complete: bool) -> ChartUnit:
    """Return several days as one unit."""
    first, last = pool[0], pool[-1]
    name = first.name if len(pool) == 1 else f"{first.name} to {last.name}"
    return ChartUnit(name, first.first, last.following, is_complete)
