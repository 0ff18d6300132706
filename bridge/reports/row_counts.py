"""The counts of a report's row. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from operator import add, sub
from typing import Literal, TypeVar

from bridge.reports import kpi
from bridge.reports.feeds import KINDS, Kind
from bridge.reports.known_surveys import Known
from bridge.store import report_queries

Rule = Literal["with", "without", "only"]
T = TypeVar("T")

BEYOND_MAX = 0.05  # of a row's own time: where a count reaches beyond it by more, it has no ratio


@dataclass
class RowCounts:
    """The counts of a row; for answers and errors, index 1 is surveys affected by force majeure, index 0 the others.

    `shares_beyond` is by how much of the row's own time an interval of its transactions or visitors ends beyond it.
    """

    answers: list[list[int]] = field(default_factory=lambda: [[0, 0, 0, 0], [0, 0, 0, 0]])
    errors: list[int] = field(default_factory=lambda: [0, 0])
    force_majeures: int = 0
    ask_every_unknown: int = 0
    unproved: int = 0
    known: dict[Kind, Known] = field(default_factory=lambda: {kind: Known() for kind in KINDS})
    shares_beyond: dict[Kind, float] = field(default_factory=lambda: dict.fromkeys(KINDS, 0.0))
    unmanned: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    comparable: set[Kind] = field(default_factory=lambda: set(KINDS))  # not if counts of the whole site are nobody's
    set_aside: list[report_queries.SetAsideCounts] = field(default_factory=list)  # they are among the others
    sites: set[str] = field(default_factory=set)
    revisions: set[int] = field(default_factory=set)
    silents: dict[str, list[int]] = field(default_factory=dict)  # by seller, where an estimated weight rests on it
    drawn: list[int] = field(default_factory=lambda: [0, 0])  # silents drawn for an estimated weight

    def add(self, group_counts: report_queries.CountsOfGroup) -> None:
        """Add the counts of a group, or those of its surveys that are set aside."""
        if isinstance(group_counts, report_queries.SetAsideCounts):
            self.set_aside.append(group_counts)
            return
        affected = group_counts.affected
        added = (group_counts.yes, group_counts.no, group_counts.cant_say, group_counts.silent)
        self.answers[affected] = [*map(add, self.answers[affected], added)]
        self.errors[affected] += group_counts.error
        self.force_majeures += group_counts.force_majeures
        self.ask_every_unknown += group_counts.ask_every_unknown
        self.sites.add(group_counts.site_id)
        self.revisions.add(group_counts.question_revision)

    def under_rule(self, rule: Rule) -> tuple[kpi.Answers, int]:
        """Return the answers and the number of errors that count under a force-majeure rule, less those set aside."""
        unaffected, affected = self.answers
        counted = [*{"with": map(add, unaffected, affected), "without": unaffected, "only": affected}[rule]]
        errors = sum(_under(rule, self.errors))
        for aside in self.set_aside_under(rule):
            counted = [*map(sub, counted, (aside.yes, aside.no, aside.cant_say, aside.silent))]
            errors -= aside.error
        return kpi.Answers(*counted), errors

    def set_aside_under(self, rule: Rule) -> list[report_queries.SetAsideCounts]:
        """Return what was set aside of that which counts under a force-majeure rule."""
        return [aside for aside in self.set_aside if aside.affected in _under(rule, [0, 1])]

    def with_set_aside(self) -> RowCounts:
        """Return the same counts with nothing set aside."""
        return replace(self, set_aside=[])

    def add_silents(self, seller_id: str, affected: int, count: int) -> None:
        """Add silents of a seller; empty: of nobody."""
        self.silents.setdefault(seller_id, [0, 0])[affected] += count

    def silents_by_seller(self, rule: Rule) -> dict[str, int]:
        """Return how many silents of each seller count under a force-majeure rule."""
        return {seller_id: sum(_under(rule, counts)) for seller_id, counts in self.silents.items()}

    def silents_drawn(self, rule: Rule) -> int:
        """Return how many of the drawn silents count under a force-majeure rule."""
        return sum(_under(rule, self.drawn))

    @property
    def surveys(self) -> int:
        """The number of all surveys, whatever the force-majeure rule."""
        return sum(map(sum, self.answers))

    @property
    def affected(self) -> int:
        """The number of surveys affected by force majeure."""
        return sum(self.answers[1])

    @property
    def affected_share(self) -> float:
        """The share of all surveys that force majeure affects."""
        return kpi.ratio(self.affected, self.surveys) or 0.0

    @property
    def errors_of_all(self) -> int:
        """The number of errors, whatever the force-majeure rule."""
        return sum(self.errors)

    @property
    def error_share(self) -> float:
        """The share of errors among all surveys that were opened."""
        return kpi.ratio(self.errors_of_all, self.surveys + self.errors_of_all) or 0.0


def _under(rule: Rule, unaffected_and_affected: list[T]) -> list[T]:
    """Return what counts under a force-majeure rule."""
    return unaffected_and_affected[{"with": slice(2), "without": slice(1), "only": slice(1, 2)}[rule]]
