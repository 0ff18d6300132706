"""Apply the rules to a month: what is clean, watched or flagged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from bridge.model.flags.beta_binomial import fit_peers
from bridge.model.flags.robust_z import median, z_scores
from bridge.model.flags.rules import FLAG_P, FLAG_Z, LEAST_PEERS, RULES, WATCH_P, WATCH_Z, CountRule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.flags.evidence import MonthEvidence
    from bridge.model.flags.rules import EffectRule, Rule

Level = Literal["clean", "watch", "flag"]


class Assessment(NamedTuple):
    """What a rule says of a seller's month: x of n, against the share of his peers.

    `statistic` is the probability of so many cases among his peers (EB), or Z, high where something looks wrong.
    """

    seller_id: str
    rule: str
    version: int
    level: Level
    statistic: float
    x: float
    n: float
    share: float
    peers: int
    peers_share: float


def assess(evidence: MonthEvidence, rules: tuple[Rule, ...] = RULES) -> Iterator[Assessment]:
    """Yield what each rule says of each seller who can be compared by it."""
    for rule in rules:
        yield from _by_counts(rule, evidence) if isinstance(rule, CountRule) else _by_effects(rule, evidence)


def _by_counts(rule: CountRule, evidence: MonthEvidence) -> Iterator[Assessment]:
    cases = {seller_id: rule.counts(month) for seller_id, month in evidence.items() if rule.is_comparable(month)}
    peers = len(cases) - 1
    if peers < 1:
        return
    total_x, total_n = (sum(column) for column in zip(*cases.values(), strict=True))
    for seller_id, (x, n) in cases.items():
        level: Level = "clean"
        statistic, peers_share = 1.0, (total_x - x) / (total_n - n)
        if x >= rule.least_x and x * total_n > n * total_x:  # else he has no more than others: no need to look closer
            fit = fit_peers([other for name, other in cases.items() if name != seller_id])
            statistic, peers_share = fit.upper_tail(x, n), fit.share
            if rule.is_enough(x, n, peers_share):
                level = _level(statistic < WATCH_P, statistic < FLAG_P, peers)
        yield Assessment(seller_id, rule.id, rule.version, level, statistic, x, n, x / n, peers, peers_share)


def _by_effects(rule: EffectRule, evidence: MonthEvidence) -> Iterator[Assessment]:
    measured = rule.measure(evidence)
    peers = len(measured) - 1
    if peers < 1:
        return
    scores = [
        z_scores({seller_id: found.effects[index] for seller_id, found in measured.items()})
        for index in range(rule.effects)
    ]
    usual = median(found.share for found in measured.values())
    for seller_id, found in measured.items():
        z = [of_effect[seller_id] for of_effect in scores]
        statistic = rule.combine(z)
        level: Level = "clean"
        if rule.needs(z, found):
            level = _level(statistic > WATCH_Z, statistic > FLAG_Z, peers)
        peers_share = usual if found.peers_share is None else found.peers_share
        yield Assessment(
            seller_id, rule.id, rule.version, level, statistic, found.x, found.n, found.share, peers, peers_share
        )


def _level(is_watch: bool, is_flag: bool, peers: int) -> Level:  # noqa: FBT001 - which limits it has passed
    if is_flag and peers >= LEAST_PEERS:
        return "flag"
    return "watch" if is_watch or is_flag else "clean"
