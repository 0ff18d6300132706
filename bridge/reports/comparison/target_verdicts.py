"""Say whether a figure meets its target in a part of a row's time, with the figure and its interval. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.model.intervals import Estimate
from bridge.model.local_time import utc_date
from bridge.model.target import AT_MOST, judge
from bridge.reports import kpi
from bridge.reports.comparison.aligned_days import in_words
from bridge.reports.comparison.sides import estimate_at
from bridge.reports.comparison.verdicts import WORDS, shown

if TYPE_CHECKING:
    from bridge.model.target import Target, TargetFigure
    from bridge.reports.comparison.sides import ComparedSide
    from bridge.reports.days import Days

NAMED = 3


@dataclass(frozen=True)
class TargetPart:
    """Days with the targets then in force for whomever a row is of.

    They are several, and None is one of them, if it is of places that have other targets, or none.
    """

    days: Days
    targets: tuple[Target | None, ...]

    @property
    def values(self) -> set[float | None]:
        """The values of the targets; None: no target."""
        return {target.value if target else None for target in self.targets}

    @property
    def only(self) -> Target | None:
        """The target, if it is one."""
        return self.targets[0] if len(self.values) == 1 else None


def judge_part(side: ComparedSide | None, figure: TargetFigure, part: TargetPart) -> dict[str, Any]:
    """Return what is said of a part, as JSON shows it; `side` None: it has no surveys."""
    verdict, value, why = _verdict(side, figure, part)
    target, days = part.only, part.days
    limit = target.value if target else None
    words = f"{WORDS[verdict]}: {_figure_in_words(figure, value)}{_target_in_words(part)}"
    return {
        "figure": figure,
        "from": days[0].isoformat(),
        "to": days[1].isoformat(),
        "at_most": limit if AT_MOST[figure] else None,
        "at_least": None if AT_MOST[figure] else limit,
        "scope": str(target.scope) if target else None,
        "set_on": utc_date(target.set_at_ms) if target else None,
        "surveys": side.row["surveys"] if side else 0,
        "value": value and value._asdict(),
        "difference": _less(value, limit)._asdict() if value and limit is not None else None,
        "verdict": verdict,
        "words": f"{words}{f' ({why})' if why else ''}",
    }


def _verdict(side: ComparedSide | None, figure: TargetFigure, part: TargetPart) -> tuple[str, Estimate | None, str]:
    """Return the verdict of a part, the figure's value, and what else there is to say."""
    if part.values == {None}:
        return "no_target", None, ""
    if side is None:
        return "too_few", None, "no surveys"
    if side.obstacle and not (side.obstacle == "no_index" and figure == "response_rate" and _are_enough(side)):
        return side.obstacle, None, side.why
    value, intervals = _intervals(side, figure)
    if part.only is None:
        named = [f"{target.in_words} for {target.scope}" for target in part.targets if target]
        more = ", …" if named[NAMED:] else ""
        none = " and none for others" if None in part.targets else ""
        return "cannot_be_told", value, f"there are several targets: {', '.join(named[:NAMED])}{more}{none}"
    verdict = judge(part.only, intervals)
    depends = verdict == "cannot_be_told" and judge(part.only, intervals[:1]) != verdict
    return verdict, value, "it depends on what silents think" if depends else ""


def _are_enough(side: ComparedSide) -> bool:
    return bool(side.row["surveys"] >= kpi.TOO_FEW) and not side.is_withheld


def _intervals(side: ComparedSide, figure: TargetFigure) -> tuple[Estimate | None, list[tuple[float, float]]]:
    """Return the value of a figure, and all intervals that must clear the target."""
    if figure == "response_rate":
        rate = side.row["response_rate"]
        found = [Estimate(rate["value"], rate["low"], rate["high"])]
    else:
        found = [estimate for estimate in (side.index, estimate_at(side, 0.0), estimate_at(side, 1.0)) if estimate]
    return found[0], [(estimate.low, estimate.high) for estimate in found]


def _less(value: Estimate, limit: float) -> Estimate:
    """Return by how much a value exceeds its target, with its interval."""
    return Estimate(*(bound - limit for bound in value))


def _figure_in_words(figure: TargetFigure, value: Estimate | None) -> str:
    name = figure.replace("_", " ")
    return f"{name} {shown(value)}" if value else name


def _target_in_words(part: TargetPart) -> str:
    target, first = part.only, part.days[0]
    if target is None:
        return f", {in_words(part.days)}"
    is_late = utc_date(target.set_at_ms) > first.isoformat()
    late = f", set on {utc_date(target.set_at_ms)} by {target.set_by}, after that time had begun" if is_late else ""
    return f", target {target.in_words} ({target.scope}){late}, {in_words(part.days)}"
