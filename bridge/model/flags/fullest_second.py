"""The second in which most answers came, from the seller's press on: who presses himself is regular. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

STEP_MS = 250
"""Windows of a second begin at every such step."""

STEPS = 1000 // STEP_MS


class FullestSecond(NamedTuple):
    """The window [from_ms, from_ms + 1000) with most answers, and how many these are."""

    from_ms: int
    answers: int


def fullest_second(bins: Mapping[int, int]) -> FullestSecond:
    """Return the fullest second of answers, counted by `response_ms // 250`; of several, the first. One is needed."""
    starts = sorted({step - back for step in bins for back in range(STEPS) if step >= back})
    counts = [(sum(bins.get(start + ahead, 0) for ahead in range(STEPS)), -start) for start in starts]
    answers, start = max(counts)
    return FullestSecond(-start * STEP_MS, answers)
