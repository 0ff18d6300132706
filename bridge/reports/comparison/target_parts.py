"""Judge rows of a report by the targets in force in their time, each part of it by its own target."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from bridge.model.target import TargetScope
from bridge.reports.comparison.sides import ComparedSide
from bridge.reports.comparison.target_verdicts import TargetPart, judge_part
from bridge.reports.rows import report_rows
from bridge.store.targets import in_force

if TYPE_CHECKING:
    from bridge.model.target import TargetFigure
    from bridge.reports.days import Days
    from bridge.reports.report_query import ReportQuery
    from bridge.reports.rows import Row
    from bridge.store import Store

RowName = tuple[Any, ...]


def name_of(query: ReportQuery, row: Row) -> RowName:
    """Return what names a row in all reports of a query, whatever their days."""
    return (*(row[column] for column in query.columns), row["question_id"], row["question_revision"], row["kind"])


class TargetJudge:
    """Judges the rows of a query."""

    def __init__(self, store: Store, query: ReportQuery) -> None:
        self._store, self._query = store, query
        self._targets = in_force(store)
        self._rows: dict[Days, dict[RowName, Row]] = {}
        self._points = self._checkout_points() if self._needs_points() else {}

    def judged(self, side: ComparedSide) -> list[dict[str, Any]]:
        """Return the verdict on each part of a row's time, if any has a target: of its index, then of response rate."""
        figures: list[TargetFigure] = ["response_rate"]
        if side.kind != "unknown":
            figures.insert(0, "emotional_loyalty_index" if side.kind == "loyalty" else "dissatisfaction_index")
        found = []
        for figure in figures if self._targets else ():
            parts = self._parts(side.row, figure)
            if any(part.values != {None} for part in parts):
                found += [
                    judge_part(self._side_in(side, part, is_whole=len(parts) == 1), figure, part) for part in parts
                ]
        return found

    def _parts(self, row: Row, figure: TargetFigure) -> list[TargetPart]:
        """Return the parts of a row's time between changes of its targets."""
        days = date.fromisoformat(row["settings"]["from"]), date.fromisoformat(row["settings"]["to"])
        found = [self._targets.spans(row["question_id"], figure, days, whom) for whom in self._whom(row)]
        starts = sorted({span.from_day for spans in found for span in spans})
        return [
            TargetPart(
                (start, end),
                tuple(next(span.target for span in spans if span.from_day <= start < span.to_day) for spans in found),
            )
            for start, end in zip(starts, [*starts[1:], days[1]], strict=True)
        ]

    def _whom(self, row: Row) -> list[TargetScope]:
        """Return whom the row is of: one, or a seller (or console) at each of the places at which he worked."""
        seller, point = row.get("seller_id") or "", row.get("checkout_point_id") or ""
        if points := self._points.get(name_of(self._query, row)):
            return [TargetScope(site_id, point_id, seller) for site_id, point_id in sorted(points)]
        sites = [row["site_id"]] if row.get("site_id") else sorted(row["settings"]["timezones"])
        if not sites or (len(sites) > 1 and "seller_id" not in row):
            return [TargetScope("", "", seller)]
        return [TargetScope(site_id, point, seller) for site_id in sites]

    def _needs_points(self) -> bool:
        """Return whether rows are of someone who may have worked at checkout points with targets of their own."""
        columns = self._query.columns
        is_of_someone = "seller_id" in columns or "console_id" in columns
        return is_of_someone and "checkout_point_id" not in columns and self._targets.are_of_checkout_points()

    def _checkout_points(self) -> dict[RowName, set[tuple[str, str]]]:
        """Return at which checkout points the surveys of each row were, as (site_id, checkout_point_id or empty)."""
        query = replace(self._query, by=(*self._query.by, "checkout_point"))
        found: dict[RowName, set[tuple[str, str]]] = {}
        for row in report_rows(self._store, query):
            point = row["site_id"], row["checkout_point_id"] or ""
            found.setdefault(name_of(self._query, row), set()).add(point)
        return found

    def _side_in(self, side: ComparedSide, part: TargetPart, *, is_whole: bool) -> ComparedSide | None:
        if is_whole:
            return side
        if part.days not in self._rows:
            days_in = self._query.days_in
            query = replace(self._query, days_in=lambda timezone: _within(days_in(timezone), part.days))
            self._rows[part.days] = {name_of(query, row): row for row in report_rows(self._store, query)}
        row = self._rows[part.days].get(name_of(self._query, side.row))
        return None if row is None else ComparedSide(row, side.people)


def _within(days: Days, part: Days) -> Days:
    first, end = max(days[0], part[0]), min(days[1], part[1])
    return first, max(first, end)
