"""Share a count out among the sellers who were on shift at its checkout point, by time. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.store.report_queries import Feed


class Segment(NamedTuple):
    """A time in which the same sellers are on shift; `seller_id` is None if they are several."""

    from_ms: int
    to_ms: int
    seller_id: str | None


class SellerShares:
    """The sellers on shift at each checkout point, in order of time."""

    def __init__(self, shifts: Iterable[tuple[str, str, int, int, str]]) -> None:
        """Take (site_id, checkout_point_id, from_ms, to_ms, seller_id) of each shift."""
        by_point: dict[tuple[str, str], list[Segment]] = {}
        for site_id, point, from_ms, to_ms, seller_id in shifts:
            by_point.setdefault((site_id, point), []).append(Segment(from_ms, to_ms, seller_id))
        self._segments = {key: _without_overlaps(found) for key, found in by_point.items()}
        self._starts = {key: [segment.from_ms for segment in found] for key, found in self._segments.items()}

    def of(self, feed: Feed) -> list[tuple[str | None, int]]:
        """Return (seller_id, figure) of each seller who has a part in a count; None is for nobody in particular.

        Nobody on shift has no part, unless nobody was on shift at all: customers are not served then.
        """
        key = feed.site_id, feed.checkout_point_id
        starts = self._starts.get(key)
        if feed.sent_seller_id or starts is None:
            return [(feed.seller_id, feed.figure)]
        to_ms = max(feed.to_ms, feed.from_ms + 1)
        first = max(0, bisect_right(starts, feed.from_ms) - 1)
        parts: Counter[str | None] = Counter()
        for segment in self._segments[key][first : bisect_right(starts, to_ms - 1)]:
            part_ms = min(to_ms, segment.to_ms) - max(feed.from_ms, segment.from_ms)
            if part_ms > 0:
                parts[segment.seller_id] += part_ms
        if len(parts) <= 1:
            return [(next(iter(parts), None), feed.figure)]
        return list(zip(parts, largest_remainders(feed.figure, [*parts.values()]), strict=True))


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
