"""Weighted samples of surveys: all that can occur, or those at the points of a lattice where they are too many."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from itertools import accumulate
from math import exp, lgamma, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RARE = 1e-9
"""Samples that are rarer at a step are left out, and count as not covered."""


def all_samples(size: int, shares: Sequence[float]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield every sample with its probability: share by share, each binomial in what the earlier ones left."""
    if len(shares) == 1:
        yield (size,), 1.0
        return
    first, *others = shares
    left = first + sum(others)
    for count, probability in enumerate(_binomial(size, min(1.0, first / left) if left else 0.0)):
        if probability > RARE:
            for sample, of_the_rest in all_samples(size - count, others):
                yield (count, *sample), probability * of_the_rest


def sample_at(size: int, shares: Sequence[float], point: Sequence[float]) -> tuple[int, ...]:
    """Return the sample at a point of the unit cube, which has a coordinate for each share but the last."""
    counts: list[int] = []
    for position, coordinate in enumerate(point):
        left = sum(shares[position:])
        share = round(min(1.0, shares[position] / left), 12) if left > 0 else 0.0
        counts.append(bisect_left(_cumulated(size - sum(counts), share), coordinate))
    return (*counts, size - sum(counts))


def lattice(points: int, dimensions: int) -> Iterator[tuple[float, ...]]:
    """Yield points that fill the unit cube evenly: multiples of powers of the root of x^(d+1) = x + 1.

    M. Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018.
    """
    root = 2.0
    for _ in range(60):
        root = (1 + root) ** (1 / (dimensions + 1))
    steps = [root ** -(dimension + 1) for dimension in range(dimensions)]
    for number in range(points):
        yield tuple((0.5 + number * step) % 1 for step in steps)


@lru_cache(maxsize=100_000)
def _cumulated(size: int, share: float) -> list[float]:
    cumulated = list(accumulate(_binomial(size, share)))
    cumulated[-1] = 1.0
    return cumulated


@lru_cache(maxsize=100_000)
def _binomial(size: int, share: float) -> tuple[float, ...]:
    if share in {0.0, 1.0}:
        return tuple(float(count == size * share) for count in range(size + 1))
    return tuple(
        exp(
            lgamma(size + 1)
            - lgamma(count + 1)
            - lgamma(size - count + 1)
            + count * log(share)
            + (size - count) * log(1 - share)
        )
        for count in range(size + 1)
    )
