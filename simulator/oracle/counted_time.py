"""Know when transactions and visitors were counted: the method compares with them only surveys of that time.

Written independently of the bridge.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Any

from simulator.oracle.facts import TrueCount, TrueSurvey

SALE_MS = 1_800_000  # a sale that was sent by itself stands for the half hours before and after it
WAYS_TO_KNOW = tuple((kind, of_seller) for kind in ("transactions", "visitors") for of_seller in (False, True))
"""By the kind of count, and by whether its interval must be one of the survey's own seller."""

Spans = list[tuple[int, int]]


class CountedTime:
    """The time in which each kind was counted at a site or console, by anybody and by each seller."""

    def __init__(self, counts: Iterable[TrueCount]) -> None:
        self._spans: dict[tuple[Any, ...], Spans] = {}
        for count in counts:
            span = (count.at_ms - SALE_MS, count.at_ms + SALE_MS) if count.to_ms is None else (count.at_ms, count.to_ms)
            for of_seller in (False, True):
                seller = (count.seller_id,) if of_seller else ()
                key = count.kind, of_seller, count.site_id, count.console_id, *seller
                self._spans.setdefault(key, []).append(span)
        for key, spans in self._spans.items():
            self._spans[key] = _united(spans)

    def knows(self, survey: TrueSurvey) -> Iterator[tuple[str, bool]]:
        """Yield the ways in which the time of a survey's opening is known."""
        for kind, of_seller in WAYS_TO_KNOW:
            seller = (survey.seller_id,) if of_seller else ()
            keys = [(kind, of_seller, survey.site_id, console, *seller) for console in (None, survey.console_id)]
            if any(_holds(self._spans.get(key, []), survey.opened_at_ms) for key in keys):
                yield kind, of_seller


def _united(spans: Spans) -> Spans:
    united: Spans = []
    for from_ms, to_ms in sorted(spans):
        if united and from_ms <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], to_ms)
        else:
            united.append((from_ms, to_ms))
    return united


def _holds(spans: Spans, at_ms: int) -> bool:
    index = bisect_right(spans, at_ms, key=lambda span: span[0]) - 1
    return index >= 0 and at_ms < spans[index][1]
