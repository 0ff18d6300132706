"""Simulate audits of whole months: how often does the interval of the error rate hold the true one.

Days are drawn with the bridge's own strata and weights; which surveys are genuine is drawn at random, by chances that
differ between outcomes and sellers, so that some strata hide more bad ones than others.

    python -m tests.benchmarks audit_intervals
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.audit import CandidateSurvey, SurveyName, draw
from bridge.model.audit_estimates import error_rate
from tests.benchmarks.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OUTCOMES = {"yes": 18, "no": 5, "cant_say": 2, "silent": 60, "error": 2}
"""How many surveys of a seller's day end so, on average."""

SAMPLE = 30
ROUNDS = 150
LEAST_COVERED, MEAN_COVERED = 0.91, 0.94
LEAST_BOUND = 0.93


class AuditWorld(NamedTuple):
    """A month at a site: how many sellers, how many of its days were judged, and the chance that a survey is bad."""

    name: str
    sellers: int
    days: int
    chance: Callable[[int, str], float]


def _only(outcome: str, share: float, other: float = 0.0) -> Callable[[int, str], float]:
    return lambda _seller, found: share if found == outcome else other


WORLDS = (
    AuditWorld("1 in 100 everywhere", 4, 5, lambda *_: 0.01),
    AuditWorld("1 in 20 everywhere", 4, 5, lambda *_: 0.05),
    AuditWorld("1 in 20, one day", 4, 1, lambda *_: 0.05),
    AuditWorld("1 in 5 everywhere, one seller", 1, 2, lambda *_: 0.2),
    AuditWorld("a quarter of the yes", 4, 5, _only("yes", 0.25)),
    AuditWorld("every tenth silent", 4, 5, _only("silent", 0.1)),
    AuditWorld("half of the errors", 4, 5, _only("error", 0.5)),
    AuditWorld("one seller in six cheats with a third", 6, 10, lambda seller, _: 0.33 if seller == 0 else 0.005),
)


def coverage(world: AuditWorld, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return how often the interval held the true rate of a world's surveys, and how often the bound lay above it."""
    chance = random.Random(f"audits {world.name}")
    held = below = counted = 0
    for _ in range(rounds):
        surveys = [list(_day(world, day, chance)) for day in range(world.days)]
        bad = {
            survey.name: chance.random() < world.chance(int(survey.seller_id or 0), survey.outcome)
            for day in surveys
            for survey in day
        }
        judged = [
            ("no_customer" if bad[found.survey.name] else "confirmed", weights[found.survey.stratum])
            for drawn in (draw(day, chance.getrandbits(40), SAMPLE) for day in surveys)
            for weights in [{stratum.key: stratum.population / stratum.sample for stratum in drawn.strata}]
            for found in drawn.surveys
        ]
        rate, truth = error_rate(judged), sum(bad.values()) / len(bad)
        if rate is not None:
            counted += 1
            held += rate.low <= truth <= rate.high
            below += truth <= rate.at_most
    return held / counted, below / counted


def _day(world: AuditWorld, day: int, chance: random.Random) -> Iterator[CandidateSurvey]:
    number = 0
    for seller in range(world.sellers):
        for outcome, usual in OUTCOMES.items():
            for _ in range(max(0, round(chance.gauss(usual, usual**0.5)))):
                number += 1
                yield CandidateSurvey(SurveyName("s", "c", f"{day:08x}", number), number, str(seller), outcome)


def figures() -> Iterator[Figure]:
    """Yield the mean coverage, the least, and the least of the one-sided bound."""
    found = {world.name: coverage(world) for world in WORLDS}
    worst = min(found, key=lambda name: found[name][0])
    worst_bound = min(found, key=lambda name: found[name][1])
    mean = sum(held for held, _ in found.values()) / len(found)
    yield Figure("audits' error rate: mean coverage of its interval", mean, "", MEAN_COVERED, at_most=False)
    yield Figure("… the least", found[worst][0], "", LEAST_COVERED, at_most=False, note=worst)
    yield Figure("… the least of the bound", found[worst_bound][1], "", LEAST_BOUND, at_most=False, note=worst_bound)
