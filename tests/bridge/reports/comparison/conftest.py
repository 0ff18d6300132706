"""A world of two sites and ten sellers in October and November 2026, made once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.bridge.office import MINUTE_MS, Office, OfficeTill, at
from tests.support.seeds import seeded

if TYPE_CHECKING:
    from tests.bridge.reports.comparison.independent import Counts

DAY_MS = 1440 * MINUTE_MS
OUTCOMES = ("yes", "no", "cant_say", "silent")
OCTOBER, NOVEMBER = at("2026-10-05T08:00+00:00"), at("2026-11-02T08:00+00:00")  # Mondays, four weeks apart


class SellersMonth(NamedTuple):
    """What a seller's customers said in November, and at which site."""

    site_id: str
    counts: Counts


class ComparedWorld(NamedTuple):
    """The commands on the world, and what was made of each seller in November."""

    office: Office
    november: dict[str, SellersMonth]


@pytest.fixture(autouse=True)
def december(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both months over, whatever the clock says."""
    monkeypatch.setattr(time, "time_ns", lambda: at("2026-12-05T12:00+00:00") * 1_000_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> ComparedWorld:
    chance = seeded("comparisons")
    office = Office(tmp_path_factory.mktemp("world"))
    november: dict[str, SellersMonth] = {}
    tills, shifts = [], []
    for number in range(10):
        site, seller = ("east", "west")[number % 2], f"seller-{number}"
        bad = number in {2, 7}
        shares = (0.10, 0.75, 0.05, 0.10) if bad else (0.6, 0.08, 0.02, 0.3)
        size = 12 if number == 5 else 34 if number == 6 else chance.randrange(90, 140)
        till = OfficeTill(site, f"till-{number}", epoch=f"0000ab{number:02d}", base_ms=OCTOBER - DAY_MS)
        tally(till, OCTOBER, chance.choices(OUTCOMES, (0.5, 0.2, 0.05, 0.25), k=60))
        outcomes = chance.choices(OUTCOMES, shares, k=size)
        tally(till, NOVEMBER, outcomes)
        november[seller] = SellersMonth(site, tuple(map(outcomes.count, OUTCOMES)))  # type: ignore[arg-type]
        tills.append(till)
        shifts.append(f"{site},till-{number},{seller},Name {9 - number},2026-10-01T00:00Z,2026-12-01T00:00Z")
    office.take(*tills)
    assert office.shifts(*shifts).status == 0
    return ComparedWorld(office, november)


def tally(till: OfficeTill, first_ms: int, outcomes: list[str]) -> None:
    """Record surveys on the days of four weeks, in turn."""
    for number, outcome in enumerate(outcomes):
        till.survey(first_ms + number % 28 * DAY_MS + number // 28 * MINUTE_MS, outcome)
