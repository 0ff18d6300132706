"""Worlds of honest and gaming sellers: a chain of four sites with 25 sellers each, two quiet and two lively ones.

A seller has 1,144 sales a month. At quiet sites a tenth of the customers answer, at lively ones six in ten.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

MONTHS = ("2026-01", "2026-02", "2026-03")
SALES_A_MONTH = 1144
SELLERS = 25
COPIES = 2  # of each kind of site
CUSTOMERS = {
    "quiet": {"yes": 0.06, "no": 0.03, "cant_say": 0.01, "silent": 0.90},
    "lively": {"yes": 0.40, "no": 0.15, "cant_say": 0.05, "silent": 0.40},
}
CROWD = {"bought": 0.995, "superseding": 0.1, "unhappy_hours": [12, 13, 17], "unhappy_factor": 2.0}
HOURS = (
    *[0.0] * 9,
    8.0,
    9.0,
    9.5,
    10.0,
    9.5,
    8.5,
    8.5,
    9.5,
    11.0,
    9.5,
    7.0,
    *[0.0] * 4,
)  # percent of a day's customers
FAIR = {"asks": 0.85, "asks_spread": 0.06, "asks_by_hour_spread": 0.05, "no_spread": 0.15, "hours_spread": 0.2}
FAIR |= {"reaction_spread": 0.2, "mishaps_spread": 0.7, "force_majeure": 0.002, "force_majeure_during": 0.001}
AFTER_3_S = {"presses_yes_after_s": [3.0, 4.0]}
AFTER_SOME_S = {"presses_yes_after_s": [2.0, 9.0]}
SHIFT = {"start": "09:00", "end": "20:00"}


class Cheat(NamedTuple):
    """How a seller cheats, by how much in a world of small and in one of large doses, and the rule that tells it."""

    name: str
    habit: str
    small: float
    large: float
    rule: str
    words: str
    more: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it

    def habits(self, dose: str) -> dict[str, Any]:
        """Return his temperament's habits: those of an honest seller who asks as many as most, and the cheat."""
        return {**FAIR, "asks_spread": 0.0, self.habit: getattr(self, dose), **self.more}

    def in_words(self, dose: str) -> str:
        """Say what he does, and how often."""
        return self.words.format(f"{100 * getattr(self, dose):g} %")


CHEATS = (
    Cheat("picks", "asks_unhappy", 0.2, 0.0, "asks_the_happy", "{} of the unhappy asked"),
    Cheat("skips", "asks_in_unhappy_hours", 0.7, 0.4, "skips_bad_hours", "{} of bad hours' customers asked"),
    Cheat("presses", "presses_yes", 0.1, 0.3, "fast_yes", "yes for {} of the silents, at once"),
    Cheat("waits", "presses_yes", 0.1, 0.3, "regular_yes", "yes for {} of the silents, after 3 s", AFTER_3_S),
    Cheat("ghosts", "ghosts", 0.055, 0.15, "no_sale", "ghosts after {} of customers", AFTER_SOME_S),
    Cheat("excuses", "force_majeure_after_no", 0.2, 0.6, "force_majeure_after_no", "force majeure after {} of no's"),
    Cheat(
        *("spoils", "force_majeure_while_unhappy", 0.2, 0.6, "force_majeure_while_open"),
        "force majeure during {} of no's",
    ),
    Cheat("unplugs", "pulls_plug", 0.2, 0.6, "errors", "the plug pulled on {} of no's"),
    Cheat("rewrites", "rewrites_shifts", 0.3, 0.9, "skips_bad_hours", "{} of shifts rewritten, tills know it"),
)


def world(seed: int, dose: str | None) -> dict[str, Any]:
    """Return a scenario's tables: of honest sellers alone, or with one cheat of each kind at each site."""
    cheats = [] if dose is None else CHEATS
    temperaments: dict[str, Any] = {"fair": FAIR}
    temperaments |= {cheat.name: cheat.habits(dose) for cheat in cheats if dose}
    days = (date(2026, 4, 1) - date(2026, 1, 1)).days
    return {
        "title": "Honest and gaming sellers",
        "first_day": date(2026, 1, 1),
        "days": days,
        "seed": seed,
        "customers": {crowd: {**shares, **CROWD} for crowd, shares in CUSTOMERS.items()},
        "temperaments": temperaments,
        "faults": {"usual": {"power_cuts_per_day": 0.02, "outages_per_day": 0.1, "outage_minutes": [2, 45]}},
        "site": [_site(crowd, cheats, days) for crowd in CUSTOMERS],
    }


def _site(crowd: str, cheats: Any, days: int) -> dict[str, Any]:
    a_day = SALES_A_MONTH * len(MONTHS) / days * SELLERS / CROWD["bought"]
    points = [_point("till", f"fair-{crowd}", "fair") | {"count": SELLERS - len(cheats)}]
    points += [_point(f"till-{cheat.name}", f"{cheat.name}-{crowd}", cheat.name) for cheat in cheats]
    return {
        "id": crowd,
        "count": COPIES,
        "timezone": "Europe/Sofia",
        "customers": crowd,
        "faults": "usual",
        "each_sale": True,
        "visitors": [round(a_day * share / sum(HOURS), 3) for share in HOURS],
        "checkout_points": points,
    }


def _point(point_id: str, seller_id: str, temperament: str) -> dict[str, Any]:
    return {"id": point_id, "sellers": [{"id": seller_id, "temperament": temperament, "shifts": [SHIFT]}]}
