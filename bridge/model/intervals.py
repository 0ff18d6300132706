"""Compute 95 % intervals of shares and of mean scores. Only arithmetic.

`tests/benchmarks/interval_coverage.py` computes how often they cover the true value.
"""

from __future__ import annotations

from math import copysign, sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""

EXTREME_WEIGHT = 0.75
MIDDLE_WEIGHT = 1.5
"""Pseudo-observations of the adjusted Wald interval: 3/4 at each end of the scale, 3/2 in its middle.

B. Rocks, "Interval Estimation for the 'Net Promoter Score'", The American Statistician 70(4), 2016, 365-372.
"""


class Estimate(NamedTuple):
    """A value with its 95 % interval: low <= value <= high."""

    value: float
    low: float
    high: float


def wilson(count: int, of: int) -> Estimate:
    """Return the share `count` / `of` with Wilson's score interval, within [0, 1].

    Raises ZeroDivisionError if `of` is 0.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927, 209-212.
    """
    share = count / of
    spread = Z * Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return _within(share, centre - half, centre + half, (0.0, 1.0))


def between_nested(inner: int, outer: int, of: int, weight: float) -> Estimate:
    """Return a weighted mean of two shares, `inner` / `of` and `outer` / `of`, the first of them part of the second.

    The weight is that of `outer`, from 0 to 1. The interval is Wilson's at both ends and moves between them without a
    jump: the distances to the bounds of both shares are joined as those of correlated estimates. Raises
    ZeroDivisionError if `of` is 0.

    G. Y. Zou, A. Donner, "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008,
    1693-1702.
    """
    first, second = wilson(inner, of), wilson(outer, of)
    value = (inner + weight * (outer - inner)) / of
    correlation = 1.0 if inner == outer else sqrt(inner * (of - outer) / (outer * (of - inner)))
    low = _joined_bound((first.value, second.value), (first.low, second.low), weight, correlation)
    high = _joined_bound((first.value, second.value), (first.high, second.high), weight, correlation)
    return _within(value, low, high, (0.0, 1.0))


def _joined_bound(shares: tuple[float, float], bounds: tuple[float, float], weight: float, correlation: float) -> float:
    """Return the bound of a weighted mean, from the bounds of both shares to the same side."""
    first, second = (1 - weight) * (bounds[0] - shares[0]), weight * (bounds[1] - shares[1])
    joined = sqrt(first * first + second * second + 2 * correlation * first * second)
    farthest = (1 - weight) * bounds[0] + weight * bounds[1]  # as if the estimates were always wrong together
    return farthest - (first + second) + copysign(joined, first + second)


def adjusted_wald(
    scores: tuple[tuple[float, int], ...], ends: tuple[float, float], more_variance: float = 0.0
) -> Estimate:
    """Return the mean of `scores`, pairs of a score and its count, with Rocks' adjusted Wald interval within `ends`.

    The value is the plain mean. The interval is mean ± Z · √((E[x²] - mean²) / n + `more_variance`), where mean, E[x²]
    and n include pseudo-observations at both ends of the scale and in its middle (Rocks 2016, see EXTREME_WEIGHT).
    Raises ZeroDivisionError if all counts are 0.
    """
    observed = sum(count for _, count in scores)
    value = sum(score * count for score, count in scores) / observed
    low, high = ends
    weighted = (*scores, (low, EXTREME_WEIGHT), (high, EXTREME_WEIGHT), ((low + high) / 2, MIDDLE_WEIGHT))
    total = sum(weight for _, weight in weighted)
    mean = sum(score * weight for score, weight in weighted) / total
    mean_square = sum(score * score * weight for score, weight in weighted) / total
    half = Z * sqrt(max(0.0, mean_square - mean * mean) / total + more_variance)
    return _within(value, mean - half, mean + half, ends)


def _within(value: float, low: float, high: float, ends: tuple[float, float]) -> Estimate:
    """Keep the bounds within the range and around the value (rounding can put them a hair to its wrong side)."""
    return Estimate(value, min(value, max(ends[0], low)), max(value, min(ends[1], high)))
