"""The verdicts of comparisons: the sign of each, by shape and letter, and what is said in words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.target import TARGET_SIGNS, TARGET_WORDS
from bridge.reports.notation import decimal

if TYPE_CHECKING:
    from bridge.model.intervals import Estimate
    from bridge.reports.comparison.difference import Differences
    from bridge.reports.comparison.ordering import GroupStanding

SIGNS = {
    "better": "▲ B",
    "worse": "▼ W",
    "cannot_be_told_apart": "= A",
    "cannot_be_told": "◌ ?",
    "better_than_most": "▲ B",
    "worse_than_most": "▼ W",
    "too_few": "… F",
    "not_assessable": "✕ N",
    "no_index": "- I",
    "nothing_to_compare": "- 0",
    "nobody": "- 0",
    "no_target": "- T",
    **TARGET_SIGNS,
}
WORDS = {
    "better": "better",
    "worse": "worse",
    "cannot_be_told_apart": "cannot be told apart",
    "cannot_be_told": "cannot be told",
    "better_than_most": "clearly better than most",
    "worse_than_most": "clearly worse than most",
    "too_few": "too few",
    "not_assessable": "not assessable",
    "no_index": "no index",
    "nothing_to_compare": "nothing to compare",
    "nobody": "not compared",
    "no_target": "no target",
    **TARGET_WORDS,
}
GROUP_ORDER = (
    *("better_than_most", "cannot_be_told_apart", "worse_than_most", "too_few", "not_assessable", "no_index"),
    *("nothing_to_compare", "nobody"),
)


def signed(value: float) -> str:
    """Return a difference with its sign, as `+0.06`."""
    text = decimal(value)
    return text if text.startswith("-") or not float(text) else f"+{text}"


def shown(estimate: Estimate) -> str:
    """Return a value with its interval."""
    return f"{decimal(estimate.value)} ({decimal(estimate.low)} to {decimal(estimate.high)})"


def shown_difference(estimate: Estimate) -> str:
    """Return a difference with its interval, all with their signs."""
    return f"{signed(estimate.value)} ({signed(estimate.low)} to {signed(estimate.high)})"


def difference_in_words(
    verdict: str, index_name: str, indices: tuple[Estimate, Estimate], found: Differences, settings: dict[str, Any]
) -> str:
    """Return what a difference says: its verdict, both figures and the difference.

    What it is at the silent bounds is said where it matters, and comes first where the silent weight was never
    estimated.
    """
    this, other = indices
    figures = f"{index_name.replace('_', ' ')} {shown(this)} against {shown(other)}, a difference of "
    figures += shown_difference(found.stated)
    weight = f"silent weight {settings['silent_weight']:g}"
    bounds = (
        f"a difference of {shown_difference(found.at_k0)} if no silent is dissatisfied, and of "
        f"{shown_difference(found.at_k1)} if all are"
    )
    if not is_estimated(settings):
        return f"{WORDS[verdict]}: {bounds}; at {weight}, which was never estimated, {figures}"
    return f"{WORDS[verdict]}: {figures} at {weight}{f'; {bounds}' if verdict == 'cannot_be_told' else ''}"


def is_estimated(settings: dict[str, Any]) -> bool:
    """Return whether the silent weight of a row was estimated."""
    return settings.get("silent_weight_estimate") is not None


def group_in_words(standing: GroupStanding, index_name: str, index: Estimate) -> str:
    """Return what is said of a member of a group."""
    verdict = standing.group
    figure = f"{WORDS[verdict]}: {index_name.replace('_', ' ')} {shown(index)}"
    of_others = f"of the {standing.others} others" if standing.others > 1 else "of 1 other"
    if verdict == "better_than_most":
        return f"{figure}, clearly better than {standing.better_than} {of_others}, whatever the silents think"
    if verdict == "worse_than_most":
        return f"{figure}, clearly worse than {standing.worse_than} {of_others}, whatever the silents think"
    return f"{figure}, of {standing.others + 1} compared"
