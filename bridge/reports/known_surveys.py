"""Count the surveys that were opened while transactions or visitors were counted: they alone enter the ratios.

Hour by hour that is a matter of sums; only where an hour was counted in part are its surveys looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.reports.feeds import KINDS, FeedTotal, Span, Where, hour_span
from bridge.store import report_queries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.reports.feeds import Kind
    from bridge.store import Store
    from bridge.store.report_queries import Group, HourCounts, OpenedSurvey, Selection

Totals = dict[tuple["Group", str], FeedTotal]
Key = tuple["Group", str, int]
"""(group, question_id, question_revision)."""


@dataclass
class Known:
    """How many surveys were opened in time that a feed knows, and for how many customers they stand."""

    surveys: int = 0
    asked: int = 0

    def add(self, surveys: int, asked: int) -> None:
        """Add surveys, and the customers that they stand for."""
        self.surveys += surveys
        self.asked += asked


def count_known(
    store: Store, columns: tuple[str, ...], selection: Selection, totals: Totals
) -> Iterator[tuple[Key, Kind, int, int]]:
    """Yield (group and question, kind, surveys, asked) of surveys that were opened in time that a feed knows."""
    sites = {site_id for total in totals.values() for site_id, _, _ in total.spans}
    if selection.site_ids is not None:
        sites.intersection_update(selection.site_ids)
    partly: dict[str, set[str]] = {}
    selection_of_sites = selection._replace(site_ids=tuple(sorted(sites)))
    for row in report_queries.hour_counts(store, columns, selection_of_sites) if sites else ():
        for kind, total in _totals_of(row.group, totals):
            is_known = total.knows(_where(row), *hour_span(row.hour))
            if is_known:
                yield (row.group, row.question_id, row.question_revision), kind, row.surveys, row.asked
            elif is_known is None:
                partly.setdefault(row.site_id, set()).add(row.hour)
    for site_id, hours in partly.items():
        for from_ms, to_ms in _joined(sorted(hour_span(hour) for hour in hours)):
            for survey in report_queries.surveys_opened(store, columns, selection, site_id, from_ms, to_ms):
                yield from _known_survey(survey, totals)


def _known_survey(survey: OpenedSurvey, totals: Totals) -> Iterator[tuple[Key, Kind, int, int]]:
    for kind, total in _totals_of(survey.group, totals):
        where = _where(survey)
        if total.knows(where, *hour_span(survey.hour)) is None and total.knows(
            where, survey.opened_at_ms, survey.opened_at_ms + 1
        ):
            yield (survey.group, survey.question_id, survey.question_revision), kind, 1, survey.asked


def _totals_of(group: Group, totals: Totals) -> list[tuple[Kind, FeedTotal]]:
    return [(kind, total) for kind in KINDS if (total := totals.get((group, kind))) is not None]


def _where(row: HourCounts | OpenedSurvey) -> Where:
    return row.site_id, row.checkout_point_id, row.seller_id


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Join spans that touch, so that fewer queries are needed."""
    current: Span | None = None
    for span in spans:
        if current is not None and span[0] <= current[1]:
            current = current[0], max(current[1], span[1])
        else:
            if current is not None:
                yield current
            current = span
    if current is not None:
        yield current
