"""Draw the index of a small group towards the mean of the others: an empirical-Bayes figure. Pure.

C. N. Morris, "Parametric empirical Bayes inference: theory and applications", JASA 78, 1983, 47-55; the variance
between the others by moments: R. DerSimonian and N. Laird, Controlled Clinical Trials 7, 1986, 177-188.
"""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.intervals import Z

if TYPE_CHECKING:
    from collections.abc import Sequence

LEAST_OTHERS = 5
"""With fewer others than this nobody knows how much they differ."""


class Sample(NamedTuple):
    """The mean of scores of a group, their variance, and how many surveys there are."""

    mean: float
    variance: float
    surveys: int


class DrawnFigure(NamedTuple):
    """An index drawn towards the others' mean, with its 95 % interval.

    `own_weight` is how much its own value counts, from 0 to 1.
    """

    value: float
    low: float
    high: float
    others_mean: float
    own_weight: float


def drawn(own: Sample, others: Sequence[Sample], ends: tuple[float, float]) -> DrawnFigure | None:
    """Return the figure of a group among others, within `ends`; None with fewer than LEAST_OTHERS of these.

    None, too, where all surveys have one score.

    All have the variance of scores that they have on average, as that of a small group says little: it is 0 where
    nobody said no.
    """
    if len(others) < LEAST_OTHERS:
        return None
    surveys = sum(sample.surveys for sample in others)
    score_variance = sum(sample.variance * sample.surveys for sample in others) / surveys
    if not score_variance:
        return None
    between = _variance_between(others, score_variance)
    weights = [1 / (between + score_variance / sample.surveys) for sample in others]
    total = sum(weights)
    mean = sum(weight * sample.mean for weight, sample in zip(weights, others, strict=True)) / total
    error = score_variance / own.surveys
    # What the others differ by is known the less, the fewer they are: so their mean counts a little less.
    certainty = (len(others) - 2) / len(others)
    towards = certainty * error / (error + between)
    value = towards * mean + (1 - towards) * own.mean
    variance = (1 - towards) * error + towards**2 / total + 2 / (len(others) - 2) * towards**2 * (own.mean - mean) ** 2
    half = Z * sqrt(variance)
    return DrawnFigure(value, max(ends[0], value - half), min(ends[1], value + half), mean, 1 - towards)


def _variance_between(samples: Sequence[Sample], score_variance: float) -> float:
    """Return by how much the true values differ, as a variance: what is left over beyond chance, at least 0."""
    weights = [sample.surveys / score_variance for sample in samples]
    total = sum(weights)
    mean = sum(weight * sample.mean for weight, sample in zip(weights, samples, strict=True)) / total
    spread = sum(weight * (sample.mean - mean) ** 2 for weight, sample in zip(weights, samples, strict=True))
    scale = total - sum(weight**2 for weight in weights) / total
    return max(0.0, (spread - (len(samples) - 1)) / scale)
