"""How far an effect lies from those of the others, so that two cheats among twenty do not hide each other. Pure.

Effects y with variances s² have their median c as centre, and spread between sellers by τ²: the smallest value with
1.4826 · median(|y - c| / √(s² + τ²)) ≤ 1. Z = (y - c) / √(s² + τ²).
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAD_SCALE = 1.4826
"""Makes the median absolute deviation of normal values their standard deviation."""

HALVINGS = 60


class Effect(NamedTuple):
    """An effect, such as a log odds, and the variance of its estimate, which is above 0."""

    y: float
    variance: float


def z_scores(effects: Mapping[str, Effect]) -> dict[str, float]:
    """Return Z of each effect, by the same names."""
    centre = median(effect.y for effect in effects.values())
    tau2 = spread(list(effects.values()), centre)
    return {name: (effect.y - centre) / sqrt(effect.variance + tau2) for name, effect in effects.items()}


def spread(effects: list[Effect], centre: float) -> float:
    """Return τ², to one part in 2⁶⁰ of its upper bound."""
    distances = [(abs(effect.y - centre), effect.variance) for effect in effects]

    def is_enough(tau2: float) -> bool:
        return MAD_SCALE * median(distance / sqrt(variance + tau2) for distance, variance in distances) <= 1

    if is_enough(0.0):
        return 0.0
    low, high = 0.0, (MAD_SCALE * max(distance for distance, _ in distances)) ** 2
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if is_enough(middle):
            high = middle
        else:
            low = middle
    return high


def median(values: Iterable[float]) -> float:
    """Return the median of at least one value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
