"""Compare each member of a family with the others of it: in pairs, or in groups, never in places. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.comparison.empirical_bayes import drawn
from bridge.reports.comparison.ordering import Pair, ScoresOrder, SharesOrder, order_all, standings
from bridge.reports.comparison.outcomes import ComparisonOutcome, compare_sides
from bridge.reports.comparison.verdicts import WORDS, group_in_words
from bridge.reports.kpi import FEW

if TYPE_CHECKING:
    from bridge.reports.comparison.ordering import GroupStanding
    from bridge.reports.comparison.outcomes import Name
    from bridge.reports.comparison.sides import ComparedSide

ENDS = {"dissatisfaction_index": (0.0, 1.0), "emotional_loyalty_index": (-1.0, 1.0)}


class MemberName(NamedTuple):
    """The name of one that is compared with others: what they have in common, and what tells it apart from them."""

    family: Name
    own: Name


@dataclass
class Family:
    """Those who are compared with each other: the members that can be judged, in order of their names."""

    names: list[MemberName] = field(default_factory=list)
    sides: list[ComparedSide] = field(default_factory=list)
    ordered: list[Pair] = field(default_factory=list)

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return len(self.names) * (len(self.names) - 1) // 2


def each_pair(members: dict[MemberName, ComparedSide]) -> dict[Name, ComparisonOutcome]:
    """Compare each member with each other one of its family; those that cannot be judged stand alone."""
    families = _families(members)
    chance = f"which chance alone may give among {sum(family.pairs for family in families)} pairs"
    outcomes: dict[Name, ComparisonOutcome] = {}
    for family in families:
        ordered = {frozenset((pair.better, pair.worse)) for pair in family.ordered}
        for one, two in combinations(range(len(family.names)), 2):
            is_ordered = frozenset((one, two)) in ordered
            sides = family.sides[one], family.sides[two]
            outcomes[family.names[one], family.names[two]] = compare_sides(*sides, "" if is_ordered else chance)
    return outcomes | _not_compared(members, families)


def in_groups(members: dict[MemberName, ComparedSide]) -> dict[Name, ComparisonOutcome]:
    """Put each member into a group by how many of its family it is clearly better or worse than."""
    families = _families(members)
    outcomes: dict[Name, ComparisonOutcome] = {}
    for family in families:
        if family.pairs:
            for number, standing in enumerate(standings(len(family.names), family.ordered)):
                outcomes[family.names[number]] = _in_group(family, number, standing)
    return outcomes | _not_compared(members, families)


def _in_group(family: Family, number: int, standing: GroupStanding) -> ComparisonOutcome:
    side = family.sides[number]
    if side.index is None or side.index_name is None:
        raise ValueError("a side without an index")
    figure = None
    if side.row["surveys"] < FEW:
        weight = side.row["settings"]["silent_weight"]
        others = [other.sample(weight) for other in family.sides if other is not side]
        figure = drawn(side.sample(weight), others, ENDS[side.index_name])
    words = group_in_words(standing, side.index_name, side.index)
    return ComparisonOutcome(standing.group, words, side, standing=standing, drawn=figure)


def _not_compared(members: dict[MemberName, ComparedSide], families: list[Family]) -> dict[Name, ComparisonOutcome]:
    """Return the outcome of the members that cannot be judged, or have no one to be compared with."""
    lone = {family.names[0] for family in families if not family.pairs}
    outcomes: dict[Name, ComparisonOutcome] = {}
    for name, side in members.items():
        verdict, why = _obstacle(name, side), side.why
        if verdict == "nobody":
            why = "it belongs to no one in particular"
        elif verdict is None and name in lone:
            verdict, why = "nothing_to_compare", "there is no other to be judged"
        if verdict is not None:
            outcomes[name] = ComparisonOutcome(verdict, f"{WORDS[verdict]}: {why}", side)
    return outcomes


def _obstacle(name: MemberName, side: ComparedSide) -> str | None:
    return "nobody" if None in name.own else side.obstacle


def _families(members: dict[MemberName, ComparedSide]) -> list[Family]:
    """Return the families with the pairs that are ordered, by Holm's procedure over all pairs of all families."""
    families: dict[Name, Family] = {}
    for name in sorted(members, key=lambda name: tuple(map(str, name.own))):
        if _obstacle(name, members[name]) is None:
            family = families.setdefault(name.family, Family())
            family.names.append(name)
            family.sides.append(members[name])
    found = [*families.values()]
    ordered = order_all([_order_of(family.sides) for family in found], sum(family.pairs for family in found))
    for family, pairs in zip(found, ordered, strict=True):
        family.ordered = pairs
    return found


def _order_of(sides: list[ComparedSide]) -> SharesOrder | ScoresOrder:
    answers = [side.answers for side in sides]
    if sides[0].kind == "loyalty":
        return ScoresOrder(answers, sides[0].row["settings"]["silent_weight"])
    return SharesOrder(answers)
