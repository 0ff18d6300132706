"""Compute the indices and their intervals. Only arithmetic: no I/O, no clock.

Of N surveys, Y were answered *yes*, D *no* and C *can't say*, and S were silent: N = Y + D + C + S. k is the silent
weight, from 0 (silents count as content) to 1 (as dissatisfied). bridge/reports/README.md, lists the formulas.
All values and bounds are shares, not percent, and all intervals are at 95 %: `tests/benchmarks/interval_coverage.py`
computes how often they cover the true value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""

TOO_FEW = 30
"""With fewer surveys than this neither index is shown."""

FEW = 60
"""With fewer surveys than this both indices are flagged."""

EXTREME_WEIGHT = 0.75
MIDDLE_WEIGHT = 1.5
"""Pseudo-observations of the adjusted Wald interval: 3/4 at each end of the scale, 3/2 in its middle.

B. Rocks, "Interval Estimation for the 'Net Promoter Score'", The American Statistician 70(4), 2016, 365-372.
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """The numbers of surveys by outcome: Y, D, C and S; `error` is not among them."""

    yes: int = 0
    no: int = 0
    cant_say: int = 0
    silent: int = 0

    @property
    def surveys(self) -> int:
        """N, the number of surveys that count."""
        return self.yes + self.no + self.cant_say + self.silent


class Estimate(NamedTuple):
    """A value with its 95 % interval: low <= value <= high."""

    value: float
    low: float
    high: float


class Index(NamedTuple):
    """An index that depends on the silent weight: its estimate and its silent bounds, the values at k = 0 and 1."""

    value: float
    low: float
    high: float
    at_k0: float
    at_k1: float


def dissatisfaction_index(answers: Answers, k: float) -> Index | None:
    """Return the dissatisfaction index, (D + k·S) / N, within [0, 1]; None if N is 0.

    At k = 0 and k = 1 the index is a plain share and has Wilson's interval (see `wilson`); between them it is the mean
    of scores 1 (no), k (silent) and 0 (yes, can't say) and has Rocks' (see `adjusted_wald`).
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
    """Return the emotional loyalty index, (Y - D - k·S) / N, within [-1, 1]; None if N is 0.

    It is the mean of scores 1 (yes), 0 (can't say), -1 (no) and -k (silent) and has Rocks' interval (see
    `adjusted_wald`).
    """
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
    """Return the response rate, (Y + D + C) / N, with Wilson's interval, within [0, 1]; None if N is 0."""
    return wilson(answers.surveys - answers.silent, answers.surveys) if answers.surveys else None


def answered_no_share(answers: Answers) -> Estimate | None:
    """Return the share of *no* among *yes* and *no*, with Wilson's interval; None if there are neither."""
    decided = answers.yes + answers.no
    return wilson(answers.no, decided) if decided else None


def ratio(count: int, of: int | None) -> float | None:
    """Divide one count by another; None if the divisor is unknown or 0.

    It serves exact conversion and visitor coverage (customers asked by transactions or visitors) and the force-majeure
    level (force majeures by surveys). Never clipped: an exact conversion above 1 is a fault that must be seen.
    """
    return count / of if of else None


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


def adjusted_wald(scores: tuple[tuple[float, int], ...], ends: tuple[float, float], middle: float) -> Estimate:
    """Return the mean of `scores`, pairs of a score and its count, with Rocks' adjusted Wald interval within `ends`.

    The value is the plain mean. The interval is mean ± Z · √((E[x²] - mean²) / n), where mean, E[x²] and n include
    pseudo-observations at both ends of the scale and in its `middle` (Rocks 2016, see EXTREME_WEIGHT). Raises
    ZeroDivisionError if all counts are 0.
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
    """Keep the bounds within the range and around the value (rounding can put them a hair to its wrong side)."""
    return Estimate(value, min(value, max(ends[0], low)), max(value, min(ends[1], high)))
