"""Compute how often a chart on which nothing but chance is at work signals all the same. Pure.

One definition for all charts: of n useful points that are normal, independent and of equal size, with their own mean as
centre, the exact chance that Anhøj's rules see a shift; and with it, that of a newest point beyond 3 sigma, which is
0.0027 and, as sigma_z is itself estimated from the points, 0.035 / points more (simulated, for 8 points or more).

The sides of the points around their own mean are those of points around 0 whose sum is 0. So the chance is a sum over
sequences of sides, weighted by the density of the sum at 0. If φ(t) is the characteristic function of the points above
0, restricted to them, the density of a sequence with a points above is the integral over t of φ(t)^a · φ(-t)^(n-a):
only a counts, and W(a), the number of sequences without a long run or few crossings.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from math import atan2, cos, exp, hypot, pi, sqrt

from bridge.reports.control_chart.anhoej import least_crossings, most_in_a_row
from bridge.reports.control_chart.laney import LEAST_TO_SIGNAL

BEYOND_3_SIGMA = 0.0026997960632601866
BY_ESTIMATE = 0.035
STEPS = 600
WIDTH = 9.0  # of the integral: beyond it nothing is left
DAWSON_STEP = 0.2
DAWSON_TERMS = 25


def chance_of_signal(points: int, useful: int) -> float:
    """Return the chance that a chart of so many points, and useful points, signals though nothing has changed."""
    shift = chance_of_shift(useful)
    newest = BEYOND_3_SIGMA + BY_ESTIMATE / points if points >= LEAST_TO_SIGNAL else 0.0
    return shift + (1 - shift) * newest


@lru_cache(maxsize=1024)
def chance_of_shift(useful: int) -> float:
    """Return the chance that Anhøj's rules see a shift in so many useful points where there is none."""
    if useful <= most_in_a_row(useful) and not least_crossings(useful):
        return 0.0
    usual = [ways / 2**useful for ways in _usual_sequences(useful)]
    total = within = 0.0
    width = WIDTH / sqrt(useful) + WIDTH / useful
    for step in range(STEPS + 1):
        t = step * width / STEPS
        size, angle = _above(t)
        weight = (0.5 if step in {0, STEPS} else 1.0) * size**useful
        within += weight * sum(share * cos((2 * above - useful) * angle) for above, share in enumerate(usual) if share)
        total += weight * cos(angle) ** useful
    return min(1.0, max(0.0, 1 - within / total))


def _above(t: float) -> tuple[float, float]:
    """Return twice the characteristic function of the normal distribution's upper half, as its size and angle."""
    real, imaginary = exp(-t * t / 2), 2 / sqrt(pi) * _dawson(t / sqrt(2))
    return hypot(real, imaginary), atan2(imaginary, real)


def _dawson(x: float) -> float:
    """Return Dawson's integral: G. B. Rybicki, "Dawson's integral and the sampling theorem", 1989."""
    nearest = 2 * round(x / DAWSON_STEP / 2)
    terms = (
        exp(-((x - (nearest + odd) * DAWSON_STEP) ** 2)) / (nearest + odd)
        for odd in range(-2 * DAWSON_TERMS + 1, 2 * DAWSON_TERMS, 2)
    )
    return sum(terms) / sqrt(pi)


def _usual_sequences(useful: int) -> list[int]:
    """Return W(a) for each number of points above: of sequences with neither a long run nor few crossings."""
    parts = _compositions(useful, most_in_a_row(useful))
    fewest = least_crossings(useful) + 1  # runs
    found = []
    for above in range(useful + 1):
        ways = 0
        for runs in range(fewest, useful + 1):
            more, less = (runs + 1) // 2, runs // 2
            ways += parts[more][above] * parts[less][useful - above]  # it begins above
            ways += parts[less][above] * parts[more][useful - above]  # it begins below
        found.append(ways)
    return found


def _compositions(total: int, longest: int) -> list[list[int]]:
    """Return in how many ways m points fall into r runs of 1 to `longest` points, as [r][m]."""
    ways = [[1] + [0] * total]
    for _ in range(total):
        sums = [0, *accumulate(ways[-1])]  # sums[m] is of the first m
        ways.append([sums[m] - sums[max(0, m - longest)] for m in range(total + 1)])
    return ways
