"""Compute how far the verdicts of `trivox compare` can be trusted: coverage, wrong orders, and what is found.

Samples are drawn at random by a fixed seed, except for the p-values of loyalty, which are summed over all samples.

    python -m tests.benchmarks comparisons
"""

from __future__ import annotations

import random
import sys
from itertools import combinations
from math import exp, lgamma, log
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.intervals import Estimate
from bridge.reports.comparison.difference import index_at, subtract
from bridge.reports.comparison.empirical_bayes import Sample, drawn
from bridge.reports.comparison.ordering import ScoresOrder, SharesOrder, order_all, scores_p, standings
from bridge.reports.kpi import Answers
from tests.benchmarks._samples import sample_at
from tests.benchmarks.figure import Figure
from tests.benchmarks.interval_coverage import SHARES, SIZES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bridge.reports.comparison.ordering import Pair

Shares = tuple[float, ...]

SILENT_WEIGHTS = (0.0, 0.02, 0.25, 0.5, 0.98, 1.0)
SEED = 13
SAMPLES = 800
WORST = 20
SAMPLES_OF_WORST = 10_000
SELLERS = 50
REPORTS = 100
BAD = 5
SMALL_SELLERS = 1_200
LEVELS = (0.05, 1e-3, 1e-4, 1e-5)
KINDS = {"dissatisfaction": "personnel", "loyalty": "loyalty"}


class World(NamedTuple):
    """Sellers with the shares that their customers really have, and how many surveys each has."""

    name: str
    shares: list[Shares]
    surveys: list[int]


def draw(chance: random.Random, shares: Shares, surveys: int) -> Answers:
    """Draw surveys at random: how many have each outcome."""
    return Answers(*sample_at(surveys, shares, [chance.random() for _ in shares[1:]]))


def truth(kind: str, shares: Shares, k: float) -> float:
    """Return the true index."""
    yes, no, _, silent = shares
    return yes - no - k * silent if kind == "loyalty" else no + k * silent


def differences_coverage(chance: random.Random) -> list[float]:
    """Return how often the interval of a difference holds the true one, at each point of a grid of two groups.

    The worst points are drawn again, more often: of many, some look bad by chance alone.
    """
    points = sorted(_grid(chance))
    again = []
    for _, kind, k, one, two in points[:WORST]:
        samples = [[_estimate(kind, draw(chance, *group), k) for _ in range(SAMPLES_OF_WORST)] for group in (one, two)]
        true = truth(kind, one[0], k) - truth(kind, two[0], k)
        again.append(_covered(*samples, true) / SAMPLES_OF_WORST)
    return [*again, *(covered for covered, *_ in points[WORST:])]


def _grid(chance: random.Random) -> Iterator[tuple[float, str, float, tuple[Shares, int], tuple[Shares, int]]]:
    """Yield (coverage, kind, silent weight, one group, the other) of each point; a group is its shares and its size."""
    groups = [(shares, size) for shares in SHARES for size in SIZES]
    samples = [[draw(chance, *group) for _ in range(SAMPLES)] for group in groups]
    for kind in KINDS.values():
        for k in SILENT_WEIGHTS:
            indices = [[_estimate(kind, answers, k) for answers in sample] for sample in samples]
            for one, two in combinations(range(len(groups)), 2):
                true = truth(kind, groups[one][0], k) - truth(kind, groups[two][0], k)
                yield _covered(indices[one], indices[two], true) / SAMPLES, kind, k, groups[one], groups[two]


def _estimate(kind: str, answers: Answers, k: float) -> Estimate:
    index = index_at(kind, answers, k)
    assert index is not None
    return Estimate(*index[:3])


def _covered(these: list[Estimate], others: list[Estimate], true: float) -> int:
    covered = 0
    for this, other in zip(these, others, strict=True):
        difference = subtract(this, other)
        covered += difference.low - 1e-12 <= true <= difference.high + 1e-12
    return covered


def worlds(chance: random.Random) -> Iterator[World]:
    """Yield worlds in which nobody differs, or they differ so that their order depends on what silents think."""
    for shares in SHARES:
        yield World(f"equal {shares}", [shares] * SELLERS, [200] * SELLERS)
        yield World(
            f"equal {shares}, of all sizes",
            [shares] * SELLERS,
            [int(30 * 70 ** chance.random()) for _ in range(SELLERS)],
        )
    for name, response in (("a tenth answer", 0.1), ("most answer", 0.6)):
        mixed = []
        for _ in range(SELLERS):
            rate, bad = response * chance.uniform(0.7, 1.3), chance.uniform(0.05, 0.2)
            mixed.append((rate * (0.95 - bad), rate * bad, rate * 0.05, 1 - rate))
        yield World(f"all differ, {name}", mixed, [400] * SELLERS)


def ordered(kind: str, members: Sequence[Answers]) -> list[Pair]:
    """Return the pairs that a report orders."""
    order = ScoresOrder(members) if kind == "loyalty" else SharesOrder(members)
    return order_all([order], len(members) * (len(members) - 1) // 2)[0]


def wrong_reports(kind: str, world: World, chance: random.Random) -> float:
    """Return the share of reports that order any pair which is not so in truth, at both bounds of the silent weight."""
    wrong = 0
    for _ in range(REPORTS):
        members = [draw(chance, *seller) for seller in zip(world.shares, world.surveys, strict=True)]
        wrong += any(not _is_true(kind, world, pair) for pair in ordered(kind, members))
    return wrong / REPORTS


def _is_true(kind: str, world: World, pair: Pair) -> bool:
    sign = 1 if kind == "loyalty" else -1
    return all(
        sign * (truth(kind, world.shares[pair.better], k) - truth(kind, world.shares[pair.worse], k)) > 0
        for k in (0.0, 1.0)
    )


def found_bad(chance: random.Random) -> float:
    """Return the share of really bad sellers who are found clearly worse than most: a quarter say no, not a tenth."""
    good, bad = (0.55, 0.10, 0.05, 0.30), (0.40, 0.25, 0.05, 0.30)
    found = 0
    for _ in range(REPORTS):
        members = [draw(chance, bad if number < BAD else good, 800) for number in range(SELLERS)]
        groups = standings(len(members), ordered("personnel", members))
        found += sum(standing.group == "worse_than_most" for standing in groups[:BAD])
    return found / (BAD * REPORTS)


def worst_p_ratio() -> tuple[float, float]:
    """Return how much more often than a level chance alone gives a p-value of loyalty at most as high: the worst.

    Summed over all samples of a small seller, beside one of 5,000 surveys that has just what is expected: at level
    0.05, and the worst of the levels that decide among many pairs.
    """
    worst = dict.fromkeys(LEVELS, 0.0)
    for shares in SHARES:
        yes, no, cant_say, silent = shares
        for k in (0.0, 1.0):
            scores = {1.0: yes, 0.0: cant_say + (0 if k else silent), -1.0: no + (silent if k else 0)}
            many = {score: round(5_000 * share) for score, share in scores.items()}
            for surveys in (30, 60, 120):
                reached = dict.fromkeys(LEVELS, 0.0)
                for sample, probability in _samples(surveys, scores):
                    p = scores_p(sample, many)
                    for level in LEVELS:
                        reached[level] += probability * (p <= level)
                for level in LEVELS:
                    worst[level] = max(worst[level], reached[level] / level)
    return worst[LEVELS[0]], max(worst[level] for level in LEVELS[1:])


def _samples(surveys: int, scores: dict[float, float]) -> Iterator[tuple[dict[float, int], float]]:
    (high, p_high), (middle, p_middle), (low, p_low) = scores.items()
    for ups in range(surveys + 1):
        for downs in range(surveys - ups + 1):
            rest = surveys - ups - downs
            ways = lgamma(surveys + 1) - lgamma(ups + 1) - lgamma(downs + 1) - lgamma(rest + 1)
            chance = exp(ways + ups * log(p_high) + downs * log(p_low) + rest * log(p_middle))
            yield {high: ups, middle: rest, low: downs}, chance


def drawn_coverage(chance: random.Random, spread: float) -> tuple[float, float, float]:
    """Return how often the interval of a small seller's empirical-Bayes figure holds the truth.

    And its mean squared error, with that of the raw figure, where sellers truly differ by `spread` (standard
    deviation). There are 20 sellers; k = 0.5.
    """
    covered, error, raw = 0, 0.0, 0.0
    for _ in range(SMALL_SELLERS):
        samples, first = [], 0.0
        for number in range(20):
            no = min(0.4, max(0.001, chance.gauss(0.12, spread)))
            answers = draw(chance, (0.6 - no, no, 0.1, 0.3), 40 if number == 0 else chance.choice((40, 120, 400)))
            mean = (answers.no + 0.5 * answers.silent) / answers.surveys
            square = (answers.no + 0.25 * answers.silent) / answers.surveys
            samples.append(Sample(mean, square - mean * mean, answers.surveys))
            first = first or no + 0.15
        figure = drawn(samples[0], samples[1:], (0.0, 1.0))
        assert figure is not None
        covered += figure.low <= first <= figure.high
        error += (figure.value - first) ** 2
        raw += (samples[0].mean - first) ** 2
    return covered / SMALL_SELLERS, error / SMALL_SELLERS, raw / SMALL_SELLERS


def figures() -> Iterator[Figure]:
    """Print each world, then give the figures."""
    chance = random.Random(SEED)
    points = [100 * covered for covered in differences_coverage(chance)]
    note = f"{len(points)} pairs of groups, {SAMPLES:,} samples each; the worst {WORST} with {SAMPLES_OF_WORST:,}"
    mean = sum(points) / len(points)
    yield Figure("coverage of differences, mean", mean, "%", 94, at_most=False, note=note)
    yield Figure("coverage of differences, mean", mean, "%", 97, at_most=True, note=note)
    yield Figure("coverage of differences, worst pair of groups", min(points), "%", 92, at_most=False, note=note)
    wrong = []
    for world in worlds(chance):
        for called, kind in KINDS.items():
            wrong.append(100 * wrong_reports(kind, world, chance))
            sys.stdout.write(f"  wrong reports, {called}, {world.name}: {wrong[-1]:.1f} %\n")
    note = f"the worst of {len(wrong)} worlds of {SELLERS} sellers, {REPORTS} reports each"
    yield Figure("reports with any wrong order", max(wrong), "%", 5, at_most=True, note=note)
    note = f"{BAD} of {SELLERS}, 800 surveys each, no 25 % in place of 10 %"
    yield Figure("bad sellers found worse than most", 100 * found_bad(chance), "%", 80, at_most=False, note=note)
    at_5, beyond = worst_p_ratio()
    note = "all samples of 30, 60 and 120 surveys beside 5,000"
    yield Figure("p-values of loyalty: how often at most 0.05", at_5 * 5, "%", 6, at_most=True, note=note)
    yield Figure("… at most 0.001 to 0.00001, times as often", beyond, "", 1.5, at_most=True, note=note)
    results = {spread: drawn_coverage(chance, spread) for spread in (0.0, 0.03, 0.08)}
    for spread, (covered, error, raw) in results.items():
        sys.stdout.write(f"  empirical Bayes, spread {spread}: {100 * covered:.1f} %, error {error / raw:.2f} of raw\n")
    least = min(covered for covered, _, _ in results.values())
    note = f"20 sellers who differ by 0, 3 and 8 points, the one of 40 surveys; {SMALL_SELLERS:,} worlds each"
    yield Figure("coverage of empirical-Bayes figures, worst", 100 * least, "%", 92, at_most=False, note=note)
    most = max(error / raw for _, error, raw in results.values())
    yield Figure("their mean squared error, of that of raw figures", most, "", 1, at_most=True, note=note)
