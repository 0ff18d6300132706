"""Sum the transactions and visitors of report rows, and know the time that they were counted in. Pure."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

from bridge.reports.seller_shares import whole_share
from bridge.reports.time_spans import unite

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bridge.reports.seller_shares import SellerShares, Share
    from bridge.reports.time_spans import Span
    from bridge.store.report_queries import FeedRun, Group

Kind = Literal["transactions", "visitors"]
KINDS: tuple[Kind, ...] = ("transactions", "visitors")
Where = tuple[str, str, str]
"""(site_id, checkout_point_id, seller_id): whom a count is about; empty is anybody."""


class CountedSpans:
    """The spans of time in which counts were made, by whom they are about."""

    def __init__(self) -> None:
        self._spans: dict[Where, list[Span]] = {}
        self._united: dict[Where, list[Span]] = {}

    def add(self, where: Where, spans: list[Span]) -> None:
        """Add spans, before any is asked for."""
        self._spans.setdefault(where, []).extend(spans)

    def about(self, where: Where) -> list[list[Span]]:
        """Return the spans, in order, of each kind of count that is about a site, checkout point and seller."""
        site_id, point, seller_id = where
        pairs = {("", ""), (point, ""), ("", seller_id), (point, seller_id)}
        return [self._spans_of(key) for pair in pairs if (key := (site_id, *pair)) in self._spans]

    def _spans_of(self, key: Where) -> list[Span]:
        if key not in self._united:
            self._united[key] = unite(self._spans[key])
        return self._united[key]


@dataclass
class FeedTotal:
    """The figure of a group, and the spans of time that it was counted in, with those of the group's other times.

    A sale at the start of an hour also tells of the end of the hour before. Of the intervals that the group shares with
    others, `unmanned` is what fell to time with nobody on shift.
    """

    counted: CountedSpans = field(default_factory=CountedSpans)
    figure: int = 0
    unmanned: int = 0
    is_of_whole_site: bool = False  # whether some of its counts name neither a checkout point nor a seller
    ends_ms: dict[str, int] = field(default_factory=dict)  # by site: the end of the interval that reaches furthest

    def add(self, run: FeedRun, share: Share, *, of_sellers: bool) -> None:
        """Add a share of a run of counts; if not `of_sellers`, what a checkout point counted is about anybody at it."""
        self.figure += share.figure
        self.unmanned += share.unmanned
        self.ends_ms[run.site_id] = max(self.ends_ms.get(run.site_id, 0), share.end_ms)
        self.is_of_whole_site |= not run.checkout_point_id and not run.sent_seller_id
        seller_id = run.sent_seller_id if of_sellers or not run.checkout_point_id else ""
        self.counted.add((run.site_id, run.checkout_point_id, seller_id), share.spans)

    def knows(self, where: Where, from_ms: int, to_ms: int) -> bool | None:
        """Return whether a span of time was counted for a site, checkout point and seller: None if only in part."""
        touches = False
        for spans in self.counted.about(where):
            index = bisect_right(spans, to_ms - 1, key=itemgetter(0)) - 1
            if index >= 0 and spans[index][1] > from_ms:
                if spans[index][0] <= from_ms and to_ms <= spans[index][1]:
                    return True
                touches = True
        return None if touches else False


def total_feeds(
    runs: Iterable[FeedRun],
    shares: SellerShares | None,
    times: set[int],
    seller: int | None,
    seller_ids: tuple[str, ...] | None,
) -> dict[tuple[Group, str], FeedTotal]:
    """Sum the figures by (group, kind).

    With `shares` a count is shared out among sellers, of whom only `seller_ids` count, if given; `seller` is the index
    of their column in a group, if there is one, and `times` are those of its hour, day, week and month.
    """
    totals: dict[tuple[Group, str], FeedTotal] = {}
    counted: dict[tuple[Group, str], CountedSpans] = {}
    for run in runs:
        for share in [whole_share(run, None)] if shares is None else shares.of(run):
            if seller_ids is not None and share.seller_id not in seller_ids:
                continue
            group = run.group if seller is None else (*run.group[:seller], share.seller_id, *run.group[seller + 1 :])
            total = totals.get((group, run.kind))
            if total is None:
                of_all_times = tuple(value for index, value in enumerate(group) if index not in times)
                spans = counted.setdefault((of_all_times, run.kind), CountedSpans())
                total = totals[group, run.kind] = FeedTotal(spans)
            total.add(run, share, of_sellers=seller is not None or seller_ids is not None)
    return totals
