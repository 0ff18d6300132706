"""Draw what is a seller's own, within the spreads of his temperament: how often he asks, his customers, his hours."""

from collections.abc import Sequence
from itertools import accumulate
from math import exp
from random import Random
from typing import NamedTuple, TypeVar

from msgspec.structs import replace

from simulator.scenario.file import CustomerHabits, SellerHabits
from simulator.scenario.sites import PlannedSeller

HOURS = 24
T = TypeVar("T", CustomerHabits, SellerHabits)


class DrawnSeller(NamedTuple):
    """A seller as drawn, with his own mishaps in the habits of him and his customers.

    `asks` is the share of customers whom he asks, in each hour of the day. Factors are of the weight of *no* among his
    customers, of the customers of each hour of the day, and of the time that they take to answer.
    """

    habits: SellerHabits
    customers: CustomerHabits
    asks: Sequence[float]
    no_factor: float
    hour_factors: Sequence[float]
    reaction_factor: float

    def wants(self, *, is_unhappy_hour: bool) -> tuple[float, ...]:
        """Return the cumulative shares of what his customers want: yes, no, can't say, silent."""
        customers = self.customers
        factor = self.no_factor * (customers.unhappy_factor if is_unhappy_hour else 1.0)
        weights = customers.yes, customers.no * factor, customers.cant_say, customers.silent
        total = sum(weights) or 1.0
        return tuple(accumulate(weight / total for weight in weights))


def drawn_seller(seed: object, site_id: str, customers: CustomerHabits, seller: PlannedSeller) -> DrawnSeller:
    """Draw a seller; the same arguments give the same one."""
    habits = seller.habits
    rng = Random(f"{seed}/{site_id}/{seller.seller_id}/own")

    def factor(spread: float) -> float:
        return exp(rng.gauss(0, spread))

    asks = rng.gauss(habits.asks, habits.asks_spread)
    mishaps = factor(habits.mishaps_spread)
    own_customers = replace(customers, bought=1 - min(1.0, (1 - customers.bought) * mishaps))
    return DrawnSeller(
        _with_mishaps(habits, mishaps, "force_majeure", "force_majeure_during", "presses_twice"),
        _with_mishaps(own_customers, mishaps, "stray", "late_answer"),
        asks=[min(1.0, max(0.0, rng.gauss(asks, habits.asks_by_hour_spread))) for _ in range(HOURS)],
        no_factor=factor(habits.no_spread),
        hour_factors=[factor(habits.hours_spread) for _ in range(HOURS)],
        reaction_factor=factor(habits.reaction_spread),
    )


def _with_mishaps(habits: T, factor: float, *names: str) -> T:
    """Return habits in which the shares of these names are multiplied."""
    return replace(habits, **{name: min(1.0, getattr(habits, name) * factor) for name in names})
