"""Write a control chart as `trivox chart --format json` shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bridge.reports import kpi
from bridge.reports.control_chart import annotated
from bridge.reports.control_chart.chart_notes import chart_notes
from bridge.reports.control_chart.judgement import FEW_CROSSINGS, LONG_RUN, judge, target_words
from bridge.reports.control_chart.laney import TRIAL
from bridge.reports.control_chart.plain_words import in_unit
from bridge.reports.control_chart.points import JUDGED, newest_judgeable
from bridge.text import plural

if TYPE_CHECKING:
    from bridge.model.annotation import Annotation
    from bridge.model.target import Target
    from bridge.reports.control_chart.judgement import ChartSignal, RangeJudgement
    from bridge.reports.control_chart.plain_words import PlainWords
    from bridge.reports.control_chart.points import ChartMaker, ChartPoint
    from bridge.reports.row_counts import RowCounts

Row = dict[str, Any]

SIDES = {1: "above", -1: "below", 0: None}


@dataclass(frozen=True)
class ChartParts:
    """What a chart is made of; beside each annotation stands the number of the range that begins with it, or None."""

    columns: Row
    maker: ChartMaker
    points: list[ChartPoint]
    annotations: list[tuple[Annotation, int | None]]
    total: RowCounts
    settings: Row
    target: Target | None = None


@dataclass(frozen=True)
class _Range:
    """A range: its points that are judged, and what they say at the silent weight, and at 0 and 1."""

    number: int
    points: list[ChartPoint]
    judged: list[ChartPoint]
    judgements: list[RangeJudgement]  # one where the figure does not depend on the silent weight

    @property
    def main(self) -> RangeJudgement:
        """What they say at the silent weight."""
        return self.judgements[0]

    @property
    def is_trial(self) -> bool:
        """Whether its limits are of too few points."""
        return len(self.judged) < TRIAL


def chart_row(parts: ChartParts) -> Row:
    """Return a chart as an object."""
    maker, figure = parts.maker, parts.maker.figure
    newest = newest_judgeable(parts.points, maker.unit)
    ranges = _ranges(parts, newest)
    current = next((some for some in ranges if newest in some.points), ranges[-1])
    main = current.main
    row = parts.columns | {"figure": figure.name, "unit": maker.unit, "range": current.number} | _centre(current)
    row["points"] = [shown for some in ranges for shown in _points(maker, some)]
    row["ranges"] = [_range_object(some) for some in ranges]
    row["runs"] = _runs(main)
    row["signals"] = [_signal(signal, current) for signal in main.signals]
    row["annotations"] = [annotated.as_object(note, begins) for note, begins in parts.annotations]
    row["change"] = _change(current, newest)
    row["target"] = _target(parts, current)
    row["expected_false_signals"] = main.chance
    row["trial_limits"] = current.is_trial
    row["settings"] = parts.settings
    row["notes"] = chart_notes(row, figure, parts.total)
    return row


def _ranges(parts: ChartParts, newest: ChartPoint | None) -> list[_Range]:
    """Return the ranges; only in that of the newest point can this one signal."""
    weights = [parts.maker.silent_weight, *([0.0, 1.0] if parts.maker.figure.uses_weight else [])]
    found = []
    for number in range(1, max((point.range_number for point in parts.points), default=1) + 1):
        points = [point for point in parts.points if point.range_number == number]
        judged = [point for point in points if point.state == JUDGED]
        judgements = []
        for weight in weights:
            maker = replace(parts.maker, silent_weight=weight)
            sums = [maker.sums(point.counts) for point in judged]
            judgements.append(judge(sums, maker.figure, is_newest_there=bool(judged) and judged[-1] is newest))
        found.append(_Range(number, points, judged, judgements))
    return found


def _centre(some: _Range) -> Row:
    """Return the centre of a range, of an index with its silent bounds, and sigma_z."""
    found: Row = dict.fromkeys(("centre", "centre_at_k0", "centre_at_k1"))
    for name, judgement in zip(found, some.judgements, strict=False):
        found[name] = judgement.limits.centre if judgement.limits else None
    return found | {"sigma_z": some.main.limits.sigma_z if some.main.limits else None}


def _range_object(some: _Range) -> Row:
    first, last = (some.points[0].unit.first, some.points[-1].unit.following) if some.points else (None, None)
    days = {"from": first.isoformat() if first else None, "to": last.isoformat() if last else None}
    return {"range": some.number, **days, "judged": len(some.judged), **_centre(some), "trial_limits": some.is_trial}


def _points(maker: ChartMaker, some: _Range) -> list[Row]:
    beyond = {id(point): side for point, side in zip(some.judged, some.main.beyond, strict=True)}
    return [_point(maker, point, some.main, beyond.get(id(point), 0)) for point in some.points]


def _point(maker: ChartMaker, point: ChartPoint, judgement: RangeJudgement, beyond: int) -> Row:
    unit, counts = point.unit, point.counts
    answers, errors = counts.under_rule(maker.rule)
    size = maker.sums(counts).size
    is_shown = size >= kpi.TOO_FEW
    value = maker.figure.value(counts, maker.rule, maker.silent_weight, maker.k_variance)
    limits = judgement.limits.at(size) if judgement.limits and is_shown else None
    return {
        "name": unit.name,
        "from": unit.first.isoformat(),
        "to": unit.following.isoformat(),
        "last_day": unit.last.isoformat(),
        "surveys": answers.surveys,
        **{name: getattr(answers, name) for name in ("yes", "no", "cant_say", "silent")},
        "error": errors,
        "left_out": counts.surveys - answers.surveys,
        "force_majeures": counts.force_majeures,
        **(value if is_shown else dict.fromkeys(value)),
        "lower_limit": limits[0] if limits else None,
        "upper_limit": limits[1] if limits else None,
        "range": point.range_number,
        "state": point.state,
        "beyond": SIDES[beyond],
    }


def _runs(judgement: RangeJudgement) -> Row:
    runs = judgement.runs
    return {
        "useful": runs.useful,
        "longest_run": runs.longest.length if runs.longest else 0,
        "longest_run_max": runs.longest_max,
        "crossings": runs.crossings,
        "crossings_min": runs.crossings_min,
    }


def _signal(signal: ChartSignal, some: _Range) -> Row:
    first, last = some.judged[signal.first].unit, some.judged[signal.last].unit
    return {
        "rule": signal.rule,
        "side": SIDES[signal.side],
        "from": first.first.isoformat(),
        "to": last.following.isoformat(),
        "words": _in_words(signal, some, first.name, last.name),
    }


def _in_words(signal: ChartSignal, some: _Range, first: str, last: str) -> str:
    runs, side = some.main.runs, SIDES[signal.side]
    if signal.rule == LONG_RUN and runs.longest and runs.longest_max:
        return (
            f"{runs.longest.length} in a row {side} the centre, from {first} to {last}: more than "
            f"{runs.longest_max:.2f}"
        )
    if signal.rule == FEW_CROSSINGS:
        return f"the centre is crossed {plural(runs.crossings, 'time')}, fewer than {runs.crossings_min}"
    return f"{last} lies {side} its limits"


def _change(some: _Range, newest: ChartPoint | None) -> Row:
    """Return what is said of change, with its sign, the newest point, and what would be said at k = 0 and k = 1."""
    bounds: list[str | None] = [judgement.change.name for judgement in some.judgements[1:]] or [None, None]
    newest_name = newest.unit.name if newest else None
    return said(some.main.change) | {"newest": newest_name, "at_k0": bounds[0], "at_k1": bounds[1]}


def _target(parts: ChartParts, some: _Range) -> Row | None:
    """Return the target with what the limits say of it; None if there is none."""
    target = parts.target
    if target is None or target.value is None:
        return None
    sizes = [parts.maker.sums(point.counts).size for point in some.judged]
    words = target_words(target.value, some.judgements, sizes, parts.maker.figure)
    told = {"value": target.value, "in_words": target.in_words, "of": str(target.scope)}
    return told | {"from": target.from_day.isoformat()} | said(words, parts.maker.unit)


def said(plain: PlainWords, unit: str = "week") -> Row:
    """Return plain words as an object."""
    return {"name": plain.name, "words": in_unit(plain.words, unit), "sign": plain.sign}
