"""Compute the difference of two indices with its interval, and say whether it is clear. Pure.

R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17,
1998, 873-890, method 10: the distances from each value to its bounds are squared and added.
"""

from __future__ import annotations

from math import hypot
from typing import TYPE_CHECKING, Literal, NamedTuple

from bridge.model.intervals import Estimate
from bridge.reports import kpi

if TYPE_CHECKING:
    from bridge.reports.kpi import Answers, Index

DifferenceVerdict = Literal["better", "worse", "cannot_be_told_apart", "cannot_be_told"]


class Differences(NamedTuple):
    """The difference of an index at the stated silent weight, and at its bounds."""

    stated: Estimate
    at_k0: Estimate
    at_k1: Estimate


def index_at(kind: str, answers: Answers, k: float) -> Index | None:
    """Return the index of a question's kind at a silent weight; None if there are no surveys."""
    formula = kpi.emotional_loyalty_index if kind == "loyalty" else kpi.dissatisfaction_index
    return formula(answers, k)


def subtract(this: Estimate, other: Estimate) -> Estimate:
    """Return how much more one value is than another, independent one, with Newcombe's interval."""
    value = this.value - other.value
    below = hypot(this.value - this.low, other.high - other.value)
    above = hypot(this.high - this.value, other.value - other.low)
    return Estimate(value, value - below, value + above)


def differences(kind: str, this: tuple[Answers, Estimate], other: tuple[Answers, Estimate]) -> Differences:
    """Return by how much the index of one group exceeds that of another, each (answers, index at the stated weight)."""
    at_bounds = [subtract(_estimate(kind, this[0], k), _estimate(kind, other[0], k)) for k in (0.0, 1.0)]
    return Differences(subtract(this[1], other[1]), *at_bounds)


def verdict_of(kind: str, found: Differences) -> DifferenceVerdict:
    """Say whether the one is better: only where all three differences are clear, and on the same side.

    Where none is clear, the two cannot be told apart. Where they disagree, it depends on what silents think, and cannot
    be told.
    """
    sides = {_side(difference) for difference in found}
    if len(sides) > 1:
        return "cannot_be_told"
    side = sides.pop()
    if not side:
        return "cannot_be_told_apart"
    return "better" if (side > 0) == (kind == "loyalty") else "worse"


def _side(difference: Estimate) -> int:
    """Return 1 if a difference is clearly above 0, -1 if clearly below, else 0."""
    return int(difference.low > 0) - int(difference.high < 0)


def _estimate(kind: str, answers: Answers, k: float) -> Estimate:
    index = index_at(kind, answers, k)
    if index is None:
        raise ValueError("there are no surveys to compare")
    return Estimate(*index[:3])
