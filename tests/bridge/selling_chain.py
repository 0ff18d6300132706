"""A chain of honest sellers, all alike, and one or more who cheat, each at a console of his own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at

if TYPE_CHECKING:
    from collections.abc import Sequence

HONEST = 21
SITE = "demo"
YES, NO, FAST = 34, 2, 12


class SellingChain:
    """The consoles of the honest and the cheats, and the commands of their office."""

    def __init__(self, office: Office, cheats: Sequence[str] = ("cheat",), until: str = "2025-08-01") -> None:
        self.office = office
        self.sellers = [*(f"honest-{number:02d}" for number in range(HONEST)), *cheats]
        self.tills = {
            seller: OfficeTill(SITE, f"till-{seller}", f"{number:08x}", f"{number:06x}", base_ms=at_local("2025-01-01"))
            for number, seller in enumerate(self.sellers, 1)
        }
        office.do("site", "set", SITE, "--timezone", "UTC")
        shifts = [f"{SITE},till-{seller},{seller},{seller.title()},2025-01-01,{until}" for seller in self.sellers]
        result = office.shifts(*shifts, options=("--new",))
        assert result.status == 0, result

    def month(self, month: str, fast: int = 0) -> None:
        """Record and take in a month's surveys: the cheat presses *yes* himself, within a second, so many times."""
        for seller, till in self.tills.items():
            cheated = fast if seller == "cheat" else 0
            for number in range(YES + NO):
                outcome = "yes" if number < YES else "no"
                response_ms = 500 if number < cheated else 2000 + 250 * (number % 20)
                till.survey(at_local(f"{month}-03") + number * 10 * MINUTE_MS, outcome, response_ms=response_ms)
        self.office.take(*self.tills.values())

    def flags(self, *options: object) -> list[dict[str, Any]]:
        """Return the rows of `trivox flags`."""
        rows: list[dict[str, Any]] = json.loads(self.office.do("flags", "--format", "json", *options))
        return rows

    def states(self, *options: object) -> dict[str, str]:
        """Return the state of each month of the cheat in which something was found."""
        rows = self.flags("--all", "--rule", "fast_yes", *options)
        assert {row["seller_id"] for row in rows} <= {"cheat"}
        return {row["month"]: row["state"] for row in sorted(rows, key=lambda row: str(row["month"]))}


def at_local(day: str) -> int:
    """Return the first instant of a day of the chain, whose clocks show UTC."""
    return at(f"{day}T00:00:00+00:00")
