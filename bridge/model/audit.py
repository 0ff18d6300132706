"""Audits: which surveys an expert is to check on video. Drawn by a seed, in strata; anybody can draw the same again.

Each survey has a rank, a number made of the seed and the survey's name by SHA-256; a stratum's sample are its surveys
of the lowest ranks. That is a simple random sample for whoever does not know the seed beforehand.
"""

from __future__ import annotations

import hashlib
from heapq import heapify, heapreplace
from typing import TYPE_CHECKING, NamedTuple
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CONFIRMED, NO_FOOTAGE = "confirmed", "no_footage"
ERRORS = ("no_customer", "pressed_by_staff", "pressed_by_other", "not_asked")
"""The verdicts by which a survey is not genuine."""

VERDICTS = (CONFIRMED, *ERRORS, NO_FOOTAGE)
BY_ITSELF = "-"
"""The expert of a verdict that nobody gave: the archive has no footage."""

LEAST = 3  # of each stratum
TWICE_EVERY = 10  # of so many audits one is judged twice
SAMPLE = 30  # of a day at a site, where nothing else was chosen
WATCH_SAMPLE = 30  # of the surveys that a watch concerns
BEFORE_PRESS_MS = 10_000  # the clip begins so long before the seller's press
MAX_SEED = 2**63 - 1
SEED_BITS = 40  # of a seed that nobody gave
_DRAW, _ORDER, _TWICE = "draw", "order", "twice"  # a rank for each purpose


class SurveyName(NamedTuple):
    """What names a survey for ever."""

    site_id: str
    console_id: str
    epoch: str
    survey: int


class CandidateSurvey(NamedTuple):
    """A survey that may be drawn; `rule` is the flag or watch that concerns it ("": none)."""

    name: SurveyName
    opened_at_ms: int
    seller_id: str | None
    outcome: str
    rule: str = ""

    @property
    def stratum(self) -> StratumKey:
        """Its stratum: surveys that a rule concerns have one of their own, whatever their outcome."""
        return StratumKey(self.rule, self.seller_id, None if self.rule else self.outcome)


class StratumKey(NamedTuple):
    """Names a stratum of a draw: (rule, seller, outcome); the outcome is None where a rule makes the stratum."""

    rule: str
    seller_id: str | None
    outcome: str | None


class DrawnSurvey(NamedTuple):
    """A survey that was drawn; lists show those of the lowest `presentation` first."""

    survey: CandidateSurvey
    presentation: int
    is_twice: bool  # to be judged by a second expert, too


class DrawnStratum(NamedTuple):
    """A stratum of a draw: how many surveys it has, and how many of them were drawn; each stands for their quotient."""

    key: StratumKey
    population: int
    sample: int


class AuditDraw(NamedTuple):
    """What was drawn, the strata in order of their keys and the surveys in order of presentation."""

    strata: list[DrawnStratum]
    surveys: list[DrawnSurvey]


def draw(candidates: Iterable[CandidateSurvey], seed: int, sample: int, *, drawn_before: int = 0) -> AuditDraw:
    """Draw `sample` surveys, but at least LEAST of each stratum, or all that it has.

    `drawn_before`: how many audits there are, so that over all draws a TWICE_EVERY-th part is judged twice.
    """
    strata: dict[StratumKey, list[CandidateSurvey]] = {}
    for candidate in candidates:
        strata.setdefault(candidate.stratum, []).append(candidate)
    keys = sorted(strata, key=_order_of)
    sizes = allocate({key: len(strata[key]) for key in keys}, sample)
    drawn = [survey for key in keys for survey in _lowest(strata[key], seed, sizes[key])]
    twice = set(_lowest(drawn, seed, _twice_count(drawn_before, len(drawn)), _TWICE))
    surveys = [DrawnSurvey(survey, rank(seed, survey.name, _ORDER), survey in twice) for survey in drawn]
    return AuditDraw(
        [DrawnStratum(key, len(strata[key]), sizes[key]) for key in keys],
        sorted(surveys, key=lambda survey: (survey.presentation, survey.survey.name)),
    )


def allocate(populations: Mapping[StratumKey, int], sample: int) -> dict[StratumKey, int]:
    """Share a sample out among strata: LEAST to each, and each further audit to where audits stand for most surveys."""
    sizes = {key: min(LEAST, population) for key, population in populations.items()}
    heap = [(-populations[key] / size, index, key) for index, (key, size) in enumerate(sizes.items())]
    heapify(heap)
    for _ in range(min(sample, sum(populations.values())) - sum(sizes.values())):
        _, index, key = heap[0]
        sizes[key] += 1
        is_whole = sizes[key] == populations[key]
        heapreplace(heap, (0.0 if is_whole else -populations[key] / sizes[key], index, key))
    return sizes


def rank(seed: int, name: SurveyName, purpose: str = _DRAW) -> int:
    """Return a survey's rank, from 0 to 2^63 - 1: the first 63 bits of a hash."""
    text = f"{seed} {purpose} {name.site_id}/{name.console_id}/{name.epoch}/{name.survey}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def _lowest(candidates: list[CandidateSurvey], seed: int, count: int, purpose: str = _DRAW) -> list[CandidateSurvey]:
    return sorted(candidates, key=lambda candidate: (rank(seed, candidate.name, purpose), candidate.name))[:count]


def _twice_count(before: int, count: int) -> int:
    """Return how many of `count` more audits are judged twice: rounded up over all of them, so never too few."""
    return -(-(before + count) // TWICE_EVERY) - -(-before // TWICE_EVERY)


def _order_of(key: StratumKey) -> tuple[str, str, str]:
    return key.rule, key.seller_id or "", key.outcome or ""


def expert_named(who: str) -> str:
    """Return the name of an expert from that of a user of the operating system: whoever `anna as root` is, is anna."""
    return who.partition(" as ")[0].strip()


def is_same_expert(one: str, other: str) -> bool:
    """Return whether two names are one person's; capitals, spaces and how letters are composed make no difference."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    return " ".join(normalize("NFKC", name).casefold().split())
