"""Share a count out among the sellers who were on shift at its checkout point, by time. Pure.

Time with nobody on shift has a part too where surveys were opened in the hour: somebody served, whose shift is missing.
In other such time customers are not served.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from bridge.reports.time_spans import end_of, hours_span, known_span, unite, without

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.reports.time_spans import Span
    from bridge.store.report_queries import FeedRun

NOBODY = ""


Part = tuple[int, int, int]
"""(from_ms, to_ms, figure) of a count."""


class Share(NamedTuple):
    """A seller's part in a run of counts, and the spans of time that it is of; None is nobody in particular.

    Of the intervals that he shares, `unmanned` fell to time with nobody on shift; the last of them ends at `end_ms`.
    """

    seller_id: str | None
    figure: int
    spans: list[Span]
    unmanned: int
    end_ms: int


def whole_share(run: FeedRun, seller_id: str | None) -> Share:
    """Return the share of somebody who has all of a run of counts."""
    figure = sum(figure for _, _, figure in run.parts)
    return Share(seller_id, figure, [(run.known_from_ms, run.known_to_ms)], 0, last_end(run.parts))


def last_end(parts: list[Part]) -> int:
    """Return where the last of these counts ends."""
    return max(end_of(from_ms, to_ms) for from_ms, to_ms, _ in parts)


class Segment(NamedTuple):
    """A time in which the same sellers are on shift; `seller_id` is None if they are several, or NOBODY."""

    from_ms: int
    to_ms: int
    seller_id: str | None


class SellerShares:
    """The sellers on shift at each checkout point, in order of time."""

    def __init__(
        self, shifts: Iterable[tuple[str, str, int, int, str]], hours_without_seller: Iterable[tuple[str, str, str]]
    ) -> None:
        """Take (site_id, checkout_point_id, from_ms, to_ms, seller_id) of each shift.

        And (site_id, checkout_point_id, hour) where surveys of no seller were opened.
        """
        by_point: dict[tuple[str, str], list[Segment]] = {}
        for site_id, point, from_ms, to_ms, seller_id in shifts:
            by_point.setdefault((site_id, point), []).append(Segment(from_ms, to_ms, seller_id))
        unmanned: dict[tuple[str, str], list[Span]] = {}
        for site_id, point, hour in hours_without_seller:
            unmanned.setdefault((site_id, point), []).append(hours_span(hour, hour))
        self._segments = {
            key: _with_unmanned(_without_overlaps(found), unite(unmanned.get(key, [])))
            for key, found in by_point.items()
        }
        self._starts = {key: [segment.from_ms for segment in found] for key, found in self._segments.items()}

    def of(self, run: FeedRun) -> list[Share]:
        """Return the share of each seller who has a part in a run of counts; None is for nobody in particular."""
        key = run.site_id, run.checkout_point_id
        if run.sent_seller_id or key not in self._segments:
            return [whole_share(run, run.seller_id)]
        parts: dict[str | None, list[Part]] = {}
        figures, unmanned = Counter[str | None](), Counter[str | None]()
        segment = self._around(key, run.parts[0][0])
        for part in run.parts:
            from_ms, to_ms, figure = part
            if segment is None or not segment.from_ms <= from_ms < segment.to_ms:
                segment = self._around(key, from_ms)
            if segment is not None and to_ms <= segment.to_ms:
                shared: dict[str | None, int] = {segment.seller_id: figure}
            else:
                shared = self._shared(key, from_ms, max(to_ms, from_ms + 1), figure)
            nobodys = shared.get(NOBODY, 0) if len(shared) > 1 else 0
            for seller in {seller_id or None for seller_id in shared}:
                parts.setdefault(seller, []).append(part)
                unmanned[seller] += nobodys
            for seller_id, share in shared.items():
                figures[seller_id or None] += share
        return [
            Share(seller, figures[seller], self._spans(key, run, seller, own), unmanned[seller], last_end(own))
            for seller, own in parts.items()
        ]

    def _around(self, key: tuple[str, str], at_ms: int) -> Segment | None:
        """Return the segment that an instant lies in."""
        index = bisect_right(self._starts[key], at_ms) - 1
        return self._segments[key][index] if index >= 0 and at_ms < self._segments[key][index].to_ms else None

    def _spans(self, key: tuple[str, str], run: FeedRun, seller_id: str | None, parts: list[Part]) -> list[Span]:
        """Return the time of these parts that is some seller's alone; for None, what is nobody's in particular.

        The former is not told apart by seller: in the shift of one, no other has surveys.
        """
        known = [(run.known_from_ms, run.known_to_ms)]
        if len(parts) < len(run.parts):
            known = unite([known_span(from_ms, to_ms) for from_ms, to_ms, _ in parts])
        others = [
            segment[:2]
            for segment in self._within(key, run.known_from_ms, run.known_to_ms)
            if not segment.seller_id and segment.to_ms > run.known_from_ms
        ]
        own = without(known, others)
        return without(known, own) if seller_id is None else own

    def _within(self, key: tuple[str, str], from_ms: int, to_ms: int) -> list[Segment]:
        """Return the segments that may reach into a time."""
        starts = self._starts[key]
        return self._segments[key][max(0, bisect_right(starts, from_ms) - 1) : bisect_right(starts, to_ms - 1)]

    def _shared(self, key: tuple[str, str], from_ms: int, to_ms: int, figure: int) -> dict[str | None, int]:
        """Share a count out by the time that each seller was on shift in its interval."""
        parts: Counter[str | None] = Counter()
        for segment in self._within(key, from_ms, to_ms):
            parts[segment.seller_id] += max(0, min(to_ms, segment.to_ms) - max(from_ms, segment.from_ms))
        parts = +parts
        if not parts:
            return {None: figure}
        return dict(zip(parts, largest_remainders(figure, [*parts.values()]), strict=True))


def largest_remainders(total: int, weights: list[int]) -> list[int]:
    """Share a total out in whole numbers in proportion to weights; of equal remainders the earlier one goes first."""
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: -(total * weights[index] % whole))
    for index in by_remainder[: total - sum(shares)]:
        shares[index] += 1
    return shares


def _without_overlaps(shifts: list[Segment]) -> list[Segment]:
    """Cut shifts of several consoles where others begin or end; where sellers overlap, the seller is None."""
    shifts.sort()
    if all(before.to_ms <= after.from_ms for before, after in pairwise(shifts)):
        return shifts
    changes = sorted(
        change
        for shift in shifts
        for change in ((shift.from_ms, 1, shift.seller_id), (shift.to_ms, -1, shift.seller_id))
    )
    segments, on_shift = [], Counter[str | None]()
    for (at_ms, change, seller_id), (next_ms, _, _) in pairwise(changes):
        on_shift[seller_id] += change
        sellers = list(+on_shift)
        if sellers and next_ms > at_ms:
            segments.append(Segment(at_ms, next_ms, sellers[0] if len(sellers) == 1 else None))
    return segments


def _with_unmanned(segments: list[Segment], hours: list[Span]) -> list[Segment]:
    """Add the time of hours that lies in no segment, as nobody's."""
    unmanned = without(hours, [segment[:2] for segment in segments])
    return sorted([*segments, *(Segment(*span, NOBODY) for span in unmanned)], key=itemgetter(0, 1))
