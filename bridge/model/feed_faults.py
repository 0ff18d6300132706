"""Find what a till or people counter counts twice, and where one is silent while its neighbours count. Pure."""

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOUR_MS = 3_600_000
LONGEST_MS = 4 * HOUR_MS  # what is counted over a longer time does not say when somebody came
SILENT_SHARE = 0.25  # of a day's time in which neighbours counted somebody
FEWEST_PARTS = 2
Span = tuple[int, int]


class CountedInterval(NamedTuple):
    """A count of a source, with the local day that it belongs to."""

    site_id: str
    kind: str
    source_id: str
    day: str
    from_ms: int
    to_ms: int
    figure: int
    checkout_point_id: str | None
    seller_id: str | None

    def may_hold(self, other: CountedInterval) -> bool:
        """Return whether this count includes another one of its source, by time, checkout point and seller."""
        return (
            self.from_ms <= other.from_ms
            and other.to_ms <= self.to_ms
            and self.checkout_point_id in {None, other.checkout_point_id}
            and self.seller_id in {None, other.seller_id}
            and self[4:6] + self[7:] != other[4:6] + other[7:]
        )


class FeedFault(NamedTuple):
    """A total that is counted beside its parts, or (`silent_ms` above 0) a day on which a source was silent."""

    site_id: str
    kind: str
    source_id: str
    day: str
    from_ms: int
    to_ms: int
    silent_ms: int = 0


def find_faults(intervals: Iterable[CountedInterval]) -> list[FeedFault]:
    """Return the faults; intervals are in order of site, kind and source, then of `from_ms`, the longer one first."""
    faults: list[FeedFault] = []
    for _, of_kind in groupby(intervals, key=attrgetter("site_id", "kind")):
        by_source = [list(of_source) for _, of_source in groupby(of_kind, key=attrgetter("source_id"))]
        for of_source in by_source:
            faults += (FeedFault(*total[:6]) for total in _totals(of_source))
        faults += _silences(by_source)
    return faults


def _totals(intervals: list[CountedInterval]) -> Iterator[CountedInterval]:
    """Yield each count of a source that adds up others of its own."""
    open_ones: list[CountedInterval] = []  # those that may still hold what follows, the longest first
    parts: dict[CountedInterval, int] = defaultdict(int)
    for interval in intervals:
        open_ones = [other for other in open_ones if other.to_ms > interval.from_ms]
        for other in open_ones:
            parts[other] += other.may_hold(interval)
        if interval.to_ms > interval.from_ms:
            open_ones.append(interval)
    yield from (total for total, count in parts.items() if count >= FEWEST_PARTS)


def _silences(by_source: list[list[CountedInterval]]) -> Iterator[FeedFault]:
    """Yield each day on which a source was silent for long while others of its site and kind counted somebody.

    Tills at checkout points open and close, each when it must, so only counts of the whole site are compared.
    """
    own: dict[tuple[str, str], list[Span]] = defaultdict(list)
    counting: dict[str, list[tuple[str, Span]]] = defaultdict(list)
    first_days: dict[str, CountedInterval] = {}
    for interval in (interval for of_source in by_source for interval in of_source):
        if interval.checkout_point_id is None and interval.seller_id is None:
            span = interval.from_ms, interval.to_ms
            first_days.setdefault(interval.source_id, interval)
            own[interval.source_id, interval.day].append(span)
            if interval.figure and 0 < span[1] - span[0] <= LONGEST_MS:
                counting[interval.day].append((interval.source_id, span))
    for source_id, first in first_days.items():
        for day in sorted(day for day in counting if day >= first.day):
            busy = _merged(span for other, span in counting[day] if other != source_id)
            gaps = _without(busy, _merged(own[source_id, day]))
            silent_ms = sum(end - start for start, end in gaps)
            if silent_ms >= max(HOUR_MS, SILENT_SHARE * sum(end - start for start, end in busy)):
                yield FeedFault(first.site_id, first.kind, source_id, day, gaps[0][0], gaps[-1][1], silent_ms)


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Return the spans in order, those that touch as one."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    return merged


def _without(spans: list[Span], taken: list[Span]) -> list[Span]:
    """Return what is left of the spans; both are merged."""
    left = []
    for start, end in spans:
        at = start
        for taken_start, taken_end in taken:
            if taken_end > at and taken_start < end:
                if taken_start > at:
                    left.append((at, taken_start))
                at = taken_end
        if at < end:
            left.append((at, end))
    return left


def in_words(faults: Iterable[FeedFault]) -> list[str]:
    """Return a sentence, without its full stop, for each source and kind of fault."""
    sentences = []
    for (site_id, kind, source_id, is_silent), found in groupby(
        sorted(faults, key=_source_and_form), key=_source_and_form
    ):
        days = list(found)
        if is_silent:
            hours = sum(fault.silent_ms for fault in days) / HOUR_MS
            sentences.append(
                f"{kind} of {site_id} lack those of {source_id} for {hours:.1f} h in which its neighbours counted, "
                f"first on {days[0].day}"
            )
        else:
            totals = "a total stands" if len(days) == 1 else f"{len(days)} totals stand"
            sentences.append(
                f"{kind} of {site_id}/{source_id} are counted twice: {totals} beside the counts added up in it, "
                f"first on {days[0].day}; remove one or the other"
            )
    return sentences


def _source_and_form(fault: FeedFault) -> tuple[str, str, str, bool]:
    return fault.site_id, fault.kind, fault.source_id, fault.silent_ms > 0
