"""Compute how often the 95 % intervals of the two indices cover the true value, over the method's whole grid.

With a stated silent weight k, every sample that could occur is weighted with its probability (see `_samples.RARE`,
which makes the figures slightly too low); loyalty from 400 surveys on, and all with an estimated k, are samples at the
points of a lattice, always the same.

    python -m tests.benchmarks interval_coverage
"""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING, NamedTuple

from bridge.model import silent_weight
from bridge.model.silent_weight import FollowUp
from bridge.reports import kpi
from tests.benchmarks._samples import all_samples, lattice, sample_at
from tests.benchmarks.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Shares = tuple[float, float, float, float]

SHARES: tuple[Shares, ...] = (
    (0.06, 0.03, 0.01, 0.90),
    (0.08, 0.02, 0.01, 0.89),
    (0.55, 0.10, 0.05, 0.30),
    (0.70, 0.08, 0.07, 0.15),
    (0.30, 0.30, 0.10, 0.30),
)
"""Shares of yes, no, can't say and silent."""
EXTREME_SHARES: tuple[Shares, ...] = (
    (0.985, 0.005, 0.005, 0.005),
    (0.900, 0.005, 0.005, 0.090),
    (0.490, 0.005, 0.005, 0.500),
    (0.005, 0.005, 0.005, 0.985),
    (0.005, 0.495, 0.005, 0.495),
    (0.005, 0.985, 0.005, 0.005),
)
SIZES = (30, 60, 120, 400, 1000)
SILENT_WEIGHTS = (0.0, 0.02, 0.25, 0.5, 0.98, 1.0)
BETWEEN = (0.005, 0.1, 0.35, 0.75, 0.9)
NEGATIVE = (-1.0, -0.98, -0.5, -0.02)
ASKED = (50, 100, 400)
OPINIONS = ((1.0, 0.0), (0.6, 0.2), (0.45, 0.45), (0.2, 0.6), (0.0, 1.0))
"""Shares of silents who would say yes and no, of a loyalty question; the others can't say."""

INDICES = ("dissatisfaction_index", "emotional_loyalty_index")
RANGES = {"dissatisfaction_index": (0.0, 1.0), "emotional_loyalty_index": (-1.0, 1.0)}
EXACT_UP_TO = 120
POINTS = 2000
POINTS_ESTIMATED = 800
KIND = {"dissatisfaction_index": "personnel", "emotional_loyalty_index": "loyalty"}
ROUNDING = 1e-12


class Point(NamedTuple):
    """One point of a grid with its true coverage; `what` is the silent weight, and how many silents were asked."""

    index: str
    what: str
    shares: Shares
    surveys: int
    coverage: float


def coverages(index: str, weights: Sequence[float], shares: Shares, surveys: int) -> list[float]:
    """Return the probability that the interval with each stated silent weight holds the true index."""
    truths = [_truth(index, shares, k) for k in weights]
    interval = getattr(kpi, index)
    covered = [0.0] * len(weights)
    for answers, probability in _samples(index, shares, surveys):
        for position, (k, truth) in enumerate(zip(weights, truths, strict=True)):
            if _holds(index, interval(answers, k), truth):
                covered[position] += probability
    return covered


def coverage_estimated(index: str, opinion: tuple[float, float], asked: int, shares: Shares, surveys: int) -> float:
    """Return the probability that the interval with an estimated silent weight holds the true index.

    `opinion` are the shares of silents who would say yes and no.
    """
    yes, no = opinion
    truth = _truth(index, shares, no - yes if index == INDICES[1] else no)
    kind, found_shares, interval = KIND[index], (no, yes, max(0.0, 1 - yes - no)), getattr(kpi, index)
    covered = 0
    for point in lattice(POINTS_ESTIMATED, 5):
        answered_yes, answered_no, silent, cant_say = sample_at(surveys, _ordered(shares), point[:3])
        found = FollowUp(*(counts := sample_at(asked, found_shares, point[3:]))[1::-1], counts[2])
        k = silent_weight.estimate_weight(kind, found).value
        answers = kpi.Answers(answered_yes, answered_no, cant_say, silent)
        covered += _holds(index, interval(answers, k, silent_weight.weight_variance(kind, found)), truth)
    return covered / POINTS_ESTIMATED


def _truth(index: str, shares: Shares, k: float) -> float:
    yes, no, _, silent = shares
    return yes - no - k * silent if index == INDICES[1] else no + k * silent


def _holds(index: str, found: kpi.Index, truth: float) -> bool:
    lowest, highest = RANGES[index]
    if not lowest <= found.low <= found.value <= found.high <= highest:
        raise AssertionError(f"{index}: {found.low} <= {found.value} <= {found.high} does not hold in its range")
    return found.low - ROUNDING <= truth <= found.high + ROUNDING


def _ordered(shares: Shares) -> Shares:
    yes, no, cant_say, silent = shares
    return yes, no, silent, cant_say


def _samples(index: str, shares: Shares, surveys: int) -> Iterator[tuple[kpi.Answers, float]]:
    """Yield samples with their probabilities; the dissatisfaction index cannot tell yes and can't say apart."""
    yes, no, cant_say, silent = shares
    if index == INDICES[0]:
        for (nos, silents, others), probability in all_samples(surveys, (no, silent, yes + cant_say)):
            yield kpi.Answers(others, nos, 0, silents), probability
    elif surveys <= EXACT_UP_TO:
        for counts, probability in all_samples(surveys, (cant_say, no, silent, yes)):
            yield kpi.Answers(counts[3], counts[1], counts[0], counts[2]), probability
    else:
        for point in lattice(POINTS, 3):
            counts = sample_at(surveys, _ordered(shares), point)
            yield kpi.Answers(counts[0], counts[1], counts[3], counts[2]), 1 / POINTS


def grid(indices: Sequence[str], weights: Sequence[float], all_shares: Sequence[Shares]) -> Iterator[Point]:
    """Compute the coverage at every point of a grid of stated silent weights."""
    for index in indices:
        for shares in all_shares:
            for surveys in SIZES:
                for k, covered in zip(weights, coverages(index, weights, shares, surveys), strict=True):
                    yield Point(index, f"k {k:g}", shares, surveys, covered)


def estimated_grid(all_shares: Sequence[Shares]) -> Iterator[Point]:
    """Compute the coverage at every point of a grid of estimated silent weights."""
    opinions = {INDICES[0]: tuple((1 - k, k) for k in SILENT_WEIGHTS), INDICES[1]: OPINIONS}
    for index in INDICES:
        for opinion in opinions[index]:
            k = opinion[1] - opinion[0] if index == INDICES[1] else opinion[1]
            for asked in ASKED:
                for shares in all_shares:
                    for surveys in SIZES:
                        covered = coverage_estimated(index, opinion, asked, shares, surveys)
                        yield Point(index, f"k {k:g} of {asked}", shares, surveys, covered)


def limit_of_variance_holds() -> float:
    """Return the lowest share of surveys of sellers in which the limit of the variance of k between them holds."""
    draw = random.Random("limit of variance between sellers")
    worst = 1.0
    for sellers, asked in ((5, 10), (20, 5), (40, 10)):
        for k in (0.05, 0.3, 0.5):
            for part in (0.01, 0.1, 0.3):
                held = sum(_limit_holds(draw, sellers, asked, k, part) for _ in range(300))
                worst = min(worst, held / 300)
    return worst


def _limit_holds(draw: random.Random, sellers: int, asked: int, k: float, part: float) -> bool:
    """Ask silents of sellers whose own k follow a beta distribution; `part` of the variance lies between them."""
    of_all = 1 / part - 1
    found = []
    for _ in range(sellers):
        own = draw.betavariate(k * of_all, (1 - k) * of_all)
        no = sum(draw.random() < own for _ in range(asked))
        found.append(FollowUp(asked - no, no))
    return silent_weight.variance_between_sellers("personnel", found) >= part * k * (1 - k)


def figures() -> Iterator[Figure]:
    """Print the coverage at each silent weight and number of surveys, then give means and worst points."""
    sys.stdout.write("  true coverage in percent, mean over the shares and the worst of them\n")
    sys.stdout.write(f"  {'index':24}{'silent weight':>16}" + "".join(f"{f'N={size}':>14}" for size in SIZES) + "\n")
    yield from _of("", _printed(grid(INDICES, SILENT_WEIGHTS, SHARES)))
    yield from _of(" between those k", _printed(grid(INDICES, BETWEEN, SHARES)))
    yield from _of(" at k < 0 (loyalty)", _printed(grid(INDICES[1:], NEGATIVE, SHARES)))
    extreme = _printed(grid(INDICES, SILENT_WEIGHTS, EXTREME_SHARES))
    yield from _of(" at shares of .005", extreme, worst_limit=85)  # Wilson's own covers .86 of 30 there
    yield from _of(" with estimated k", _printed(estimated_grid(SHARES)))
    extreme = _printed(estimated_grid(EXTREME_SHARES))
    yield from _of(" with estimated k at shares of .005", extreme, mean_limit=98)  # wider than it need be
    held = 100 * limit_of_variance_holds()
    yield Figure("upper 90 % limit of the variance of k between sellers holds, worst", held, "%", 90, at_most=False)


def _of(where: str, points: list[Point], *, worst_limit: float = 91, mean_limit: float = 97) -> Iterator[Figure]:
    mean = 100 * sum(point.coverage for point in points) / len(points)
    worst = min(points, key=lambda point: point.coverage)
    note = f"{len(points)} points"
    yield Figure(f"interval coverage{where}, mean", mean, "%", 94, at_most=False, note=note)
    yield Figure(f"interval coverage{where}, mean", mean, "%", mean_limit, at_most=True, note=note)
    at = f"{worst.index} at {worst.what}, {worst.surveys} surveys, shares {' '.join(f'{s:g}' for s in worst.shares)}"
    yield Figure(f"interval coverage{where}, worst", 100 * worst.coverage, "%", worst_limit, at_most=False, note=at)


def _printed(points: Iterator[Point], write: Callable[[str], object] = sys.stdout.write) -> list[Point]:
    found = list(points)
    for index, what in dict.fromkeys((point.index, point.what) for point in found):
        cells = []
        for size in SIZES:
            own = [p.coverage for p in found if (p.index, p.what, p.surveys) == (index, what, size)]
            cells.append(f"{100 * sum(own) / len(own):8.1f}{100 * min(own):6.1f}")
        write(f"  {index:24}{what:>16}{''.join(cells)}\n")
    sys.stdout.flush()
    return found
