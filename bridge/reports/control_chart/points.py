"""Make the points of a chart of the counts of its units. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from bridge.reports import kpi
from bridge.reports.control_chart.laney import ScoreSums, limits_of
from bridge.reports.control_chart.units import is_enough, joined, pools
from bridge.reports.row_counts import RowCounts, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.control_chart.figures import ChartFigure
    from bridge.reports.control_chart.units import ChartUnit
    from bridge.store.report_queries import CountsOfGroup

JUDGED, PART, TOO_FEW, NO_SURVEYS, NOT_ASSESSABLE = "judged", "part", "too_few", "no_surveys", "not_assessable"
CLOSED_DAYS = 6
"""Days at a chart's end that may be without surveys, as a shop may be closed, before the newest one is missed."""


@dataclass(frozen=True)
class ChartMaker:
    """What all points of a chart share: figure, unit, force-majeure rule, silent weight, and what is assessable."""

    figure: ChartFigure
    unit: str
    rule: Rule
    silent_weight: float
    is_assessable: Callable[[RowCounts], bool]
    k_variance: float | None = None  # of an estimated silent weight, for all points as for the whole chart

    def sums(self, counts: RowCounts) -> ScoreSums:
        """Return the sums of a point's scores."""
        return self.figure.sums(counts, self.rule, self.silent_weight)


@dataclass(frozen=True)
class ChartPoint:
    """A unit with its counts, the number of its range (from 1), and whether it is judged, else why not."""

    unit: ChartUnit
    counts: RowCounts
    range_number: int
    state: str


def make_points(
    maker: ChartMaker, units: Sequence[ChartUnit], groups: dict[str, list[CountsOfGroup]], starts: Sequence[int]
) -> list[ChartPoint]:
    """Return the points of units, the oldest first; `starts` are the indices of units with which new ranges begin."""
    borders = [0, *starts, len(units)]
    found: list[ChartPoint] = []
    for number, (first, end) in enumerate(pairwise(borders), 1):
        made = _pooled if maker.unit == "day" else _single
        for unit, counts in made(maker, units[first:end], groups, is_last=end == len(units)):
            found.append(ChartPoint(unit, counts, number, _state(maker, unit, counts)))
    return found


def newest_judgeable(points: Sequence[ChartPoint], unit: str) -> ChartPoint | None:
    """Return the point of the newest unit that is over; days without surveys at the end may be days of closing."""
    complete = [point for point in points if point.unit.is_complete]
    for point in reversed(complete[-CLOSED_DAYS - 1 :] if unit == "day" else []):
        if point.state != NO_SURVEYS:
            return point
    return complete[-1] if complete else None


def counts_of(groups: Sequence[CountsOfGroup]) -> RowCounts:
    """Return the counts of several groups together."""
    counts = RowCounts()
    for group in groups:
        counts.add(group)
    return counts


def _single(
    _maker: ChartMaker, units: Sequence[ChartUnit], groups: dict[str, list[CountsOfGroup]], *, is_last: bool
) -> Iterator[tuple[ChartUnit, RowCounts]]:
    del is_last
    for unit in units:
        yield unit, counts_of(groups.get(unit.name, []))


def _pooled(
    maker: ChartMaker, units: Sequence[ChartUnit], groups: dict[str, list[CountsOfGroup]], *, is_last: bool
) -> Iterator[tuple[ChartUnit, RowCounts]]:
    """Yield days, or several in a row as one. In the last range, days at the end that are too few wait for more."""
    for is_complete, some in groupby(units, key=lambda unit: unit.is_complete):
        days = list(some)
        if not is_complete:
            yield from _single(maker, days, groups, is_last=is_last)
            continue
        sums = [maker.sums(counts_of(groups.get(day.name, []))) for day in days]
        limits = limits_of([point for point in sums if point.size], maker.figure.ends, is_rate=maker.figure.is_rate)
        share = maker.figure.share(limits.centre) if limits else 0.0
        for pool in pools(days, [point.size for point in sums], share, kpi.TOO_FEW):
            counts = counts_of([group for day in pool for group in groups.get(day.name, [])])
            size = maker.sums(counts).size
            waits = is_last and size > 0 and not is_enough(size, share, kpi.TOO_FEW)
            yield joined(pool, is_complete=not waits), counts


def _state(maker: ChartMaker, unit: ChartUnit, counts: RowCounts) -> str:
    if not unit.is_complete:
        return PART
    if not (counts.surveys or counts.force_majeures):
        return NO_SURVEYS
    if not maker.figure.is_rate and not maker.is_assessable(counts):
        return NOT_ASSESSABLE
    return JUDGED if maker.sums(counts).size >= kpi.TOO_FEW else TOO_FEW
