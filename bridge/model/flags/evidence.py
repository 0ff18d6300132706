"""What the rules need to know of a month: the counts of each seller."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

Hour = tuple[str, str]
"""(site_id, local hour), the hour as 2026-11-22T13."""


@dataclass(slots=True)
class AskedInHour:
    """The customers that a seller asked in an hour that his sales are known for, and these sales."""

    asked: float = 0.0
    sales: float = 0.0


@dataclass(slots=True)
class SellerMonth:
    """The counts of a seller's month, at all sites.

    `answers` are [no, yes] by (site_id, question_id, local hour). `yes_bins` counts each *yes* by `response_ms // 250`.
    `matched` surveys were looked for among the sales of tills that send each sale, and `left_over` had none.
    """

    surveys: int = 0
    errors: int = 0
    no: int = 0
    no_then_force_majeure: int = 0
    force_majeure_open: int = 0
    strays: int = 0
    matched: int = 0
    left_over: int = 0
    asked: float = 0.0  # where sales are known: each survey counts for its `ask_every`
    asked_surveys: int = 0  # … and each for itself
    sales: float = 0.0
    yes_bins: Counter[int] = field(default_factory=Counter)
    answers: dict[tuple[str, str, str], list[int]] = field(default_factory=dict)
    hours: dict[Hour, AskedInHour] = field(default_factory=dict)


MonthEvidence = dict[str, SellerMonth]
"""By seller_id."""


def month_of(evidence: MonthEvidence, seller_id: str) -> SellerMonth:
    """Return the counts of a seller, which begin at none."""
    month = evidence.get(seller_id)
    if month is None:
        month = evidence[seller_id] = SellerMonth()
    return month
