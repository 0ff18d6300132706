"""Count the surveys that were opened while transactions or visitors were counted: they alone enter the ratios.

Day by day that is a matter of sums; only where a day was counted in part are its hours looked at, and in such an hour
its surveys, one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.reports.feeds import KINDS, FeedTotal
from bridge.reports.time_spans import Span, hours_span
from bridge.store import report_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.feeds import Kind, Where
    from bridge.store import Store
    from bridge.store.report_queries import Group, OpenedSurvey, Selection, TimeCounts

Totals = dict[tuple["Group", str], FeedTotal]
KnownCounts = tuple[tuple["Group", str, int], "Kind", int, int]
"""((group, question_id, question_revision), kind, surveys, asked)."""

_Undecided = set[tuple[Any, ...]]
"""What was counted in part: (kind, day or hour, and all that tells rows of the same time apart)."""


@dataclass
class Known:
    """How many surveys were opened in time that a feed knows, and for how many customers they stand."""

    surveys: int = 0
    asked: int = 0

    def add(self, surveys: int, asked: int) -> None:
        """Add surveys, and the customers that they stand for."""
        self.surveys += surveys
        self.asked += asked


def count_known(store: Store, columns: tuple[str, ...], selection: Selection, totals: Totals) -> Iterator[KnownCounts]:
    """Yield the selected surveys that were opened in time that a feed knows."""
    sites = {site_id for total in totals.values() for site_id in total.ends_ms}
    if selection.site_ids is not None:
        sites.intersection_update(selection.site_ids)
    days, hours = _Undecided(), _Undecided()
    if sites:
        selection = selection._replace(site_ids=tuple(sorted(sites)))
        for counts in report_queries.counts_in_time(store, columns, selection, by_hour=False):
            yield from _decide(counts, counts.first_hour[:10], totals, days)
    if days:
        selection = selection._replace(site_ids=tuple(sorted({site_id for _, _, site_id, *_ in days})))
        for counts in report_queries.counts_in_time(store, columns, selection, by_hour=True):
            yield from _decide(counts, counts.first_hour, totals, hours, of=days)
    for site_id, span in joined_hours({(site_id, hour) for _, hour, site_id, *_ in hours}):
        for survey in report_queries.surveys_opened(store, columns, selection, site_id, *span):
            for kind, total in _totals_of(survey, totals):
                is_at = survey.opened_at_ms, survey.opened_at_ms + 1
                if _key(survey, kind, survey.hour) in hours and total.knows(_where(survey), *is_at):
                    yield _question(survey), kind, 1, survey.asked


def _decide(
    counts: TimeCounts, time: str, totals: Totals, undecided: _Undecided, *, of: _Undecided | None = None
) -> Iterator[KnownCounts]:
    """Yield the counts of a day or hour that is known in whole; note what is known in part, `of` undecided days."""
    # An hour that comes twice in autumn is not in the order of the hours' names.
    is_ordered = counts.first_hour[16:] == counts.last_hour[16:] or counts.first_hour[:16] < counts.last_hour[:16]
    span = hours_span(counts.first_hour, counts.last_hour)
    for kind, total in _totals_of(counts, totals):
        if of is not None and _key(counts, kind, time[:10]) not in of:
            continue
        is_known = total.knows(_where(counts), *span) if is_ordered else None
        if is_known:
            yield _question(counts), kind, counts.surveys, counts.asked
        elif is_known is None:
            undecided.add(_key(counts, kind, time))


def _totals_of(row: TimeCounts | OpenedSurvey, totals: Totals) -> list[tuple[Kind, FeedTotal]]:
    return [(kind, total) for kind in KINDS if (total := totals.get((row.group, kind))) is not None]


def _where(row: TimeCounts | OpenedSurvey) -> Where:
    return row.site_id, row.checkout_point_id, row.seller_id


def _question(row: TimeCounts | OpenedSurvey) -> tuple[Group, str, int]:
    return row.group, row.question_id, row.question_revision


def _key(row: TimeCounts | OpenedSurvey, kind: Kind, time: str) -> tuple[Any, ...]:
    return kind, time, *_where(row), *_question(row)


def joined_hours(hours: set[tuple[str, str]]) -> Iterator[tuple[str, Span]]:
    """Yield the sites and times of (site, hour); hours that touch are joined, so that fewer queries are needed."""
    current: tuple[str, Span] | None = None
    for site_id, (from_ms, to_ms) in sorted((site_id, hours_span(hour, hour)) for site_id, hour in hours):
        if current is not None and current[0] == site_id and from_ms <= current[1][1]:
            current = site_id, (current[1][0], max(current[1][1], to_ms))
        else:
            if current is not None:
                yield current
            current = site_id, (from_ms, to_ms)
    if current is not None:
        yield current
