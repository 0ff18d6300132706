"""The indices and their intervals: arithmetic alone, no I/O and no clock.

The counts and formulas are those of the method (see `Answers`); k is the silent weight, 0 to 1. All intervals are 95 %.
`tests/benchmarks/interval_coverage.py` computes how often they cover the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""

TOO_FEW = 30
"""With fewer surveys the two indices are not shown."""

FEW = 60
"""With fewer surveys the two indices are flagged."""

EXTREME_WEIGHT = 0.75
MIDDLE_WEIGHT = 1.5
"""Pseudo-observations of the adjusted Wald interval: 3/4 at each end of the scale and 3/2 in its middle.

B. Rocks, "Interval Estimation for the 'Net Promoter Score'", The American Statistician 70(4), 2016, 365-372.
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """How many surveys had which outcome; `error` is not among them."""

    yes: int = 0
    no: int = 0
    cant_say: int = 0
    silent: int = 0

    @property
    def surveys(self) -> int:
        """N, the surveys that count."""
        return self.yes + self.no + self.cant_say + self.silent


class Estimate(NamedTuple):
    """A value with its 95 % interval (low <= value <= high)."""

    value: float
    low: float
    high: float


class Index(NamedTuple):
    """An index that uses the silent weight: its estimate and its silent bounds, the values at k = 0 and at k = 1."""

    value: float
    low: float
    high: float
    at_k0: float
    at_k1: float


def dissatisfaction_index(answers: Answers, k: float) -> Index | None:
    """Give (D + k·S) / N within [0, 1]; None without surveys.

    Where k is 0 or 1 the index is a plain share and has Wilson's interval, else Rocks' adjusted Wald.
    """
    surveys = answers.surveys
    if not surveys:
        return None
    at_k0 = answers.no / surveys
    at_k1 = (answers.no + answers.silent) / surveys
    if k == 0:
        estimate = wilson(answers.no, surveys)
    elif k == 1:
        estimate = wilson(answers.no + answers.silent, surveys)
    else:
        satisfied = answers.yes + answers.cant_say
        estimate = adjusted_wald(
            scores=((1.0, answers.no), (k, answers.silent), (0.0, satisfied)), ends=(0.0, 1.0), middle=k
        )
    return Index(*estimate, at_k0, at_k1)


def emotional_loyalty_index(answers: Answers, k: float) -> Index | None:
    """Give (Y - D - k·S) / N within [-1, 1], with Rocks' adjusted Wald interval; None without surveys."""
    surveys = answers.surveys
    if not surveys:
        return None
    estimate = adjusted_wald(
        scores=((1.0, answers.yes), (0.0, answers.cant_say), (-1.0, answers.no), (-k, answers.silent)),
        ends=(-1.0, 1.0),
        middle=0.0,
    )
    at_k0 = (answers.yes - answers.no) / surveys
    at_k1 = (answers.yes - answers.no - answers.silent) / surveys
    return Index(*estimate, at_k0, at_k1)


def response_rate(answers: Answers) -> Estimate | None:
    """Give (Y + D + C) / N with Wilson's interval; None without surveys."""
    return wilson(answers.surveys - answers.silent, answers.surveys) if answers.surveys else None


def ratio(count: int, of: int | None) -> float | None:
    """Divide counts of different things (exact conversion, visitor coverage, force-majeure level); None where unknown.

    Never clipped: an exact conversion above 1 is a fault that must be seen.
    """
    return count / of if of else None


def wilson(count: int, of: int) -> Estimate:
    """Estimate a plain share with Wilson's score interval. Needs `of` above 0.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927, 209-212.
    """
    share = count / of
    spread = Z * Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return _within(share, centre - half, centre + half, (0.0, 1.0))


def adjusted_wald(scores: tuple[tuple[float, int], ...], ends: tuple[float, float], middle: float) -> Estimate:
    """Estimate the mean of scores, given as (score, how many), with pseudo-observations at the scale's ends and middle.

    The variance of the mean is (E[x²] - mean²) / N, all with the pseudo-observations counted in.
    """
    observed = sum(count for _, count in scores)
    value = sum(score * count for score, count in scores) / observed
    weighted = (*scores, (ends[0], EXTREME_WEIGHT), (ends[1], EXTREME_WEIGHT), (middle, MIDDLE_WEIGHT))
    total = sum(weight for _, weight in weighted)
    mean = sum(score * weight for score, weight in weighted) / total
    mean_square = sum(score * score * weight for score, weight in weighted) / total
    half = Z * sqrt(max(0.0, mean_square - mean * mean) / total)
    return _within(value, mean - half, mean + half, ends)


def _within(value: float, low: float, high: float, ends: tuple[float, float]) -> Estimate:
    """Keep the bounds inside the range and around the value (rounding could put them a hair beside it)."""
    return Estimate(value, min(value, max(ends[0], low)), max(value, min(ends[1], high)))
