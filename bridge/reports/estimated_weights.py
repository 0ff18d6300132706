"""How the silent weight of a row was estimated, and how exactly: what its interval and its settings rest on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.model.silent_weight import bounds_of_weight, estimate_weight, weight_variance

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.row_counts import RowCounts, Rule
    from bridge.store.silent_weight import WeightEstimate

OTHERS_SHARE_MAX = 0.05
"""Above this share of silents of sellers from whom none were drawn, a note says so: one in twenty."""


class EstimatedWeight(NamedTuple):
    """The estimate that a question's silent weight comes from, and the sellers from whom silents were drawn for it."""

    estimate: WeightEstimate
    sellers: set[str]

    def variance(self, counts: RowCounts, rule: Rule) -> float:
        """Return the variance of k in a row: the estimate's own, and that between sellers for those not drawn from.

        The k of each such seller deviates from the estimate by himself, so that many of them add less than one does:
        the sum of squares of their parts of the row's silents times the variance between sellers. For a row of one of
        them that is the whole variance.
        """
        draw, found = self.estimate.draw, self.estimate.found
        silents = counts.silents_by_seller(rule)
        whole = sum(silents.values()) or 1
        others = sum((count / whole) ** 2 for seller, count in silents.items() if seller not in self.sellers)
        return weight_variance(draw.kind, found) + others * self.estimate.between_sellers

    def settings(self, counts: RowCounts, rule: Rule) -> dict[str, Any]:
        """Return how k was got, and for how many of the row's silents it is an estimate."""
        silents = counts.silents_by_seller(rule)
        return described(self.estimate) | {
            "variance": self.variance(counts, rule),
            "silents": sum(silents.values()),
            "silents_of_sellers_drawn": sum(count for seller, count in silents.items() if seller in self.sellers),
            "silents_drawn": counts.silents_drawn(rule),
        }


def described(estimate: WeightEstimate) -> dict[str, Any]:
    """Return an estimate by its fields: see bridge/reports/README.md."""
    draw, found = estimate.draw, estimate.found
    weight = estimate_weight(draw.kind, found)
    at_best, at_worst = bounds_of_weight(draw.kind, found)
    return {
        "estimate": estimate.estimate,
        "draw": draw.draw,
        "silent_weight": weight.value,
        "low": weight.low,
        "high": weight.high,
        "at_best": at_best,
        "at_worst": at_worst,
        "m": found.asked,
        "b": found.no,
        **found._asdict(),
        "variance_between_sellers": estimate.between_sellers,
        "population": draw.population,
        "from": draw.from_day,
        "to": draw.to_day,
        "seed": draw.seed,
    }


def in_words(estimate: dict[str, Any]) -> str:
    """Say how k was got, from its settings in a row."""
    told = (
        f"from {estimate['m']} of {estimate['population']} silents drawn of {estimate['from']} up to, not including, "
        f"{estimate['to']} by seed {estimate['seed']}: {estimate['b']} no, {estimate['unanswered']} unanswered; 95 % "
        f"interval {estimate['low']:.2f} to {estimate['high']:.2f}"
    )
    if not estimate["unanswered"]:
        return told
    bounds = f"{estimate['at_best']:.2f} to {estimate['at_worst']:.2f}"
    return f"{told}; {bounds} whatever those without an answer would have said"


def notes(row: dict[str, Any], index: dict[str, float] | None) -> Iterator[str]:
    """Say where the weight fits a row less well than its interval tells, or the index lies beyond its silent bounds."""
    settings, silent = row["settings"], row["silent"]
    weight, estimate = settings["silent_weight"], settings["silent_weight_estimate"]
    if index is None or not silent:
        return
    if weight < 0:
        yield "the silent weight is below 0, as silents are content on balance: the index lies above both silent bounds"
    if estimate is None:
        return
    others = estimate["silents"] - estimate["silents_of_sellers_drawn"]
    if others > OTHERS_SHARE_MAX * silent:
        yield (
            f"{others} of {silent} silents are of sellers from whom none were drawn for the silent weight: the "
            "interval allows for what may differ between sellers"
        )
    part = silent / row["surveys"]
    sign = -1 if row["kind"] == "loyalty" else 1
    ends = sorted(index["value"] + sign * part * (estimate[name] - weight) for name in ("at_best", "at_worst"))
    if ends[0] < index["low"] or ends[1] > index["high"]:
        yield (
            f"{estimate['unanswered']} of {estimate['m']} silents did not answer when asked again: by what they might "
            f"have said the index is {ends[0]:.2f} to {ends[1]:.2f}, beyond its interval"
        )
