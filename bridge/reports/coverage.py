"""How much of a row's period its transactions or visitors are known for. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.model.local_time import day_starts_ms, period_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from bridge.store.report_queries import Feed, Group

KINDS = ("transactions", "visitors")
UNITS = ("hour", "day", "week", "month")
Span = tuple[int, int]


@dataclass
class Gathered:
    """The figure of a group, and the spans of time that it tells of, at each site, in order and apart."""

    figure: int = 0
    spans: dict[str, list[Span]] = field(default_factory=dict)

    def add_span(self, site_id: str, from_ms: int, to_ms: int) -> None:
        """Take a span in; they come in order of `from_ms`."""
        spans = self.spans.setdefault(site_id, [])
        if spans and from_ms <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], to_ms)
        else:
            spans.append((from_ms, to_ms))


def gather(feeds: Iterable[Feed], columns: tuple[str, ...]) -> dict[tuple[Group, str], Gathered]:
    """Sum figures by group and kind. What tells of any seller's time also tells of the time outside any shift."""
    gathered: dict[tuple[Group, str], Gathered] = {}
    for group, site_id, kind, from_ms, to_ms, figure in feeds:
        one = gathered.get((group, kind))
        if one is None:
            one = gathered[group, kind] = Gathered()
        one.figure += figure
        one.add_span(site_id, from_ms, to_ms)
    if "seller_id" in columns:
        _tell_of_nobody(gathered, columns.index("seller_id"))
    return gathered


def _tell_of_nobody(gathered: dict[tuple[Group, str], Gathered], seller: int) -> None:
    """Give groups without a seller the spans of all groups that differ in the seller (a column's index) alone."""
    told: dict[tuple[Group, str], list[tuple[int, int, str]]] = {}
    for (group, kind), one in gathered.items():
        spans = told.setdefault(((*group[:seller], None, *group[seller + 1 :]), kind), [])
        spans += [(*span, site_id) for site_id, found in one.spans.items() for span in found]
    for key in told.keys() & gathered.keys():
        gathered[key].spans = {}
        for from_ms, to_ms, site_id in sorted(told[key]):
            gathered[key].add_span(site_id, from_ms, to_ms)


@dataclass(frozen=True)
class ReportPeriods:
    """The time that a row is about: the report's days, the row's own hour, day, week or month, a seller's shifts."""

    from_day: date
    to_day: date
    columns: tuple[str, ...]
    timezones: dict[str, str]
    shifts: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    longest_shift_ms: int = 0

    def with_shifts(self, shifts: Iterable[tuple[str, str, int, int]]) -> ReportPeriods:
        """Take in (seller_id, site_id, started_at_ms, ended_at_ms), of each seller in order."""
        by_seller: dict[tuple[str, str], list[Span]] = {}
        for seller_id, site_id, started_at_ms, ended_at_ms in shifts:
            by_seller.setdefault((seller_id, site_id), []).append((started_at_ms, ended_at_ms))
        longest_ms = max((end - start for spans in by_seller.values() for start, end in spans), default=0)
        return replace(self, shifts=by_seller, longest_shift_ms=longest_ms)

    def widest(self) -> Span:
        """From the first to the last instant at any site."""
        zones = {"UTC", *self.timezones.values()}
        return (
            min(day_starts_ms(self.from_day, name) for name in zones),
            max(day_starts_ms(self.to_day, name) for name in zones),
        )

    def whole(self, group: Group, site_id: str) -> Span:
        """The row's period at a site."""
        timezone = self.timezones.get(site_id, "UTC")
        from_ms, to_ms = day_starts_ms(self.from_day, timezone), day_starts_ms(self.to_day, timezone)
        for column, value in zip(self.columns, group, strict=True):
            if column in UNITS and value is not None:
                unit_from_ms, unit_to_ms = period_of(column, value, timezone)
                from_ms, to_ms = max(from_ms, unit_from_ms), min(to_ms, unit_to_ms)
        return from_ms, to_ms

    def wanted(self, group: Group, site_id: str) -> list[Span]:
        """The spans that figures should tell of: the row's period, or what of it the seller was on shift."""
        from_ms, to_ms = self.whole(group, site_id)
        seller_id = group[self.columns.index("seller_id")] if "seller_id" in self.columns else None
        shifts = self.shifts.get((seller_id or "", site_id), [])
        first = bisect_left(shifts, from_ms - self.longest_shift_ms, key=itemgetter(0))
        last = bisect_left(shifts, to_ms, key=itemgetter(0))
        on_shift = [(max(from_ms, start), min(to_ms, end)) for start, end in shifts[first:last] if end > from_ms]
        return on_shift or [(from_ms, to_ms)]


def notes(kind: str, gathered: Gathered, periods: ReportPeriods, group: Group, sites: set[str]) -> list[str]:
    """Say how much of the period is known, where it is not all, and whether an interval reaches beyond it."""
    wanted_ms = known_ms = 0
    beyond = False
    for site_id in sorted(sites | set(gathered.spans)):
        spans = gathered.spans.get(site_id, [])
        for from_ms, to_ms in periods.wanted(group, site_id):
            wanted_ms += to_ms - from_ms
            known_ms += _overlap_ms(spans, from_ms, to_ms)
        beyond = beyond or any(end > periods.whole(group, site_id)[1] for _, end in spans)
    found = []
    if known_ms < wanted_ms:
        found.append(f"{kind} are known for only {known_ms * 1000 // wanted_ms / 10} % of the period")
    if beyond:
        found.append(f"some {kind} were counted over an interval that reaches beyond the period")
    return found


def _overlap_ms(spans: list[Span], from_ms: int, to_ms: int) -> int:
    """How much of a period the spans tell of."""
    first = bisect_left(spans, from_ms, key=itemgetter(1))
    last = bisect_left(spans, to_ms, key=itemgetter(0))
    return sum(min(to_ms, end) - max(from_ms, start) for start, end in spans[first:last])
