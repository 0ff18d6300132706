"""Estimate the silent weight k from what a follow-up of randomly drawn silents found. Only arithmetic.

Of m silents who were asked the same question again, b answered *no*: k is b / m. In loyalty, k is the mean of 1 for
each *no* and -1 for each *yes*, so that it may be negative. Who did not answer again scores 0; the bounds say what k
would be if all of them had said the best, or the worst.
"""

from __future__ import annotations

from math import erf, exp, lgamma, log, sqrt
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.intervals import EXTREME_WEIGHT, MIDDLE_WEIGHT, adjusted_wald, wilson

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bridge.model.intervals import Estimate

ASKED_MIN = 50
"""From fewer silents no weight is estimated."""

ANSWERS = ("yes", "no", "cant_say")
UNANSWERED = "unanswered"

UPPER_TAIL = 0.10
"""The limit of the variance between sellers is exceeded with this probability at most."""

_PSEUDO_SELLERS = ((2, 2.0), (2, 0.0))  # the pseudo-observations of k, as two sellers: all dissatisfied, and none
_PSEUDO_SELLERS_OF_LOYALTY = ((2, 2.0), (2, -2.0))
_HALVINGS = 50


class FollowUp(NamedTuple):
    """How many silents gave each answer when they were asked again, and how many none."""

    yes: int = 0
    no: int = 0
    cant_say: int = 0
    unanswered: int = 0

    @property
    def asked(self) -> int:
        """The number of silents asked, m."""
        return sum(self)


def lowest_weight(kind: str) -> float:
    """Return the lowest silent weight that a kind of question can have; the highest is 1."""
    return -1.0 if kind == "loyalty" else 0.0


def estimate_weight(kind: str, found: FollowUp) -> Estimate:
    """Return k with its 95 % interval: Wilson's, in loyalty Rocks'. Raises ZeroDivisionError if nobody was asked."""
    if kind != "loyalty":
        return wilson(found.no, found.asked)
    return adjusted_wald(((1.0, found.no), (0.0, found.cant_say + found.unanswered), (-1.0, found.yes)), (-1.0, 1.0))


def bounds_of_weight(kind: str, found: FollowUp) -> tuple[float, float]:
    """Return k if all who did not answer had said the best of the company, and if all had said *no*."""
    best = found._replace(yes=found.yes + found.unanswered, unanswered=0)
    worst = found._replace(no=found.no + found.unanswered, unanswered=0)
    return estimate_weight(kind, best).value, estimate_weight(kind, worst).value


def weight_variance(kind: str, found: FollowUp) -> float:
    """Return the variance of the estimate of k, with pseudo-observations.

    It is k(1 - k) / (m + 4), with k = (b + 2) / (m + 4); in loyalty that of Rocks' adjusted Wald interval.
    """
    return _variance_of_scores(kind, found) / (found.asked + (2 * EXTREME_WEIGHT + MIDDLE_WEIGHT if _is(kind) else 4))


def variance_between_sellers(kind: str, sellers: Sequence[FollowUp]) -> float:
    """Return the upper 90 % limit of the variance of k between sellers, from what was found of each one's silents.

    It is the variance at which the spread of the sellers' own k is as small as found, or smaller, with a probability of
    a tenth (W. Viechtbauer, Statistics in Medicine 26, 2007, 37-52: the Q-profile method), but never above that of
    single silents. Pseudo-observations are two more sellers, so that what was found of few sellers or few silents
    limits little. `tests/benchmarks/interval_coverage.py` computes how often it holds.
    """
    whole = FollowUp(*map(sum, zip(*sellers, strict=True))) if sellers else FollowUp()
    most = _variance_of_scores(kind, whole)
    groups = [(found.asked, _sum_of_scores(kind, found)) for found in sellers if found.asked > 1]
    groups += _PSEUDO_SELLERS_OF_LOYALTY if _is(kind) else _PSEUDO_SELLERS
    low, high = 0.0, most
    if chi_squared_at_most(_spread(groups, most, low), len(groups) - 1) <= UPPER_TAIL:
        return 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        is_likely = chi_squared_at_most(_spread(groups, most, middle), len(groups) - 1) > UPPER_TAIL
        low, high = (middle, high) if is_likely else (low, middle)
    return high


def _is(kind: str) -> bool:
    return kind == "loyalty"


def _sum_of_scores(kind: str, found: FollowUp) -> float:
    return float(found.no - found.yes if kind == "loyalty" else found.no)


def _variance_of_scores(kind: str, found: FollowUp) -> float:
    """Return the variance of the score of a single silent, with pseudo-observations."""
    if kind != "loyalty":
        share = (found.no + 2) / (found.asked + 4)
        return share * (1 - share)
    total = found.asked + 2 * EXTREME_WEIGHT + MIDDLE_WEIGHT
    return (found.no + found.yes + 2 * EXTREME_WEIGHT) / total - ((found.no - found.yes) / total) ** 2


def _spread(groups: Iterable[tuple[int, float]], of_one: float, between: float) -> float:
    """Return the weighted spread of the means of groups, each a size and a sum of scores.

    It follows a chi-squared distribution if scores have the variance `of_one`, of which `between` lies between groups.
    """
    means = [(total / size, 1 / (of_one / size + between * (1 - 1 / size))) for size, total in groups]
    weights = sum(weight for _, weight in means)
    centre = sum(mean * weight for mean, weight in means) / weights
    return sum(weight * (mean - centre) ** 2 for mean, weight in means)


def chi_squared_at_most(value: float, freedom: int) -> float:
    """Return the probability that a chi-squared variable with `freedom` degrees is at most `value`."""
    half = value / 2
    if half <= 0:
        return 0.0
    below, start = (erf(sqrt(half)), 1) if freedom % 2 else (1 - exp(-half), 2)
    terms = (exp(degree / 2 * log(half) - half - lgamma(degree / 2 + 1)) for degree in range(start, freedom, 2))
    return max(0.0, below - sum(terms))
