"""Compare two sides: a verdict with its figures, by the interval of their difference. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bridge.reports.comparison.difference import differences, verdict_of
from bridge.reports.comparison.verdicts import WORDS, difference_in_words

if TYPE_CHECKING:
    from bridge.reports.comparison.difference import Differences
    from bridge.reports.comparison.empirical_bayes import DrawnFigure
    from bridge.reports.comparison.ordering import GroupStanding
    from bridge.reports.comparison.sides import ComparedSide

Name = tuple[Any, ...]


@dataclass
class ComparisonOutcome:
    """What came out for one group: against another one (or its own other period), among all, or against its target."""

    verdict: str
    words: str
    this: ComparedSide | None
    other: ComparedSide | None = None
    differences: Differences | None = None
    standing: GroupStanding | None = None
    drawn: DrawnFigure | None = None
    targets: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def a_side(self) -> ComparedSide:
        """A side that there is."""
        found = self.this or self.other
        if found is None:
            raise ValueError("an outcome of nothing")
        return found


def against_each_other(
    these: dict[Name, ComparedSide], others: dict[Name, ComparedSide], missing: tuple[str, str]
) -> dict[Name, ComparisonOutcome]:
    """Compare each side with the one of the same name; `missing` says what it means that this, or the other, is not."""
    return {name: _compared(these.get(name), others.get(name), missing) for name in dict.fromkeys([*these, *others])}


def _compared(this: ComparedSide | None, other: ComparedSide | None, missing: tuple[str, str]) -> ComparisonOutcome:
    if this is None or other is None:
        verdict = "nothing_to_compare"
        return ComparisonOutcome(verdict, f"{WORDS[verdict]}: {missing[this is not None]}", this, other)
    for side, which in ((this, ""), (other, "on the other side, ")):
        if side.obstacle:
            return ComparisonOutcome(side.obstacle, f"{WORDS[side.obstacle]}: {which}{side.why}", this, other)
    return compare_sides(this, other)


def compare_sides(this: ComparedSide, other: ComparedSide, chance: str = "") -> ComparisonOutcome:
    """Compare two sides that can be judged; `chance` says why even a clear difference may be one of chance."""
    if this.index is None or other.index is None or this.index_name is None:
        raise ValueError("a side without an index")
    found = differences(this.kind, (this.answers, this.index), (other.answers, other.index))
    verdict: str = verdict_of(this.kind, found)
    is_by_chance = bool(chance) and verdict in {"better", "worse"}
    if is_by_chance:
        verdict = "cannot_be_told_apart"
    words = difference_in_words(verdict, this.index_name, (this.index, other.index), found, this.row["settings"])
    return ComparisonOutcome(verdict, f"{words}, {chance}" if is_by_chance else words, this, other, found)
