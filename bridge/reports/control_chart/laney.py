"""Compute the limits of Laney's p' chart, for shares and for means of scores. Pure.

Of points i with N_i surveys and value x_i, the centre is p̄ = Σ N_i·x_i / Σ N_i, sigma_pi = √(v / N_i), and
z_i = (x_i - p̄) / sigma_pi. v is the variance of a single survey's score, pooled over all points: E[x²] - p̄², which for
a share is p̄·(1 - p̄). sigma_z is the mean of |z_i - z_(i-1)|, divided by 1.128; it is near 1 where nothing but chance
moves the points, and larger where they vary by more. The limits of a point are p̄ ± 3·sigma_pi·sigma_z.

D. B. Laney, "Improved control charts for attributes", Quality Engineering 14(4), 2002, 531-537.
"""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SIGMAS = 3
MEAN_MOVING_RANGE = 1.128  # d₂: the mean distance of two independent standard normal values
LEAST_TO_SIGNAL = 5
"""With fewer points none can lie beyond its limits, however far off: it would widen them itself."""
TRIAL = 12
"""Limits of fewer points are trial limits."""
NOTHING = 1e-12  # rounding errors are smaller, and differences between values larger


class ScoreSums(NamedTuple):
    """The surveys of a point: how many, and the sums of their scores and of the squares of these."""

    size: int
    total: float
    squares: float

    @property
    def value(self) -> float:
        """The mean score. Raises ZeroDivisionError if there is no survey."""
        return self.total / self.size


class Limits(NamedTuple):
    """The centre of some points, and what the limits of each follow from; `sigma_z` is None of a single point."""

    centre: float
    variance: float
    sigma_z: float | None
    ends: tuple[float, float]

    def at(self, size: int) -> tuple[float, float] | None:
        """Return the lower and upper limit of a point of so many surveys, within the range of its figure."""
        if self.sigma_z is None or not size:
            return None
        half = SIGMAS * sqrt(self.variance / size) * self.sigma_z
        return max(self.ends[0], self.centre - half), min(self.ends[1], self.centre + half)

    def side(self, value: float) -> int:
        """Return 1 for a value above the centre, -1 for one below, and 0 for one on it."""
        return _sign(value - self.centre)

    def side_beyond(self, sums: ScoreSums) -> int:
        """Return 1 for a point above its upper limit, -1 for one below its lower limit, else 0."""
        limits = self.at(sums.size)
        if limits is None:
            return 0
        return max(0, _sign(sums.value - limits[1])) - max(0, _sign(limits[0] - sums.value))


def limits_of(points: Sequence[ScoreSums], ends: tuple[float, float], *, is_rate: bool = False) -> Limits | None:
    """Return the limits of points, each of at least one survey, within the `ends` of the figure; None of no points.

    With `is_rate`, the scores are counts of events (Laney's u' chart), whose variance is their mean.
    """
    size = sum(point.size for point in points)
    if not size:
        return None
    centre = sum(point.total for point in points) / size
    variance = centre if is_rate else sum(point.squares for point in points) / size - centre * centre
    if variance < NOTHING:  # all surveys are alike
        return Limits(centre, 0.0, 0.0 if len(points) > 1 else None, ends)
    z = [(point.value - centre) / sqrt(variance / point.size) for point in points]
    ranges = [abs(after - before) for before, after in pairwise(z)]
    sigma_z = sum(ranges) / len(ranges) / MEAN_MOVING_RANGE if ranges else None
    return Limits(centre, variance, sigma_z, ends)


def _sign(difference: float) -> int:
    return 0 if abs(difference) < NOTHING else 1 if difference > 0 else -1
