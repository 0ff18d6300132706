"""Judge the points of a chart's range: its limits, its signals, what they mean in plain words, and its target. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.control_chart.anhoej import find_runs, most_in_a_row
from bridge.reports.control_chart.chance import chance_of_signal
from bridge.reports.control_chart.laney import LEAST_TO_SIGNAL, TRIAL, limits_of
from bridge.reports.control_chart.plain_words import (
    BETTER,
    CANNOT_BE_TOLD,
    RELIABLY_MET,
    RELIABLY_MISSED,
    SOMETIMES_MET,
    TOO_FEW,
    USUAL,
    WORSE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bridge.reports.control_chart.anhoej import Runs
    from bridge.reports.control_chart.figures import ChartFigure
    from bridge.reports.control_chart.laney import Limits, ScoreSums
    from bridge.reports.control_chart.plain_words import PlainWords

NEWEST_BEYOND, LONG_RUN, FEW_CROSSINGS = "newest_beyond_limits", "long_run", "few_crossings"


class ChartSignal(NamedTuple):
    """A signal: its rule, the side of the centre on which the points concerned lie, and the first and last of them."""

    rule: str
    side: int  # 1 above, -1 below
    first: int
    last: int


class RangeJudgement(NamedTuple):
    """What the points of a range say. `beyond` is each point's side if it lies beyond its limits, else 0."""

    limits: Limits | None
    beyond: list[int]
    runs: Runs
    signals: list[ChartSignal]
    change: PlainWords
    chance: float


def judge(points: Sequence[ScoreSums], figure: ChartFigure, *, is_newest_there: bool) -> RangeJudgement:
    """Judge points of at least one survey each, the oldest first.

    `is_newest_there`: the last of them is the newest unit that is over, not just the last one that could be judged.
    """
    limits = limits_of(points, figure.ends, is_rate=figure.is_rate)
    beyond = [limits.side_beyond(point) for point in points] if limits else []
    runs = find_runs([limits.side(point.value) for point in points] if limits else [])
    newest_side = beyond[-1] if beyond and is_newest_there else 0
    shift_side = _side_of_newest(points, limits, runs) if limits and (runs.is_long or runs.are_few) else 0
    signals = _signals(runs, len(points), newest_side, shift_side)
    side = newest_side or shift_side
    if signals:
        change = BETTER if (side > 0) == figure.higher_is_better else WORSE
    else:
        change = USUAL if is_newest_there and len(points) >= LEAST_TO_SIGNAL else TOO_FEW
    return RangeJudgement(limits, beyond, runs, signals, change, chance_of_signal(len(points), runs.useful))


def _signals(runs: Runs, points: int, newest_side: int, shift_side: int) -> list[ChartSignal]:
    found = [ChartSignal(NEWEST_BEYOND, newest_side, points - 1, points - 1)] if newest_side else []
    if runs.is_long and runs.longest:
        found.append(ChartSignal(LONG_RUN, runs.longest.side, runs.longest.first, runs.longest.last))
    if runs.are_few:
        found.append(ChartSignal(FEW_CROSSINGS, shift_side, 0, points - 1))
    return found


def _side_of_newest(points: Sequence[ScoreSums], limits: Limits, runs: Runs) -> int:
    """Return the side on which the newest points lie, taken together: as many as can usually be in a row."""
    newest = points[-most_in_a_row(runs.useful) :]
    value = sum(point.total for point in newest) / sum(point.size for point in newest)
    return 1 if value > limits.centre else -1


def target_words(
    target: float, judgements: Sequence[RangeJudgement], sizes: Sequence[int], figure: ChartFigure
) -> PlainWords:
    """Return whether the limits say that a target is met: as the figure is, and at both silent bounds.

    `judgements` are of the same points at each of these silent weights, `sizes` the surveys of the points. Where they
    disagree, or the limits are trial limits, it cannot be told.
    """
    if len(sizes) < TRIAL:
        return CANNOT_BE_TOLD
    found = {_at_one_weight(target, judgement.limits, sizes, figure) for judgement in judgements}
    return found.pop() if len(found) == 1 else CANNOT_BE_TOLD


def _at_one_weight(target: float, limits: Limits | None, sizes: Sequence[int], figure: ChartFigure) -> PlainWords:
    spans = [span for size in sizes if limits and (span := limits.at(size))]
    if not spans:
        return CANNOT_BE_TOLD
    lowest, highest = min(low for low, _ in spans), max(high for _, high in spans)
    worst, best = (lowest, highest) if figure.higher_is_better else (-highest, -lowest)
    wanted = target if figure.higher_is_better else -target
    if worst >= wanted:
        return RELIABLY_MET
    return RELIABLY_MISSED if best < wanted else SOMETIMES_MET
