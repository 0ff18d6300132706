"""How probable so many cases are, as others' shares differ: a beta-binomial distribution fitted by moments. Pure.

The fit leaves out the fifth of the others with the highest standardised excess, as these may be cheats themselves, and
then takes a share 1.25 times as high, and a correlation twice as high plus 0.005, to be on the safe side.
"""

from __future__ import annotations

from math import exp, lgamma, sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LEFT_OUT = 5
"""One in so many of the others is left out."""

RHO_MIN, RHO_MAX = 0.002, 0.5
SHARE_FACTOR = 1.25
RHO_FACTOR, RHO_MORE = 2.0, 0.005

Cases = tuple[int, int]
"""(x, n): how many of how many."""


class PeerFit(NamedTuple):
    """The share of the others, and the correlation of two cases of one of them, before any margin of safety.

    `share_above_0` is the same share, or that of half a case where the others have none: else any case were impossible.
    """

    share: float
    share_above_0: float
    rho: float

    def upper_tail(self, x: int, n: int) -> float:
        """Return P(X ≥ x) of n, with the margins of safety."""
        share = min(0.999, self.share_above_0 * SHARE_FACTOR)
        return upper_tail(x, n, share, min(0.9, self.rho * RHO_FACTOR + RHO_MORE))


def fit_peers(others: Sequence[Cases]) -> PeerFit:
    """Fit the others, each with n above 0."""
    kept = without_highest(others)
    x, n = sum(x for x, _ in kept), sum(n for _, n in kept)
    return PeerFit(x / n, x / n if x else 0.5 / (n + 1), min(RHO_MAX, max(RHO_MIN, moment_rho(kept))))


def without_highest(others: Sequence[Cases]) -> list[Cases]:
    """Leave out the fifth with the highest standardised excess over the share of all of them."""
    share = sum(x for x, _ in others) / sum(n for _, n in others)
    by_excess = sorted(others, key=lambda cases: (cases[0] - cases[1] * share) / sqrt(cases[1]))
    return by_excess[: len(others) - len(others) // LEFT_OUT]


def moment_rho(kept: Sequence[Cases]) -> float:
    """Return the correlation from the weighted variance of the shares; 0 where it is not defined.

    Kleinman, "Proportions with extraneous variance", JASA 68, 1973, with weights n.
    """
    total = sum(n for _, n in kept)
    share = sum(x for x, _ in kept) / total
    squares = sum(n * (x / n - share) ** 2 for x, n in kept)
    expected = sum(1 - n / total for _, n in kept)
    per_rho = sum((n - 1) * (1 - n / total) for _, n in kept)
    if not per_rho or not 0 < share < 1:
        return 0.0
    return (squares / (share * (1 - share)) - expected) / per_rho


def upper_tail(x: int, n: int, share: float, rho: float) -> float:
    """Return P(X ≥ x) of n under a beta-binomial with this mean share and correlation, both between 0 and 1."""
    if x <= 0:
        return 1.0
    if x > n:
        return 0.0
    a, b = share * (1 - rho) / rho, (1 - share) * (1 - rho) / rho
    start = lgamma(n + 1) - lgamma(x + 1) - lgamma(n - x + 1)
    start += lgamma(x + a) + lgamma(n - x + b) - lgamma(n + a + b) - lgamma(a) - lgamma(b) + lgamma(a + b)
    term = exp(start)
    total = 0.0
    for k in range(x, n + 1):
        total += term
        if term < total * 1e-12 and k > n * share:
            break
        term *= (n - k) / (k + 1) * (k + a) / (n - k - 1 + b) if k < n else 0.0
    return min(1.0, total)
