"""Say which figures can be charted: their scores, ranges and estimates. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.reports import kpi
from bridge.reports.control_chart.laney import ScoreSums

if TYPE_CHECKING:
    from bridge.model.intervals import Estimate
    from bridge.reports.row_counts import RowCounts, Rule

INDEX = "index"
INDEX_OF_KIND = {
    "personnel": "dissatisfaction_index",
    "office": "dissatisfaction_index",
    "loyalty": "emotional_loyalty_index",
}
Scores = tuple[float | None, float | None, float | None, float | None]
"""The scores of yes, no, can't say and silent; None does not count."""


class ChartFigure(NamedTuple):
    """A figure that is the mean of the surveys' scores, which may depend on k; `estimate` gives its interval.

    Without scores it is the force-majeure level, a rate that has no interval.
    """

    name: str
    ends: tuple[float, float]
    higher_is_better: bool
    scores: Callable[[float], Scores] | None = None
    estimate: Callable[[kpi.Answers, float, float | None], Estimate | kpi.Index | None] | None = None

    @property
    def uses_weight(self) -> bool:
        """Whether it depends on the silent weight."""
        return self.name in INDEX_OF_KIND.values()

    @property
    def is_rate(self) -> bool:
        """Whether it counts events instead of scoring surveys."""
        return self.scores is None

    def sums(self, counts: RowCounts, rule: Rule, k: float) -> ScoreSums:
        """Return the sums of the scores of the surveys that count under a force-majeure rule."""
        if self.scores is None:
            return ScoreSums(counts.surveys, counts.force_majeures, counts.force_majeures)
        answers, _ = counts.under_rule(rule)
        numbers = answers.yes, answers.no, answers.cant_say, answers.silent
        scored = [(number, score) for number, score in zip(numbers, self.scores(k), strict=True) if score is not None]
        return ScoreSums(
            sum(number for number, _ in scored),
            sum(number * score for number, score in scored),
            sum(number * score * score for number, score in scored),
        )

    def value(
        self, counts: RowCounts, rule: Rule, k: float, k_variance: float | None = None
    ) -> dict[str, float | None]:
        """Return its value with `low` and `high`, and of an index with `at_k0` and `at_k1`; all None if it has none.

        `k_variance` is that of an estimated k.
        """
        found: dict[str, Any] = dict.fromkeys(("value", "low", "high", *(("at_k0", "at_k1") * self.uses_weight)))
        if self.estimate is None:
            return found | {"value": kpi.ratio(counts.force_majeures, counts.surveys)}
        estimate = self.estimate(counts.under_rule(rule)[0], k, k_variance)
        return found | (estimate._asdict() if estimate else {})

    def share(self, centre: float) -> float:
        """Return its centre as a share of its range, the p̄ of N·p̄; of a rate, the rate itself."""
        return centre if self.is_rate else (centre - self.ends[0]) / (self.ends[1] - self.ends[0])


FIGURES = {
    figure.name: figure
    for figure in (
        ChartFigure(
            "dissatisfaction_index",
            (0.0, 1.0),
            higher_is_better=False,
            scores=lambda k: (0.0, 1.0, 0.0, k),
            estimate=kpi.dissatisfaction_index,
        ),
        ChartFigure(
            "emotional_loyalty_index",
            (-1.0, 1.0),
            higher_is_better=True,
            scores=lambda k: (1.0, -1.0, 0.0, -k),
            estimate=kpi.emotional_loyalty_index,
        ),
        ChartFigure(
            "response_rate",
            (0.0, 1.0),
            higher_is_better=True,
            scores=lambda _k: (1.0, 1.0, 1.0, 0.0),
            estimate=lambda answers, _k, _variance: kpi.response_rate(answers),
        ),
        ChartFigure(
            "answered_no_share",
            (0.0, 1.0),
            higher_is_better=False,
            scores=lambda _k: (0.0, 1.0, None, None),
            estimate=lambda answers, _k, _variance: kpi.answered_no_share(answers),
        ),
        ChartFigure("force_majeure_level", (0.0, float("inf")), higher_is_better=False),
    )
}


def figure_of(name: str, kind: str) -> ChartFigure | None:
    """Return the figure of this name, or for `index` that of a question's kind; None if the kind does not have it."""
    own = INDEX_OF_KIND.get(kind)
    if name == INDEX:
        return FIGURES[own] if own else None
    return None if name in INDEX_OF_KIND.values() and name != own else FIGURES[name]
