"""What each rule counts of events and sales, from consoles and tills to `trivox flags`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.bridge.office import MINUTE_MS, Office
from tests.bridge.selling_chain import HONEST, SITE, SellingChain, at_local
from tests.support.seeds import seeded

if TYPE_CHECKING:
    import random

    from tests.bridge.office import OfficeTill

MONTH = "2025-01"
DAYS, HOURS, SALES = 9, range(9, 17), (5, 25, 45)
BAD_HOURS = {12, 15}
SALES_OF_MONTH = DAYS * len(HOURS) * len(SALES)
CASE_OF = {  # the answers to which something is done, by the rule that sees it
    "fast_yes": ("yes",),
    "regular_yes": ("yes",),
    "errors": ("no",),
    "strays": ("yes", "no"),
    "force_majeure_after_no": ("no",),
    "force_majeure_while_open": ("yes", "no"),
    "no_sale": ("yes", "no"),
}
CHEATS = (*CASE_OF, "asks_the_happy", "skips_bad_hours")
QUESTION = {"question_id": "staff", "question_revision": 1}
CASES = 14


class PlayedMonth:
    """A month of each seller: three sales an hour, most customers asked, and the cheat that the seller is named by."""

    def __init__(self, chain: SellingChain, rng: random.Random) -> None:
        self._rng = rng
        self.asked = dict.fromkeys(chain.sellers, 0)
        self.outcomes: dict[str, list[str]] = {seller: [] for seller in chain.sellers}
        self._cases = dict.fromkeys(chain.sellers, 0)
        self.counts = ["site_id,source_id,kind,from,to,count,checkout_point_id"]
        for seller, till in chain.tills.items():
            for day in range(DAYS):
                for hour in HOURS:
                    for minute in SALES:
                        at_ms = at_local(f"{MONTH}-{day + 6:02d}") + (hour * 60 + minute) * MINUTE_MS
                        when = f"{MONTH}-{day + 6:02d}T{hour:02d}:{minute:02d}"
                        self.counts.append(f"{SITE},pos-{seller},transactions,{when}:00,{when}:01,1,point-{seller}")
                        self._customer(seller, till, at_ms - 20_000, is_bad=hour in BAD_HOURS)

    def _customer(self, cheat: str, till: OfficeTill, at_ms: int, *, is_bad: bool) -> None:
        is_unhappy = self._rng.random() < (0.5 if is_bad else 0.2)
        asks = 0.7
        if cheat == "asks_the_happy" and is_unhappy:
            asks = 0.1
        if cheat == "skips_bad_hours" and is_bad:
            asks = 0.1
        if self._rng.random() >= asks:
            return
        outcome = "no" if is_unhappy else "yes"
        response_ms = self._rng.randrange(2000, 12_000)
        limit = 4 * CASES if cheat == "regular_yes" else CASES
        is_case = cheat in CASE_OF and outcome in CASE_OF[cheat] and self._cases[cheat] < limit
        if is_case:
            response_ms = {"fast_yes": 999, "regular_yes": 3000}.get(cheat, response_ms)
            outcome = "error" if cheat == "errors" else outcome
        number = till.survey(at_ms, outcome, response_ms=response_ms)
        self.asked[cheat] += 1
        self.outcomes[cheat].append(outcome)
        if is_case:
            self._cases[cheat] += 1
            self._plant(cheat, till, number, at_ms + response_ms)

    def _plant(self, cheat: str, till: OfficeTill, number: int, closed_ms: int) -> None:
        if cheat == "strays":
            till.event("stray_pressed", closed_ms + 1000, button="yes", reason="already_answered", survey=number)
        elif cheat == "force_majeure_after_no":
            till.event("force_majeure_declared", closed_ms + 120_000, survey=None, **QUESTION)
        elif cheat == "force_majeure_while_open":
            till.event("force_majeure_declared", closed_ms - 500, survey=number, **QUESTION)
        elif cheat == "no_sale":
            till.survey(closed_ms + 8 * MINUTE_MS, "yes", response_ms=5000)
            self.outcomes[cheat].append("yes")


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[PlayedMonth, list[dict[str, Any]]]:
    """The month as it was played, and what the flags say of it."""
    office = Office(tmp_path_factory.mktemp("evidence"))
    chain = SellingChain(office, CHEATS)
    lines = [f"{SITE},point-{seller},till-{seller},2025-01-01" for seller in chain.sellers]
    points = office.file("points.csv", "\n".join(["site_id,checkout_point_id,console_id,from", *lines]) + "\n")
    office.do("checkout-point", "import", points, "--new")
    played = PlayedMonth(chain, seeded("evidence"))
    office.do("counts", "import", office.file("counts.csv", "\n".join(played.counts) + "\n"), "--new")
    office.take(*chain.tills.values())
    return played, chain.flags("--month", MONTH)


@pytest.mark.parametrize("rule", CHEATS)
def test_each_cheat_is_found_by_the_rule_for_it(played: tuple[PlayedMonth, list[dict[str, Any]]], rule: str) -> None:
    month, rows = played
    (row,) = [row for row in rows if (row["seller_id"], row["rule"]) == (rule, rule)]
    assert row["level"] in {"watch", "flag"}
    assert HONEST <= row["peers"] < HONEST + len(CHEATS)
    outcomes = month.outcomes[rule]
    answers = len(outcomes) - outcomes.count("error")
    x, n = {
        "fast_yes": (CASES, outcomes.count("yes")),
        "errors": (CASES, len(outcomes)),
        "strays": (CASES, answers + CASES),
        "force_majeure_after_no": (CASES, outcomes.count("no")),
        "force_majeure_while_open": (CASES, answers),
        "no_sale": (CASES, answers),
        "asks_the_happy": (month.asked[rule], SALES_OF_MONTH),
    }.get(rule, (row["x"], row["n"]))
    assert (row["x"], row["n"]) == (x, n)
    if rule == "regular_yes":
        assert (row["x"] >= 4 * CASES, row["n"]) == (True, outcomes.count("yes"))
    if rule == "skips_bad_hours":
        assert row["n"] == SALES_OF_MONTH / 4
        assert row["x"] < 0.3 * row["n"]
    concerned = answers if rule == "asks_the_happy" else row["x"]
    assert row["surveys_concerned"] == concerned


def test_nobody_is_found_by_what_he_did_not_do(played: tuple[PlayedMonth, list[dict[str, Any]]]) -> None:
    counted = {"fast_yes", "errors", "strays", "force_majeure_after_no", "force_majeure_while_open", "no_sale"}
    _, rows = played
    assert {(row["seller_id"], row["rule"]) for row in rows if row["rule"] in counted} == {
        (rule, rule) for rule in counted
    }
