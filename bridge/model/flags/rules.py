"""The rules of the flags, in one place: what each compares, and what else it needs.

Whoever changes what a rule says of the same data raises its version: flags of the old version lapse.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import TYPE_CHECKING

from bridge.model.flags.fullest_second import STEPS
from bridge.model.flags.measures import asking_the_happy, regular_yes, skipping_bad_hours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bridge.model.flags.beta_binomial import Cases
    from bridge.model.flags.evidence import MonthEvidence, SellerMonth
    from bridge.model.flags.measures import Measured

LEAST_PEERS = 20
"""With fewer peers there is no flag, only a watch."""

WATCH_P, FLAG_P = 0.005, 0.001
WATCH_Z, FLAG_Z = 2.576, 3.09
FAST_MS = 1000
SOON_MS = 120_000
"""A force majeure so soon after a *no* follows it."""


ROUNDING = 1e-12
"""Shares that differ by less are the same: 0.07 is 2 points above 0.05."""


@dataclass(frozen=True)
class CountRule:
    """A rule on how many cases a seller has of how many, against a beta-binomial of the others (EB).

    `counts` returns (x, n). Sellers with n below `least_n` (of what `least_of` counts, if given) are not compared. A
    result below `least_x`, less than `points` above the peers' share or below `times` of it is clean.
    """

    id: str
    version: int
    what: str  # in words: "yes within a second"
    of: str  # … of what
    counts: Callable[[SellerMonth], Cases]
    least_n: int
    least_x: int
    points: float = 0.0
    times: float = 1.0
    least_of: Callable[[SellerMonth], int] | None = None

    def is_comparable(self, month: SellerMonth) -> bool:
        """Return whether a seller has enough to be compared."""
        _, n = self.counts(month)
        return n > 0 and (n if self.least_of is None else self.least_of(month)) >= self.least_n

    def is_enough(self, x: int, n: int, peers_share: float) -> bool:
        """Return whether there is what the rule needs beside a small probability."""
        needed = max(peers_share + self.points, peers_share * self.times)
        return x >= self.least_x and x / n >= needed - ROUNDING


@dataclass(frozen=True)
class EffectRule:
    """A rule on an effect, against those of the others (Z).

    `combine` makes one statistic of the Z of each effect, which is high where something looks wrong. A result without
    what `needs` says, of the Z and of what was measured, is clean.
    """

    id: str
    version: int
    what: str
    of: str
    measure: Callable[[MonthEvidence], dict[str, Measured]]
    combine: Callable[[Sequence[float]], float]
    needs: Callable[[Sequence[float], Measured], bool]
    effects: int = 1


Rule = CountRule | EffectRule

RULES: tuple[Rule, ...] = (
    EffectRule(
        "asks_the_happy",
        1,
        "asked, and fewer no than others hear",
        "sales",
        asking_the_happy,
        combine=lambda z: -(z[0] + z[1]) / sqrt(2),
        needs=lambda z, _: z[0] < -1.28 and z[1] < -1.96,  # noqa: PLR2004 - the rule's own limits
        effects=2,
    ),
    EffectRule(
        "skips_bad_hours",
        1,
        "asked in the hours in which others hear most no",
        "sales in them",
        skipping_bad_hours,
        combine=lambda z: -z[0],
        needs=lambda _, measured: measured.effects[0].y < log(0.85),
    ),
    CountRule(
        "fast_yes",
        1,
        "yes within a second",
        "yes",
        lambda month: (sum(month.yes_bins[step] for step in range(STEPS)), month.yes_bins.total()),
        least_n=30,
        least_x=4,
        points=0.02,
    ),
    EffectRule(
        "regular_yes",
        1,
        "yes in the fullest second",
        "yes",
        regular_yes,
        combine=lambda z: z[0],
        needs=lambda _z, _measured: True,
    ),
    CountRule(
        "force_majeure_after_no",
        1,
        "no followed by a force majeure within two minutes",
        "no",
        lambda month: (month.no_then_force_majeure, month.no),
        least_n=10,
        least_x=3,
        times=3.0,
    ),
    CountRule(
        "force_majeure_while_open",
        1,
        "surveys with a force majeure while they were open",
        "surveys",
        lambda month: (month.force_majeure_open, month.surveys),
        least_n=100,
        least_x=4,
        times=2.0,
    ),
    CountRule(
        "no_sale",
        1,
        "surveys without a sale within three minutes",
        "surveys",
        lambda month: (month.left_over, month.matched),
        least_n=100,
        least_x=5,
        points=0.03,
    ),
    CountRule(
        "errors",
        1,
        "surveys that ended as an error",
        "surveys",
        lambda month: (month.errors, month.surveys + month.errors),
        least_n=100,
        least_x=5,
        points=0.03,
        least_of=lambda month: month.surveys,
    ),
    CountRule(
        "strays",
        1,
        "stray presses of answers",
        "surveys and stray presses",
        lambda month: (month.strays, month.surveys + month.strays),
        least_n=1,
        least_x=10,
        least_of=lambda month: month.surveys,
    ),
)

RULE_OF = {rule.id: rule for rule in RULES}
