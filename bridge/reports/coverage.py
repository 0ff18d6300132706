"""Sum the transactions and visitors of report rows, and say how much of a row's period they are known for. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.model.feed_faults import in_words
from bridge.model.local_time import day_starts_ms, period_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from bridge.model.feed_faults import FeedFault
    from bridge.store.report_queries import Feed, Group

KINDS = ("transactions", "visitors")
UNITS = ("hour", "day", "week", "month")
Span = tuple[int, int]


@dataclass
class FeedTotal:
    """The figure of a group, and the spans of time it was counted in: by site, in order, without overlaps."""

    figure: int = 0
    spans: dict[str, list[Span]] = field(default_factory=dict)

    def add_span(self, site_id: str, from_ms: int, to_ms: int) -> None:
        """Add a span; spans must be added in order of `from_ms`."""
        spans = self.spans.setdefault(site_id, [])
        if spans and from_ms <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], to_ms)
        else:
            spans.append((from_ms, to_ms))


def total_feeds(feeds: Iterable[Feed], columns: tuple[str, ...]) -> dict[tuple[Group, str], FeedTotal]:
    """Sum the figures by (group, kind).

    A span known for any seller is also known for the time outside all shifts, which a group without a seller is about.
    """
    totals: dict[tuple[Group, str], FeedTotal] = {}
    for group, site_id, kind, from_ms, to_ms, figure in feeds:
        total = totals.get((group, kind))
        if total is None:
            total = totals[group, kind] = FeedTotal()
        total.figure += figure
        total.add_span(site_id, from_ms, to_ms)
    if "seller_id" in columns:
        _widen_sellerless(totals, columns.index("seller_id"))
    return totals


def _widen_sellerless(totals: dict[tuple[Group, str], FeedTotal], seller: int) -> None:
    """Give each group without a seller the spans of all groups that differ only in the column at index `seller`."""
    by_sellerless: dict[tuple[Group, str], list[tuple[int, int, str]]] = {}
    for (group, kind), total in totals.items():
        spans = by_sellerless.setdefault(((*group[:seller], None, *group[seller + 1 :]), kind), [])
        spans += [(*span, site_id) for site_id, site_spans in total.spans.items() for span in site_spans]
    for key in by_sellerless.keys() & totals.keys():
        totals[key].spans = {}
        for from_ms, to_ms, site_id in sorted(by_sellerless[key]):
            totals[key].add_span(site_id, from_ms, to_ms)


@dataclass(frozen=True)
class ReportPeriods:
    """The times that a report's rows cover: its days, a row's own hour, day, week or month, and its seller's shifts."""

    from_day: date
    to_day: date
    columns: tuple[str, ...]
    timezones: dict[str, str]
    shifts: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    longest_shift_ms: int = 0

    def with_shifts(self, shifts: Iterable[tuple[str, str, int, int]]) -> ReportPeriods:
        """Return a copy with shifts: (seller_id, site_id, started_at_ms, ended_at_ms), in order for each seller."""
        by_seller: dict[tuple[str, str], list[Span]] = {}
        for seller_id, site_id, started_at_ms, ended_at_ms in shifts:
            by_seller.setdefault((seller_id, site_id), []).append((started_at_ms, ended_at_ms))
        longest_ms = max((end - start for spans in by_seller.values() for start, end in spans), default=0)
        return replace(self, shifts=by_seller, longest_shift_ms=longest_ms)

    def outer_span(self) -> Span:
        """Return the span from the first instant of the report at any site to the last at any site."""
        zones = {"UTC", *self.timezones.values()}
        return (
            min(day_starts_ms(self.from_day, name) for name in zones),
            max(day_starts_ms(self.to_day, name) for name in zones),
        )

    def row_span(self, group: Group, site_id: str) -> Span:
        """Return a row's period at a site, in ms: (start, end), the end not included."""
        timezone = self.timezones.get(site_id, "UTC")
        from_ms, to_ms = day_starts_ms(self.from_day, timezone), day_starts_ms(self.to_day, timezone)
        for column, value in zip(self.columns, group, strict=True):
            if column in UNITS and value is not None:
                unit_from_ms, unit_to_ms = period_of(column, value, timezone)
                from_ms, to_ms = max(from_ms, unit_from_ms), min(to_ms, unit_to_ms)
        return from_ms, to_ms

    def expected_spans(self, group: Group, site_id: str) -> list[Span]:
        """Return the spans that figures should cover: the seller's shifts within the row's period, else all of it."""
        from_ms, to_ms = self.row_span(group, site_id)
        seller_id = group[self.columns.index("seller_id")] if "seller_id" in self.columns else None
        shifts = self.shifts.get((seller_id or "", site_id), [])
        first = bisect_left(shifts, from_ms - self.longest_shift_ms, key=itemgetter(0))
        last = bisect_left(shifts, to_ms, key=itemgetter(0))
        on_shift = [(max(from_ms, start), min(to_ms, end)) for start, end in shifts[first:last] if end > from_ms]
        return on_shift or [(from_ms, to_ms)]


def notes(kind: str, total: FeedTotal, periods: ReportPeriods, group: Group, sites: set[str]) -> list[str]:
    """Return notes for a row: how much of its period is known, if not all, and if an interval ends after the period."""
    expected_ms = known_ms = 0
    beyond = False
    for site_id in sorted(sites | set(total.spans)):
        spans = total.spans.get(site_id, [])
        for from_ms, to_ms in periods.expected_spans(group, site_id):
            expected_ms += to_ms - from_ms
            known_ms += _overlap_ms(spans, from_ms, to_ms)
        beyond = beyond or any(end > periods.row_span(group, site_id)[1] for _, end in spans)
    sentences = []
    if known_ms < expected_ms:
        sentences.append(f"{kind} are known for only {known_ms * 1000 // expected_ms / 10} % of the period")
    if beyond:
        sentences.append(f"some {kind} were counted over an interval that reaches beyond the period")
    return sentences


def fault_notes(faults: list[FeedFault], periods: ReportPeriods, group: Group, sites: set[str]) -> list[str]:
    """Return notes for a row: what its sites' feeds count twice, or leave out, within its period."""
    spans = {site_id: periods.row_span(group, site_id) for site_id in sites} if faults else {}
    return in_words(
        fault
        for fault in faults
        if fault.site_id in spans and fault.from_ms < spans[fault.site_id][1] and spans[fault.site_id][0] < fault.to_ms
    )


def _overlap_ms(spans: list[Span], from_ms: int, to_ms: int) -> int:
    """Return how much of a period the spans cover."""
    first = bisect_left(spans, from_ms, key=itemgetter(1))
    last = bisect_left(spans, to_ms, key=itemgetter(0))
    return sum(min(to_ms, end) - max(from_ms, start) for start, end in spans[first:last])
