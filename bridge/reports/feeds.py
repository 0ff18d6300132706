"""Sum the transactions and visitors of report rows, and know the time that they were counted in. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.reports.seller_shares import SellerShares
    from bridge.store.report_queries import Feed, Group

Kind = Literal["transactions", "visitors"]
KINDS: tuple[Kind, ...] = ("transactions", "visitors")
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
AROUND_A_SALE_MS = HOUR_MS // 2
"""A till that sends each sale by itself, in less than a minute, is taken to count for so long before and after it."""

Span = tuple[int, int]
Where = tuple[str, str, str]
"""(site_id, checkout_point_id, seller_id): whom a count is about; empty is anybody."""


@dataclass
class FeedTotal:
    """The figure of a group, and the spans of time that it was counted in: in order, without overlaps."""

    figure: int = 0
    spans: dict[Where, list[Span]] = field(default_factory=dict)
    ends_ms: dict[str, int] = field(default_factory=dict)  # by site: the end of the interval that reaches furthest
    _found: dict[Where, list[list[Span]]] = field(default_factory=dict)

    def add(self, feed: Feed, figure: int) -> None:
        """Add a count, or a seller's share of it; counts must be added in order of `from_ms`."""
        self.figure += figure
        self.ends_ms[feed.site_id] = max(self.ends_ms.get(feed.site_id, 0), feed.to_ms)
        from_ms, to_ms = feed.from_ms, feed.to_ms
        if to_ms - from_ms < MINUTE_MS:
            from_ms, to_ms = from_ms - AROUND_A_SALE_MS, to_ms + AROUND_A_SALE_MS
        spans = self.spans.setdefault((feed.site_id, feed.checkout_point_id, feed.sent_seller_id), [])
        while spans and from_ms <= spans[-1][1]:
            before = spans.pop()
            from_ms, to_ms = min(from_ms, before[0]), max(to_ms, before[1])
        spans.append((from_ms, to_ms))

    def knows(self, where: Where, from_ms: int, to_ms: int) -> bool | None:
        """Return whether a span of time was counted for a site, checkout point and seller: None if only in part."""
        touches = False
        for spans in self._spans_about(where):
            index = bisect_right(spans, to_ms - 1, key=itemgetter(0)) - 1
            if index >= 0 and spans[index][1] > from_ms:
                if spans[index][0] <= from_ms and to_ms <= spans[index][1]:
                    return True
                touches = True
        return None if touches else False

    def _spans_about(self, where: Where) -> list[list[Span]]:
        found = self._found.get(where)
        if found is None:
            site_id, point, seller_id = where
            keys = dict.fromkeys(
                (site_id, a_point, a_seller) for a_point in ("", point) for a_seller in ("", seller_id)
            )
            found = self._found[where] = [self.spans[key] for key in keys if key in self.spans]
        return found


def total_feeds(
    feeds: Iterable[Feed], shares: SellerShares | None, seller: int | None, seller_ids: tuple[str, ...] | None
) -> dict[tuple[Group, str], FeedTotal]:
    """Sum the figures by (group, kind).

    With `shares` a count is shared out among sellers, of whom only `seller_ids` count, if given; `seller` is the index
    of their column in a group, if there is one.
    """
    totals: dict[tuple[Group, str], FeedTotal] = {}
    for feed in feeds:
        for seller_id, figure in [(None, feed.figure)] if shares is None else shares.of(feed):
            if seller_ids is not None and seller_id not in seller_ids:
                continue
            group = feed.group if seller is None else (*feed.group[:seller], seller_id, *feed.group[seller + 1 :])
            total = totals.get((group, feed.kind))
            if total is None:
                total = totals[group, feed.kind] = FeedTotal()
            total.add(feed, figure)
    return totals


@lru_cache(maxsize=65_536)
def hour_span(hour: str) -> Span:
    """Return the hour that a local hour, named as in reports, is or (where the clock was changed) lies in."""
    from_ms = int(datetime.fromisoformat(hour).timestamp() * 1000)
    return from_ms, from_ms + HOUR_MS
