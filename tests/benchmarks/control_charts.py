"""Simulate control charts: sigma_z where only chance is at work, how often such charts signal, and power for a shift.

Weeks of surveys are drawn from the same shares; their charts at all silent weights are judged as `trivox chart` does.

    python -m tests.benchmarks control_charts
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.control_chart.chance import chance_of_signal
from bridge.reports.control_chart.figures import FIGURES
from bridge.reports.control_chart.judgement import NEWEST_BEYOND, judge
from bridge.reports.control_chart.laney import ScoreSums
from tests.benchmarks.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bridge.reports.control_chart.judgement import RangeJudgement

SHARES = (
    (0.06, 0.03, 0.01, 0.90),
    (0.08, 0.02, 0.01, 0.89),
    (0.55, 0.10, 0.05, 0.30),
    (0.70, 0.08, 0.07, 0.15),
    (0.30, 0.30, 0.10, 0.30),
)
"""Shares of yes, no, can't say and silent."""
SIZES = (60, 250)
SILENT_WEIGHTS = (0.0, 0.02, 0.25, 0.5, 0.98, 1.0)
INDICES = ("dissatisfaction_index", "emotional_loyalty_index")
WEEKS, LONG = 26, 60
CHARTS = 500
LEAST_EXPECTED = 5
SHIFTED_WEEKS = 8
Week = tuple[int, ...]
Chart = list[Week]


class SimulatedCharts(NamedTuple):
    """The judgements of stable charts of an index at a silent weight, with weeks of one size."""

    index: str
    silent_weight: float
    shares: tuple[float, ...]
    size: int
    judgements: list[RangeJudgement]

    @property
    def sigma_z(self) -> float:
        """The mean sigma_z."""
        return mean(found.limits.sigma_z or 0.0 for found in self.judgements if found.limits)

    @property
    def signals(self) -> float:
        """The share of charts that signal."""
        return mean(bool(found.signals) for found in self.judgements)

    @property
    def is_rough(self) -> bool:
        """Whether fewer than 5 surveys of a week lie towards the nearer end of the index's range."""
        low, high = FIGURES[self.index].ends
        centre = mean(found.limits.centre for found in self.judgements if found.limits)
        return self.size * min(centre - low, high - centre) / (high - low) < LEAST_EXPECTED


def mean(values: Iterator[float]) -> float:
    """Return the mean of values."""
    found = list(values)
    return sum(found) / len(found)


def draw(rng: random.Random, size: int, shares: Sequence[float]) -> Week:
    """Draw the outcomes of a week."""
    found = rng.choices(range(4), shares, k=size)
    return tuple(found.count(outcome) for outcome in range(4))


def uneven(rng: random.Random, size: int, shares: Sequence[float]) -> Week:
    """Draw a week that has a share of silents of its own."""
    silent = min(0.98, max(0.02, rng.gauss(shares[3], 0.08)))
    rest = (1 - silent) / (1 - shares[3])
    return draw(rng, size, [*(share * rest for share in shares[:3]), silent])


def judged(chart: Chart, index: str, k: float) -> RangeJudgement:
    """Judge the weeks of a chart."""
    figure = FIGURES[index]
    scores = [score or 0.0 for score in figure.scores(k)] if figure.scores else []
    sums = [
        ScoreSums(
            sum(week),
            sum(number * score for number, score in zip(week, scores, strict=True)),
            sum(number * score * score for number, score in zip(week, scores, strict=True)),
        )
        for week in chart
    ]
    return judge(sums, figure, is_newest_there=True)


def simulated(rng: random.Random, how: Callable[..., Week], weeks: int, charts: int) -> Iterator[SimulatedCharts]:
    """Simulate charts over the whole grid."""
    for shares in SHARES:
        for size in SIZES:
            drawn = [[how(rng, size, shares) for _ in range(weeks)] for _ in range(charts)]
            for index in INDICES:
                for k in SILENT_WEIGHTS:
                    yield SimulatedCharts(index, k, shares, size, [judged(chart, index, k) for chart in drawn])


def shifted(rng: random.Random, size: int, shares: Sequence[float], points: float) -> Chart:
    """Draw a chart of whose last weeks more of the surveys are answered *no*, in place of *yes*."""
    yes, no, *others = shares
    after = (yes - points, no + points, *others)
    return [draw(rng, size, after if week >= WEEKS - SHIFTED_WEEKS else shares) for week in range(WEEKS)]


def print_grid(found: Sequence[SimulatedCharts]) -> None:
    """Print sigma_z and the share of charts that signal at each point."""
    sys.stdout.write("  stable charts: sigma_z, share that signals in percent (shares: yes, no, can't say, silent)\n")
    sys.stdout.write(f"  {'index':24} {'shares':20} {'N':>4}" + "".join(f"{f'k={k:g}':>13}" for k in SILENT_WEIGHTS))
    for place, point in enumerate(found):
        if place % len(SILENT_WEIGHTS) == 0:
            shares = " ".join(f"{share:.2f}" for share in point.shares)
            sys.stdout.write(f"\n  {point.index:24} {shares:20} {point.size:>4}")
        mark = "*" if point.is_rough else " "
        sys.stdout.write(f"{point.sigma_z:7.2f} {100 * point.signals:4.1f}{mark}")
    sys.stdout.write("\n  *: fewer than 5 surveys of a week lie towards the nearer end of the index's range\n")


def print_power(rng: random.Random) -> None:
    """Print how often a shift of the last weeks is found."""
    for points in (0.03, 0.05, 0.10):
        charts = [shifted(rng, 120, SHARES[2], points) for _ in range(CHARTS)]
        found = mean(bool(judged(chart, INDICES[0], 0.5).signals) for chart in charts)
        sys.stdout.write(
            f"  {SHARES[2][1]:.0%} of no and {points:.0%} more in the last {SHIFTED_WEEKS} of {WEEKS} weeks of 120 "
            f"surveys: found in {found:.0%} of charts\n"
        )


def figures() -> Iterator[Figure]:
    """Print the grid and the power, then give the extremes of sigma_z and the shares of stable charts that signal."""
    rng = random.Random(7)
    grid = list(simulated(rng, draw, WEEKS, CHARTS))
    print_grid(grid)
    print_power(rng)
    smooth = [point for point in grid if not point.is_rough]
    note = f"{len(smooth)} points of {CHARTS} charts of {WEEKS} weeks"
    yield Figure("charts, sigma_z by chance, least", min(p.sigma_z for p in smooth), "", 0.9, at_most=False, note=note)
    yield Figure("charts, sigma_z by chance, most", max(p.sigma_z for p in smooth), "", 1.1, at_most=True, note=note)
    spread = mean(point.sigma_z for point in simulated(rng, uneven, WEEKS, 20) if point.silent_weight >= 0.25)
    yield Figure("charts, sigma_z where weeks differ, mean", spread, "", 1.1, at_most=False)
    expected = 100 * chance_of_signal(WEEKS, WEEKS)
    share = 100 * mean(point.signals for point in smooth)
    yield Figure("stable charts that signal", share, "%", 1.2 * expected, at_most=True, note=f"told: {expected:.2f} %")
    yield Figure("stable charts that signal", share, "%", 0.8 * expected, at_most=False, note=note)
    yield from long_charts(rng)


def long_charts(rng: random.Random) -> Iterator[Figure]:
    """Give the same of charts of 60 points: by Anhøj's rules alone, and with any point beyond 3 sigma."""
    charts = [[draw(rng, 250, SHARES[4]) for _ in range(LONG)] for _ in range(4 * CHARTS)]
    found = [judged(chart, INDICES[0], 0.5) for chart in charts]
    shifts = [any(signal.rule != NEWEST_BEYOND for signal in one.signals) for one in found]
    either = [shift or any(one.beyond) for shift, one in zip(shifts, found, strict=True)]
    yield Figure(f"… of {LONG} points, by a run or crossings", 100 * mean(iter(shifts)), "%", 10, at_most=True)
    note = "had any point counted in place of the newest"
    yield Figure(f"… of {LONG} points, with 3 sigma", 100 * mean(iter(either)), "%", 22, at_most=True, note=note)
