"""Compute control charts from their definitions, sharing no code with the bridge."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import comb, log2, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SCORES = {
    "personnel": lambda k: {"yes": 0.0, "no": 1.0, "cant_say": 0.0, "silent": k},
    "loyalty": lambda k: {"yes": 1.0, "no": -1.0, "cant_say": 0.0, "silent": -k},
}
RANGES = {"personnel": (0.0, 1.0), "loyalty": (-1.0, 1.0)}
Outcomes = dict[str, int]


class ExpectedChart(NamedTuple):
    """The centre, sigma_z, and each week's value and limits."""

    centre: float
    sigma_z: float
    values: list[float]
    limits: list[tuple[float, float]]


def expected_chart(weeks: Sequence[Outcomes], kind: str, k: float) -> ExpectedChart:
    """Lay out every survey as a score, and compute the p' chart of them."""
    scores = SCORES[kind](k)
    each = [[scores[outcome] for outcome, count in week.items() for _ in range(count)] for week in weeks]
    every = [score for week in each for score in week]
    centre = sum(every) / len(every)
    variance = sum((score - centre) ** 2 for score in every) / len(every)
    values = [sum(week) / len(week) for week in each]
    sigmas = [sqrt(variance / len(week)) for week in each]
    z = [(value - centre) / sigma for value, sigma in zip(values, sigmas, strict=True)]
    sigma_z = sum(abs(z[i] - z[i - 1]) for i in range(1, len(z))) / (len(z) - 1) / 1.128
    low, high = RANGES[kind]
    limits = [(max(low, centre - 3 * s * sigma_z), min(high, centre + 3 * s * sigma_z)) for s in sigmas]
    return ExpectedChart(centre, sigma_z, values, limits)


class ExpectedRuns(NamedTuple):
    """What Anhøj's rules look at, and whether they signal."""

    useful: int
    longest_run: int
    crossings: int
    is_long: bool
    are_few: bool


def expected_runs(values: Sequence[float], centre: float) -> ExpectedRuns:
    """Count runs and crossings one point after another."""
    sides = [value > centre for value in values if abs(value - centre) > 1e-12]
    longest = current = crossings = 0
    for place, side in enumerate(sides):
        if place and side != sides[place - 1]:
            crossings += 1
            current = 0
        current += 1
        longest = max(longest, current)
    is_long = bool(sides) and longest > log2(len(sides)) + 3
    return ExpectedRuns(len(sides), longest, crossings, is_long, crossings < crossings_limit(len(sides)))


def crossings_limit(useful: int) -> int:
    """Return the 5 % quantile of a binomial distribution of `useful` - 1 tosses of a coin, in exact fractions."""
    tosses, reached = max(0, useful - 1), Fraction(0)
    for crossings in range(tosses + 1):
        reached += Fraction(comb(tosses, crossings), 2**tosses)
        if reached >= Fraction(5, 100):
            return crossings
    raise AssertionError("the probabilities of all numbers of crossings make 1")


def usual_patterns(useful: int) -> list[int]:
    """Count, by how many points lie above, the patterns of sides that do not signal: by trying all of them."""
    found = [0] * (useful + 1)
    for sides in product((1.0, -1.0), repeat=useful):
        runs = expected_runs(sides, 0.0)
        if not (runs.is_long or runs.are_few):
            found[sides.count(1.0)] += 1
    return found
