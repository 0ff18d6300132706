"""What audits show: the share of surveys that are not genuine, and how far two experts agree. Only arithmetic."""

from __future__ import annotations

from collections import Counter
from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.audit import ERRORS, NO_FOOTAGE, VERDICTS
from bridge.model.beta import beta_cdf, beta_quantile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Z = 1.959963984540054  # standard normal quantile of a two-sided 95 % interval
CONFIDENCE = 0.95
TOLERATED = 0.05
"""The share of bad surveys that clean audits are to rule out."""

_HAIR = 1e-9


class ErrorRate(NamedTuple):
    """The share of surveys that are not genuine, of all that the audits stand for: `low` <= `value` <= `high`.

    `audits` were judged and had footage, `bad` of them are not genuine; by their weights they count as many as
    `effective` of equal weight. With 95 % confidence `at_most` that share is bad; `clean_needed` more audits, if all
    are clean, would show that it is at most TOLERATED.
    """

    value: float
    low: float
    high: float
    at_most: float
    audits: int
    bad: int
    effective: float
    clean_needed: int


def error_rate(judged: Iterable[tuple[str, float]]) -> ErrorRate | None:
    """Return the error rate of audits, each given as (verdict, weight); None if none of them had footage.

    The value is the weighted share (Hájek's estimator). The interval is Wilson's, at the effective sample size
    (Σw)² / Σw² (Kish); with none bad it goes up to the exact one-sided bound, 1 - 0.05^(1/n).
    """
    seen = [(verdict in ERRORS, weight) for verdict, weight in judged if verdict != NO_FOOTAGE]
    if not seen:
        return None
    total = sum(weight for _, weight in seen)
    value = sum(weight for is_bad, weight in seen if is_bad) / total
    effective = total * total / sum(weight * weight for _, weight in seen)
    bad = sum(is_bad for is_bad, _ in seen)
    highest = at_most(value * effective, effective)
    low, high = _wilson(value, effective) if bad else (0.0, highest)
    needed = clean_needed(value * effective, effective, len(seen))
    return ErrorRate(value, low, high, highest, len(seen), bad, effective, needed)


def at_most(bad: float, audits: float) -> float:
    """Return the share that is bad at most, with 95 % confidence: Clopper and Pearson's one-sided bound.

    None bad of 30 still allows 9.5 %, none of 59 allows 5 %. `bad` and `audits` may be fractions (Korn and Graubard,
    "Confidence intervals for proportions with small expected number of positive counts", Survey Methodology 24, 1998).
    """
    if bad >= audits:
        return 1.0
    return beta_quantile(CONFIDENCE, bad + 1, audits - bad)


def clean_needed(bad: float, effective: float, audits: int) -> int:
    """Return how many more audits, if all are clean and weigh as these do, show that at most TOLERATED is bad."""
    low, high = 0, 1
    while not _shows(bad, effective, audits, high):
        low, high = high, 2 * high
    if _shows(bad, effective, audits, 0):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _shows(bad, effective, audits, middle) else (middle, high)
    return high


def _shows(bad: float, effective: float, audits: int, more: int) -> bool:
    of = effective * (audits + more) / audits
    return bad < of and beta_cdf(TOLERATED, bad + 1, of - bad) >= CONFIDENCE


def _wilson(share: float, of: float) -> tuple[float, float]:
    spread = Z * Z / of
    centre = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))


class Agreement(NamedTuple):
    """How far first and second verdicts on the same surveys agree: the share of equal ones, with Wilson's interval.

    `kappa` is Cohen's, the share beyond chance; None where both experts gave the same verdict on everything. `ac1` is
    Gwet's, which does not fall where nearly all verdicts are the same.
    """

    pairs: int
    value: float
    low: float
    high: float
    kappa: float | None
    ac1: float


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement | None:
    """Return the agreement of pairs of verdicts, first and second; None without any.

    J. Cohen, Educational and Psychological Measurement 20, 1960; K. Gwet, British Journal of Mathematical and
    Statistical Psychology 61, 2008.
    """
    if not pairs:
        return None
    count = len(pairs)
    equal = sum(first == second for first, second in pairs) / count
    firsts, seconds = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    by_chance = sum(firsts[verdict] * seconds[verdict] for verdict in VERDICTS) / count**2
    shares = [(firsts[verdict] + seconds[verdict]) / (2 * count) for verdict in VERDICTS]
    by_chance_gwet = sum(share * (1 - share) for share in shares) / (len(VERDICTS) - 1)
    kappa = None if 1 - by_chance < _HAIR else (equal - by_chance) / (1 - by_chance)
    return Agreement(count, equal, *_wilson(equal, count), kappa, (equal - by_chance_gwet) / (1 - by_chance_gwet))


def percent(share: float) -> str:
    """Return a share in percent for a sentence, as `9.5 %`."""
    return f"{round(share * 100, 1):g} %"
