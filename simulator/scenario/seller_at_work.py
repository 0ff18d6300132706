"""A seller in one of his shifts, his hours, and the customers whom he serves."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from simulator.oracle.cheats import Opportunity
from simulator.people.diary import Wanted
from simulator.scenario.drawn_seller import DrawnSeller
from simulator.scenario.sites import PlannedShift


class Customer(NamedTuple):
    """A customer who is served: what he would answer, whether he buys, and how many people came in with him."""

    wanted: Wanted
    bought: bool
    visitors: int


NOBODY = Customer("silent", bought=False, visitors=0)


class SellerAtWork:
    """A seller in one of his shifts. Each opportunity to cheat as is his habit is added to `opportunities`.

    Attributes:
        drawn: what is his own.
        habits, customers: his own, as drawn.
        customer_at_ms: when his present customer came.
        last_ask_ms: the latest instant at which he may ask somebody.
    """

    __slots__ = (
        "_opportunities",
        "_random",
        "_shares",
        "_shift",
        "_site_id",
        "customer_at_ms",
        "customers",
        "drawn",
        "habits",
        "last_ask_ms",
    )

    def __init__(
        self,
        drawn: DrawnSeller,
        shift: PlannedShift,
        site_id: str,
        random: Callable[[], float],
        opportunities: list[Opportunity],
    ) -> None:
        self.drawn, self.habits, self.customers = drawn, drawn.habits, drawn.customers
        self._shares = self.habits.cheats
        self._shift, self._site_id = shift, site_id
        self._random, self._opportunities = random, opportunities
        self.customer_at_ms = self.last_ask_ms = 0

    def cheats(self, habit: str) -> bool:
        """Draw whether he cheats so now that he could."""
        share = self._shares.get(habit)
        if share is None:
            return False
        is_taken = self._random() < share
        seller_id = self._shift.seller.seller_id
        at_ms = self.customer_at_ms
        self._opportunities.append(Opportunity(at_ms, at_ms, self._site_id, seller_id, habit, is_taken))
        return is_taken


class WorkedHour(NamedTuple):
    """A seller's hour: start, end, customers per millisecond, the share asked, cumulative shares of what they want."""

    from_ms: int
    to_ms: int
    rate: float
    asks: float
    wants: Sequence[float]
    is_unhappy: bool
