"""Draw what is a seller's own, within the spreads of his temperament: how often he asks, his customers, his hours."""

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

from simulator.scenario.file import CustomerHabits, SellerHabits
from simulator.scenario.sites import PlannedSeller

HOURS = 24


class DrawnSeller(NamedTuple):
    """A seller as drawn.

    `no_factor` is what the weight of *no* among his customers is multiplied by, `hour_factors` the customers of each
    hour of the day.
    """

    habits: SellerHabits
    asks: float
    no_factor: float
    hour_factors: Sequence[float]

    def wants(self, customers: CustomerHabits, *, is_unhappy_hour: bool) -> tuple[float, ...]:
        """Return the cumulative shares of what his customers want: yes, no, can't say, silent."""
        factor = self.no_factor * (customers.unhappy_factor if is_unhappy_hour else 1.0)
        weights = customers.yes, customers.no * factor, customers.cant_say, customers.silent
        total = sum(weights) or 1.0
        return tuple(accumulate(weight / total for weight in weights))


def drawn_seller(seed: object, site_id: str, seller: PlannedSeller) -> DrawnSeller:
    """Draw a seller; the same arguments give the same one."""
    habits = seller.habits
    rng = Random(f"{seed}/{site_id}/{seller.seller_id}/own")
    asks = habits.asks + habits.asks_spread * rng.uniform(-1, 1)
    no_factor = 1 + habits.no_spread * rng.uniform(-1, 1)
    hour_factors = [1 + habits.hours_spread * rng.uniform(-1, 1) for _ in range(HOURS)]
    return DrawnSeller(habits, min(1.0, max(0.0, asks)), no_factor, hour_factors)
