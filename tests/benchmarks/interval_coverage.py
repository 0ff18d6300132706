"""Compute how often the 95 % intervals of the two indices cover the true value, over the method's whole grid.

Nothing is drawn at random: every sample that could occur is weighted with its probability (samples rarer than one in
10^9 at a step are left out and count as not covered, so the figures are slightly too low).

    python -m tests.benchmarks interval_coverage
"""

from __future__ import annotations

import sys
from collections import Counter
from math import exp, lgamma, log
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports import kpi
from tests.benchmarks.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARES = (
    (0.06, 0.03, 0.01, 0.90),
    (0.08, 0.02, 0.01, 0.89),
    (0.55, 0.10, 0.05, 0.30),
    (0.70, 0.08, 0.07, 0.15),
    (0.30, 0.30, 0.10, 0.30),
)
"""Shares of yes, no, can't say and silent."""
SIZES = (30, 60, 120, 400, 1000)
SILENT_WEIGHTS = (0.0, 0.5, 1.0)
SCORES = {
    "dissatisfaction_index": lambda k: (0.0, 1.0, 0.0, k),
    "emotional_loyalty_index": lambda k: (1.0, -1.0, 0.0, -k),
}
RANGES = {"dissatisfaction_index": (0.0, 1.0), "emotional_loyalty_index": (-1.0, 1.0)}
RARE = 1e-9


class Point(NamedTuple):
    """One point of the grid with its true coverage."""

    index: str
    silent_weight: float
    shares: tuple[float, ...]
    surveys: int
    coverage: float


def coverage(index: str, k: float, shares: tuple[float, ...], surveys: int) -> float:
    """Sum the probabilities of all samples whose interval holds the true index; check each interval's range."""
    scores = SCORES[index](k)
    truth = sum(score * share for score, share in zip(scores, shares, strict=True))
    interval = getattr(kpi, index)
    lowest, highest = RANGES[index]
    covered = 0.0
    for sample, probability in _samples(surveys, _merged(scores, shares)):
        value, low, high, _, _ = interval(_answers(sample, scores), k)
        if not lowest <= low <= value <= high <= highest:
            raise AssertionError(f"{index} of {sample}: {low} <= {value} <= {high} does not hold in its range")
        if low - 1e-12 <= truth <= high + 1e-12:
            covered += probability
    return covered


def grid() -> Iterator[Point]:
    """Compute the coverage at every point."""
    for index in SCORES:
        for k in SILENT_WEIGHTS:
            for shares in SHARES:
                for surveys in SIZES:
                    yield Point(index, k, shares, surveys, coverage(index, k, shares, surveys))


def _merged(scores: tuple[float, ...], shares: tuple[float, ...]) -> dict[float, float]:
    """Join outcomes that score the same: the index cannot tell them apart."""
    merged: Counter[float] = Counter()
    for score, share in zip(scores, shares, strict=True):
        merged[score] += share
    return dict(merged)


def _answers(sample: dict[float, int], scores: tuple[float, ...]) -> kpi.Answers:
    """Give a sample of scores back as answers, each score as the first outcome that has it."""
    counts = [sample.get(score, 0) if scores.index(score) == place else 0 for place, score in enumerate(scores)]
    return kpi.Answers(*counts)


def _samples(surveys: int, shares: dict[float, float]) -> Iterator[tuple[dict[float, int], float]]:
    """Yield every sample with its probability: score by score, each binomial in what the earlier ones left."""
    (score, share), *others = shares.items()
    if not others:
        yield {score: surveys}, 1.0
        return
    left = share + sum(other for _, other in others)
    for count, probability in _binomial(surveys, min(1.0, share / left)):
        for sample, of_the_rest in _samples(surveys - count, dict(others)):
            yield {score: count, **sample}, probability * of_the_rest


def _binomial(size: int, share: float) -> Iterator[tuple[int, float]]:
    for count in range(size + 1):
        ways = lgamma(size + 1) - lgamma(count + 1) - lgamma(size - count + 1)
        probability = exp(ways + count * log(share) + (size - count) * log(1 - share))
        if probability > RARE:
            yield count, probability


def figures() -> Iterator[Figure]:
    """Print the whole grid, then give its mean and its worst point."""
    sys.stdout.write("  true coverage in percent (shares: yes, no, can't say, silent)\n")
    sys.stdout.write(f"  {'index':24} {'k':>3}  {'shares':24}" + "".join(f"{f'N={size}':>8}" for size in SIZES) + "\n")
    points = []
    for point in grid():
        if point.surveys == SIZES[0]:
            shares = " ".join(f"{share:.2f}" for share in point.shares)
            sys.stdout.write(f"  {point.index:24} {point.silent_weight:3.1f}  {shares:24}")
        points.append(point.coverage)
        sys.stdout.write(f"{100 * point.coverage:8.2f}" + ("\n" if point.surveys == SIZES[-1] else ""))
        sys.stdout.flush()
    mean = sum(points) / len(points)
    note = f"{len(points)} points, computed exactly"
    yield Figure("interval coverage, mean", 100 * mean, "%", 94, at_most=False, note=note)
    yield Figure("interval coverage, mean", 100 * mean, "%", 97, at_most=True, note=note)
    yield Figure("interval coverage, worst point", 100 * min(points), "%", 91, at_most=False, note=note)
