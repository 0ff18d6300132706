"""Whom a seller asks: the share of his sales, and in which hours he asks fewer than his peers. Pure."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.flags.robust_z import Effect

if TYPE_CHECKING:
    from collections.abc import Iterable

HALF = 0.5
"""Added to counts, so that there is a logarithm where a count is 0."""


def logit_of_asked(asked: float, sales: float) -> Effect:
    """Return the logit of the share of sales at which customers were asked; more asked than sales count as all."""
    some, others = min(asked, sales) + HALF, max(0.0, sales - asked) + HALF
    return Effect(log(some / others), 1 / some + 1 / others)


class AskedHour(NamedTuple):
    """An hour of a seller: his sales and customers asked, and how many he would ask if he asked as his peers do then.

    `is_bad`: one of the quarter of his hours in which his peers have the highest share of *no*.
    """

    day: str
    is_bad: bool
    asked: float
    sales: float
    expected: float


def effect_of_bad_hours(hours: Iterable[AskedHour]) -> Effect | None:
    """Return log(asked / expected) in bad hours less the same in the others; None without hours of both kinds.

    Customers of a day come in crowds, so that the variance is that of the days' contributions, but at least that of
    asking each customer by the throw of a coin.
    """
    listed = list(hours)
    halves = [_RatioOverDays([hour for hour in listed if hour.is_bad is is_bad]) for is_bad in (True, False)]
    bad, others = halves
    days = bad.days.keys() | others.days.keys()
    if not bad.expected or not others.expected or len(days) < 2:  # noqa: PLR2004 - one day has no variance
        return None
    squares = sum((bad.contribution(day) - others.contribution(day)) ** 2 for day in days)
    clustered = squares * len(days) / (len(days) - 1)
    return Effect(bad.log_ratio - others.log_ratio, max(clustered, bad.binomial + others.binomial))


class _RatioOverDays:
    """The log ratio of asked to expected in some hours, and what each day contributes to its error."""

    def __init__(self, hours: list[AskedHour]) -> None:
        self.days: dict[str, tuple[float, float]] = {}
        for hour in hours:
            asked, expected = self.days.get(hour.day, (0.0, 0.0))
            self.days[hour.day] = asked + hour.asked, expected + hour.expected
        self.asked = sum(hour.asked for hour in hours)
        self.expected = sum(hour.expected for hour in hours)
        self.sales = sum(hour.sales for hour in hours)
        self.log_ratio = log((self.asked + HALF) / (self.expected + HALF))

    def contribution(self, day: str) -> float:
        """Return a day's contribution to the error of the log ratio, to first order."""
        asked, expected = self.days.get(day, (0.0, 0.0))
        return asked / (self.asked + HALF) - expected / (self.expected + HALF)

    @property
    def binomial(self) -> float:
        """The variance of the log ratio if each customer were asked with the same probability."""
        share = min(1.0, (self.asked + HALF) / (self.sales + 2 * HALF))
        return (1 - share) / (self.asked + HALF)
