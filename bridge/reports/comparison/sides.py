"""One side of a comparison: a row of a report, with what keeps it from being judged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bridge.model.intervals import Estimate
from bridge.reports import kpi
from bridge.reports.comparison.difference import index_at
from bridge.reports.comparison.empirical_bayes import Sample
from bridge.reports.notes import UNKNOWN

Row = dict[str, Any]

FEWEST_ANSWERS = 5
"""Figures of people are shown from so many answers up, so that nobody can tell who said what."""

INDEX_NAMES = ("dissatisfaction_index", "emotional_loyalty_index")
COUNTS = ("surveys", "yes", "no", "cant_say", "silent", "error", "left_out", "affected", "force_majeures")
RATIOS = ("response_rate", "answered_no_share", "exact_conversion", "visitor_coverage", "force_majeure_level")
OF_ANSWERS = ("yes", "no", "cant_say", *INDEX_NAMES, "answered_no_share")


@dataclass(frozen=True)
class ComparedSide:
    """A row of a report that is compared; `people`: it is of sellers, few of whose answers are not shown."""

    row: Row
    people: bool

    @property
    def kind(self) -> str:
        """The kind of its key question."""
        return str(self.row["kind"])

    @property
    def index_name(self) -> str | None:
        """The name of the index of its kind; None if it has none."""
        return None if self.kind == UNKNOWN else INDEX_NAMES[self.kind == "loyalty"]

    @property
    def answers(self) -> kpi.Answers:
        """How many surveys there are by outcome."""
        return kpi.Answers(*(self.row[name] for name in ("yes", "no", "cant_say", "silent")))

    @property
    def is_withheld(self) -> bool:
        """Whether there are so few answers that they are not shown."""
        answers = self.answers
        return self.people and answers.surveys - answers.silent < FEWEST_ANSWERS

    @property
    def index(self) -> Estimate | None:
        """The index at the stated silent weight; None if it is not shown."""
        value = self.row[self.index_name] if self.index_name and not self.is_withheld else None
        return Estimate(value["value"], value["low"], value["high"]) if value else None

    @property
    def obstacle(self) -> str | None:
        """Return the verdict of a side that cannot be judged."""
        if self.kind == UNKNOWN:
            return "no_index"
        if self.index is None:
            return "too_few"
        return None if self.row["assessable"] else "not_assessable"

    @property
    def why(self) -> str:
        """Return in words what keeps it from being judged."""
        if self.kind == UNKNOWN:
            return "nobody has defined this key question"
        if self.row["surveys"] < kpi.TOO_FEW:
            return f"{self.row['surveys']} surveys, fewer than {kpi.TOO_FEW}"
        if self.is_withheld:
            return f"fewer than {FEWEST_ANSWERS} answers: figures of people are shown from {FEWEST_ANSWERS} answers up"
        return "because of force majeure; remove its causes, then measure again"

    def sample(self, silent_weight: float) -> Sample:
        """Return the mean and the variance of the scores whose mean is the index."""
        answers, of = self.answers, self.row["surveys"]
        scores = [(1.0, answers.no), (silent_weight, answers.silent)]
        if self.kind == "loyalty":
            scores = [(1.0, answers.yes), *((-score, count) for score, count in scores)]
        mean = sum(score * count for score, count in scores) / of
        return Sample(mean, sum(score**2 * count for score, count in scores) / of - mean**2, of)

    def as_object(self) -> dict[str, Any]:
        """Return it as JSON shows it."""
        row, hidden = self.row, self.is_withheld
        shown = {
            name: None if hidden and name in OF_ANSWERS else row[name] for name in (*COUNTS, *INDEX_NAMES, *RATIOS)
        }
        return {
            "from": row["settings"]["from"],
            "to": row["settings"]["to"],
            **shown,
            "withheld": hidden,
            "assessable": row["assessable"],
            "flags": row.get("flags", []),
            "notes": [] if hidden else row["notes"],
        }


def estimate_at(side: ComparedSide, k: float) -> Estimate | None:
    """Return the index of a side at another silent weight than the stated one, as at its bounds."""
    index = index_at(side.kind, side.answers, k)
    return Estimate(*index[:3]) if index else None
