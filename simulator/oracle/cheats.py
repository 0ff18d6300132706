"""Count what each seller could have cheated at, and what he did, from what truly happened."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo


class Opportunity(NamedTuple):
    """A moment at which a seller could have cheated as is his habit, and whether he did.

    `at_ms` is when the customer came, or the shift began; `until_ms` is the same, or when the shift ended.
    """

    at_ms: int
    until_ms: int
    site_id: str
    seller_id: str
    cheat: str
    is_taken: bool


class CheatTally:
    """Acts and opportunities of each seller's cheats, by local month."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, str, str], list[int]] = {}  # site, seller, cheat, month: acts, opportunities

    def add(self, opportunities: Iterable[Opportunity], zone: ZoneInfo) -> None:
        """Add the opportunities of a site with this time zone."""
        for at_ms, _, site_id, seller_id, cheat, is_taken in opportunities:
            month = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).strftime("%Y-%m")
            counts = self._counts.setdefault((site_id, seller_id, cheat, month), [0, 0])
            counts[0] += is_taken
            counts[1] += 1

    def join(self, other: "CheatTally") -> None:
        """Add the counts of another tally."""
        for key, (acts, opportunities) in other._counts.items():  # noqa: SLF001
            counts = self._counts.setdefault(key, [0, 0])
            counts[0] += acts
            counts[1] += opportunities

    def of(self, site_id: str, seller_id: str, cheat: str) -> dict[str, Any]:
        """Return a seller's `acts` and `opportunities`, in all and in each of his `months`."""
        months = dict(sorted(self._months(site_id, seller_id, cheat)))
        acts, opportunities = (sum(month[name] for month in months.values()) for name in ("acts", "opportunities"))
        return {"acts": acts, "opportunities": opportunities, "months": months}

    def _months(self, *seller_and_cheat: str) -> Iterator[tuple[str, dict[str, int]]]:
        for (*key, month), (acts, opportunities) in self._counts.items():
            if tuple(key) == seller_and_cheat:
                yield month, {"acts": acts, "opportunities": opportunities}
