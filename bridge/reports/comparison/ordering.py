"""Say which of many are clearly better than which, and put them into groups, never into places. Pure.

Two are ordered if their difference, which is linear in the silent weight, has one sign at both of its bounds, and the
larger of the two p-values (of no difference there) survives Holm's procedure over all pairs shown.

S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979, 65-70.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import combinations
from math import erfc, exp, lgamma, log, sqrt
from typing import TYPE_CHECKING, Literal, NamedTuple

from bridge.model.intervals import EXTREME_WEIGHT, MIDDLE_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bridge.reports.kpi import Answers

ALPHA = 0.05
"""The most that the chance of any wrong order in a whole report may be."""

NEAR = 0.8
"""Two shares are surely alike, at a limit of p, if the square of z between them is below NEAR · ln(2 / limit).

The exact p-value falls fastest with z where one share is 0: then p / 2 is about exp(-z²).
"""

NEGLIGIBLE = 1e-9
"""When the chances left are at most this part of the sum of those before them, they need not be summed one by one."""

LEAST, MOST = 2, 3  # of a Pair

Group = Literal["better_than_most", "cannot_be_told_apart", "worse_than_most"]


class Pair(NamedTuple):
    """Two members by their numbers, of which the first is better, and how likely chance alone orders them so.

    That is the p-value, from `least` to `most`: to know it exactly takes more time, and seldom matters.
    """

    better: int
    worse: int
    least: float
    most: float


class GroupStanding(NamedTuple):
    """How many of the others a member is clearly better and clearly worse than, of how many, and its group."""

    better_than: int
    worse_than: int
    others: int
    group: Group


class SharesOrder:
    """Orders members by their dissatisfaction index.

    The p-value of a pair is the larger one of Fisher's exact test of the shares of *no*, and of *no* and silents.
    """

    def __init__(self, members: Sequence[Answers]) -> None:
        self._at_k0 = [_Share.of_counts(member.no, member.surveys) for member in members]
        self._at_k1 = [_Share.of_counts(member.no + member.silent, member.surveys) for member in members]

    def pairs(self, limit: float = ALPHA) -> list[Pair]:
        """Return the pairs with one order at k = 0 and at k = 1 whose p-value may be at most `limit`."""
        least_square, found = NEAR * log(2 / limit), []
        for one, two in combinations(range(len(self._at_k0)), 2):
            first, second = self._at_k0[one], self._at_k0[two]
            difference = first.share - second.share
            third, fourth = self._at_k1[one], self._at_k1[two]
            if difference * (third.share - fourth.share) <= 0 or _square(first, second) < least_square:
                continue
            if _square(third, fourth) >= least_square:
                bounds = _bounds(first, second), _bounds(third, fourth)
                least, most = max(bounds[0][0], bounds[1][0]), max(bounds[0][1], bounds[1][1])
                if least <= limit:
                    found.append(Pair(one, two, least, most) if difference < 0 else Pair(two, one, least, most))
        return found

    def exact(self, pair: Pair) -> Pair:
        """Return a pair with its exact p-value."""
        p = max(_fisher(shares[pair.better], shares[pair.worse]) for shares in (self._at_k0, self._at_k1))
        return Pair(pair.better, pair.worse, p, p)


class ScoresOrder:
    """Orders members by their emotional loyalty index, of which more is better.

    An estimated silent weight may be negative: then it is the lower bound.
    """

    def __init__(self, members: Sequence[Answers], lowest_weight: float = 0.0) -> None:
        weights = min(0.0, lowest_weight), 1.0
        self._bounds = [[_Moments.of(loyalty_scores(member, k)) for member in members] for k in weights]

    def pairs(self, limit: float = ALPHA) -> list[Pair]:
        """Return the pairs with one order at both bounds of the silent weight whose p-value is at most `limit`."""
        (lower, upper), found = self._bounds, []
        for one, two in combinations(range(len(lower)), 2):
            difference = lower[one].mean - lower[two].mean
            if difference * (upper[one].mean - upper[two].mean) > 0:
                p = max(_p_of_means(lower[one], lower[two]), _p_of_means(upper[one], upper[two]))
                if p <= limit:
                    found.append(Pair(one, two, p, p) if difference > 0 else Pair(two, one, p, p))
        return found

    def exact(self, pair: Pair) -> Pair:
        """Return the pair, whose p-value is known."""
        return pair


def order_all(families: Sequence[SharesOrder | ScoresOrder], tests: int) -> list[list[Pair]]:
    """Return the pairs of each family that are ordered, by Holm's procedure over all tests of all families."""
    found = [family.pairs() for family in families]
    sure, possible = (holm([pair[bound] for pairs in found for pair in pairs], tests) for bound in (MOST, LEAST))
    for family, pairs in zip(families, found, strict=True):
        pairs[:] = [family.exact(pair) if pair.least <= possible and pair.most > sure else pair for pair in pairs]
    limit = holm([pair.most for pairs in found for pair in pairs], tests)
    return [[pair for pair in pairs if pair.most <= limit] for pairs in found]


def loyalty_scores(answers: Answers, k: float) -> dict[float, int]:
    """Return how many surveys have each score; the mean of the scores is the emotional loyalty index."""
    scores = {1.0: answers.yes, 0.0: answers.cant_say, -1.0: answers.no}
    scores[-k] = scores.get(-k, 0) + answers.silent
    return scores


def scores_p(one: Mapping[float, int], two: Mapping[float, int]) -> float:
    """Return the p-value that two means of scores are the same; each score from -1 to 1, and how many have it."""
    return _p_of_means(_Moments.of(one), _Moments.of(two))


def holm(p_values: Sequence[float], tests: int) -> float:
    """Return the limit up to which p-values survive Holm's procedure over so many tests.

    p-values above ALPHA may be left out: they never survive, nor let others fail.
    """
    in_order, survived = sorted(p_values), 0
    while survived < tests:
        limit = ALPHA / (tests - survived)
        now = bisect_right(in_order, limit)
        if now == survived:
            return limit
        survived = now
    return ALPHA


def standings(members: int, ordered: Sequence[Pair]) -> list[GroupStanding]:
    """Put members into groups by the pairs of them that are ordered.

    One is clearly better than most if it is clearly better than more than half of the others.
    """
    better, worse = [0] * members, [0] * members
    for pair in ordered:
        better[pair.better] += 1
        worse[pair.worse] += 1
    return [
        GroupStanding(*figures, members - 1, _group(*figures, members - 1))
        for figures in zip(better, worse, strict=True)
    ]


def _group(better_than: int, worse_than: int, others: int) -> Group:
    if 2 * better_than > others:
        return "better_than_most"
    return "worse_than_most" if 2 * worse_than > others else "cannot_be_told_apart"


class _Share(NamedTuple):
    """A share, and the logarithm of the number of ways to choose its count of its surveys."""

    counted: int
    of: int
    share: float
    log_ways: float

    @classmethod
    def of_counts(cls, count: int, of: int) -> _Share:
        return cls(count, of, count / of, lgamma(of + 1) - lgamma(count + 1) - lgamma(of - count + 1))


def _square(one: _Share, two: _Share) -> float:
    """Return the square of z, the difference of two shares in standard errors of the share that both would have."""
    pooled = (one.counted + two.counted) / (one.of + two.of)
    difference = one.share - two.share
    return difference * difference / (pooled * (1 - pooled) * (1 / one.of + 1 / two.of))


def fisher(one: tuple[int, int], two: tuple[int, int]) -> float:
    """Return the p-value that two shares, each (count, of), are the same: twice Fisher's exact one-sided, at most 1.

    It is valid however few counts there are: chance alone gives a p-value as low as p at most with probability p.
    R. A. Fisher, "The logic of inductive inference", JRSS 98, 1935, 39-82.
    """
    return _fisher(_Share.of_counts(*one), _Share.of_counts(*two))


def _bounds(one: _Share, two: _Share) -> tuple[float, float]:
    """Return bounds of Fisher's p-value: the chances of ever more uneven tables fall geometrically, or faster."""
    low, high = (one, two) if one.share <= two.share else (two, one)
    term, ratio = _first_term(low, high), _ratio(low, high, low.counted)
    return min(1.0, 2 * term), min(1.0, 2 * term / (1 - ratio)) if ratio < 1 else 1.0


def _fisher(one: _Share, two: _Share) -> float:
    """Sum the chances of all tables as uneven as this one or more, to the side of the lower share."""
    low, high = (one, two) if one.share <= two.share else (two, one)
    term, counted, tail = _first_term(low, high), low.counted, 0.0
    while term > NEGLIGIBLE * tail:
        tail += term
        term *= _ratio(low, high, counted)
        counted -= 1
    return min(1.0, 2 * tail)


def _first_term(low: _Share, high: _Share) -> float:
    """Return the chance of just this table, given its margins."""
    whole, marked = low.of + high.of, low.counted + high.counted
    return exp(low.log_ways + high.log_ways - lgamma(whole + 1) + lgamma(marked + 1) + lgamma(whole - marked + 1))


def _ratio(low: _Share, high: _Share, counted: int) -> float:
    """Return how the chance of a table changes where one less than `counted` is on the lower side."""
    marked = low.counted + high.counted
    return counted * (high.of - marked + counted) / ((marked - counted + 1) * (low.of - counted + 1))


class _Moments(NamedTuple):
    """The mean and mean square of scores, and the same with Rocks' pseudo-observations at the ends of the scale."""

    surveys: int
    mean: float
    mean_square: float
    adjusted_surveys: float
    adjusted_mean: float
    adjusted_variance: float

    @classmethod
    def of(cls, scores: Mapping[float, int]) -> _Moments:
        count = sum(scores.values())
        total = sum(score * surveys for score, surveys in scores.items())
        square = sum(score**2 * surveys for score, surveys in scores.items())
        adjusted = count + 2 * EXTREME_WEIGHT + MIDDLE_WEIGHT
        mean = total / adjusted
        return cls(
            count, total / count, square / count, adjusted, mean, (square + 2 * EXTREME_WEIGHT) / adjusted - mean**2
        )


def _p_of_means(one: _Moments, two: _Moments) -> float:
    """Return the p-value that two means of scores from -1 to 1 are the same.

    The standard error is the larger one of two: with the variance that both would share, and with each one's own, with
    pseudo-observations. The first alone finds too much where a small group has few scores other than 0, the second
    where it has none. `tests/benchmarks/comparisons.py` computes how often chance gives how low a p-value.
    """
    whole = one.surveys + two.surveys
    mean = (one.mean * one.surveys + two.mean * two.surveys) / whole
    pooled = (one.mean_square * one.surveys + two.mean_square * two.surveys) / whole - mean**2
    shared = pooled * (1 / one.surveys + 1 / two.surveys)
    own = one.adjusted_variance / one.adjusted_surveys + two.adjusted_variance / two.adjusted_surveys
    difference = min(abs(one.mean - two.mean), abs(one.adjusted_mean - two.adjusted_mean))
    return erfc(difference / sqrt(2 * max(shared, own)))
