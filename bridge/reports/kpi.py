"""Compute the indices and their intervals. Only arithmetic: no I/O, no clock.

Of N surveys, Y were answered *yes*, D *no* and C *can't say*, and S were silent: N = Y + D + C + S. k is the silent
weight, from 0 (silents count as content) to 1 (as dissatisfied), in loyalty from -1 (as those who said yes).
bridge/reports/README.md lists the formulas. All values and bounds are shares, not percent, and all intervals are at
95 %: `bridge.model.intervals` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.intervals import adjusted_wald, between_nested, wilson

if TYPE_CHECKING:
    from bridge.model.intervals import Estimate

TOO_FEW = 30
"""With fewer surveys than this neither index is shown."""

FEW = 60
"""With fewer surveys than this both indices are flagged."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The numbers of surveys by outcome: Y, D, C and S; `error` is not among them."""

    yes: int = 0
    no: int = 0
    cant_say: int = 0
    silent: int = 0

    @property
    def surveys(self) -> int:
        """N, the number of surveys that count."""
        return self.yes + self.no + self.cant_say + self.silent


class Index(NamedTuple):
    """An index that depends on the silent weight: its estimate and its silent bounds, the values at k = 0 and 1."""

    value: float
    low: float
    high: float
    at_k0: float
    at_k1: float


def dissatisfaction_index(answers: Answers, k: float, k_variance: float | None = None) -> Index | None:
    """Return the dissatisfaction index, (D + k·S) / N, for k from 0 to 1; within [0, 1], None if N is 0.

    With a k that is stated (`k_variance` None) it has the interval of `between_nested`: Wilson's at k = 0 and at k = 1.
    With an estimated k it is the mean of scores 1 (no), k (silent) and 0 (yes, can't say), with the interval of
    `adjusted_wald`, which holds the error of k: `k_variance`, of `bridge.model.silent_weight`.
    """
    surveys = answers.surveys
    if not surveys:
        return None
    at_k0, at_k1 = answers.no / surveys, (answers.no + answers.silent) / surveys
    if k_variance is None:
        return Index(*between_nested(answers.no, answers.no + answers.silent, surveys, k), at_k0, at_k1)
    scores = ((1.0, answers.no), (k, answers.silent), (0.0, answers.yes + answers.cant_say))
    estimate = adjusted_wald(scores, (0.0, 1.0), more_variance=(answers.silent / surveys) ** 2 * k_variance)
    return Index(*estimate, at_k0, at_k1)


def emotional_loyalty_index(answers: Answers, k: float, k_variance: float | None = None) -> Index | None:
    """Return the emotional loyalty index, (Y - D - k·S) / N, for k from -1 to 1; within [-1, 1], None if N is 0.

    It is the mean of scores 1 (yes), 0 (can't say), -1 (no) and -k (silent) and has Rocks' interval (see
    `adjusted_wald`), with the error of an estimated k (`k_variance`). Below k = 0, where silents are rather content, it
    lies above both silent bounds.
    """
    surveys = answers.surveys
    if not surveys:
        return None
    scores = ((1.0, answers.yes), (0.0, answers.cant_say), (-1.0, answers.no), (-k, answers.silent))
    error = 0.0 if k_variance is None else (answers.silent / surveys) ** 2 * k_variance
    estimate = adjusted_wald(scores, (-1.0, 1.0), more_variance=error)
    at_k0 = (answers.yes - answers.no) / surveys
    at_k1 = (answers.yes - answers.no - answers.silent) / surveys
    return Index(*estimate, at_k0, at_k1)


def response_rate(answers: Answers) -> Estimate | None:
    """Return the response rate, (Y + D + C) / N, with Wilson's interval, within [0, 1]; None if N is 0."""
    return wilson(answers.surveys - answers.silent, answers.surveys) if answers.surveys else None


def answered_no_share(answers: Answers) -> Estimate | None:
    """Return the share of *no* among *yes* and *no*, with Wilson's interval; None if there are neither."""
    decided = answers.yes + answers.no
    return wilson(answers.no, decided) if decided else None


def ratio(count: int, of: int | None) -> float | None:
    """Divide one count by another; None if the divisor is unknown or 0.

    It serves exact conversion and visitor coverage (customers asked by transactions or visitors) and the force-majeure
    level (force majeures by surveys). Never clipped: an exact conversion above 1 is a fault that must be seen.
    """
    return count / of if of else None
