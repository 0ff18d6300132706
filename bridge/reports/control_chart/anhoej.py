"""Find shifts by Anhøj's two rules: an unusually long run on one side of the centre, or unusually few crossings. Pure.

Of n useful points (those on the centre line do not count), a run is unusually long if it has more than log₂ n + 3
points, and the crossings of the centre are unusually few if they are fewer than the lower 5 % prediction limit: the
smallest c for which P(X ≤ c) ≥ 0.05, X being binomial with n - 1 trials of ½.

J. Anhøj, T. Wentzel-Larsen, "Smooth operator: Modifying the Anhøj rules to improve runs analysis in statistical process
control", PLoS ONE 15(6), 2020, e0233920. The limit of a run is not rounded here.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from math import comb, log2
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

ADDED = 3  # to log₂ n
ONE_IN = 20  # charts has as few crossings as the prediction limit, or fewer


class RunOnOneSide(NamedTuple):
    """Useful points in a row on one side: its side (1 above, -1 below), its length, and where it begins and ends."""

    side: int
    length: int
    first: int
    last: int


class Runs(NamedTuple):
    """What the two rules look at. `longest` is None if no point is useful; of several, it is the newest."""

    useful: int
    longest: RunOnOneSide | None
    crossings: int

    @property
    def longest_max(self) -> float | None:
        """The limit of the longest run, log₂ n + 3; None if no point is useful."""
        return log2(self.useful) + ADDED if self.useful else None

    @property
    def crossings_min(self) -> int:
        """The limit of the crossings."""
        return least_crossings(self.useful)

    @property
    def is_long(self) -> bool:
        """Whether the longest run is unusually long."""
        return self.longest is not None and self.longest.length > most_in_a_row(self.useful)

    @property
    def are_few(self) -> bool:
        """Whether there are unusually few crossings."""
        return self.crossings < self.crossings_min


def find_runs(sides: Sequence[int]) -> Runs:
    """Return the runs of points, oldest first, given by their sides: 1 above the centre, -1 below, 0 on it."""
    useful = [(index, side) for index, side in enumerate(sides) if side]
    runs = []
    for side, points in groupby(useful, key=lambda point: point[1]):
        indices = [index for index, _ in points]
        runs.append(RunOnOneSide(side, len(indices), indices[0], indices[-1]))
    longest = max(runs, key=lambda run: (run.length, run.last), default=None)
    return Runs(len(useful), longest, max(0, len(runs) - 1))


def most_in_a_row(useful: int) -> int:
    """Return the longest run that is still usual: the largest whole number up to log₂ n + 3, exactly."""
    return useful.bit_length() - 1 + ADDED if useful else 0


@lru_cache(maxsize=1024)
def least_crossings(useful: int) -> int:
    """Return the smallest number of crossings that is still usual."""
    trials, crossings, ways = max(0, useful - 1), 0, 1
    while ways * ONE_IN < 2**trials:
        crossings += 1
        ways += comb(trials, crossings)
    return crossings
