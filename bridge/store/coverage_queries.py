"""Read the sums of transactions, visitors and known surveys for reports, by group."""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from bridge.store.report_queries import expressions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store.connection import Store
    from bridge.store.report_queries import Group, Selection


class Part(NamedTuple):
    """A part of what a report counts: days or months of sites, from one up to another; some, by site, are skipped."""

    period: str
    from_period: str
    to_period: str
    site_ids: list[str]
    skipped: dict[str, set[str]]
    report: Selection

    @property
    def table(self) -> str:
        """The end of the names of its tables."""
        return "_month" if self.period == "month" else ""

    def where(self) -> tuple[list[str], list[Any]]:
        """Return the SQL conditions and their bindings."""
        conditions = ["site_id IN (SELECT value FROM json_each(?))", f"{self.period} >= ?", f"{self.period} < ?"]
        bindings: list[Any] = [json.dumps(self.site_ids), self.from_period, self.to_period]
        skipped = [
            (site_id, name)
            for site_id, names in self.skipped.items()
            for name in names
            if self.from_period <= name < self.to_period
        ]
        if skipped:
            pairs = "SELECT value ->> 0, value ->> 1 FROM json_each(?)"
            conditions.append(f"(site_id, {self.period}) NOT IN ({pairs})")
            bindings.append(json.dumps(skipped))
        if self.report.seller_ids is not None:
            conditions.append("seller_id IN (SELECT value FROM json_each(?))")
            bindings.append(json.dumps(self.report.seller_ids))
        return conditions, bindings


def figures(
    store: Store, columns: tuple[str, ...], part: Part, *, by_seller: bool
) -> Iterator[tuple[Group, str, str, int, int, int, int]]:
    """Yield (group, site_id, kind, figure, unmanned, end_ms, is_of_whole_site); without sellers nothing is unmanned."""
    keys = _keys(columns, part, "site_id, kind")
    conditions, bindings = part.where()
    unmanned = "sum(unmanned)" if by_seller else "0"
    sql = (
        f"SELECT {keys}, sum(figure), {unmanned}, max(end_ms), max(checkout_point_id = '' AND seller_id = '')"
        f" FROM coverage_figure{part.table} WHERE {' AND '.join(conditions)} GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, bindings):
        yield tuple(row[:width]), *row[width:]


def known(
    store: Store, columns: tuple[str, ...], part: Part, mode: int
) -> Iterator[tuple[Group, str, int, Any, int, int]]:
    """Yield (group, question_id, question_revision, kind, surveys, asked) of the known surveys; `mode` is its bit."""
    keys = _keys(columns, part, "question_id, question_revision, kind")
    conditions, bindings = part.where()
    conditions += ["modes & ?", "(known_from >= ? OR (known_until > '' AND known_until < ?))"]
    bindings += [mode, part.report.from_day, part.report.to_day]
    if part.report.question_id is not None:
        conditions.append("question_id = ?")
        bindings.append(part.report.question_id)
    sql = (
        f"SELECT {keys}, sum(surveys), sum(asked) FROM coverage_known{part.table}"
        f" WHERE {' AND '.join(conditions)} GROUP BY {keys}"
    )
    width = len(columns)
    for row in store.each(sql, bindings):
        yield tuple(row[:width]), *row[width:]


def _keys(columns: tuple[str, ...], part: Part, more: str) -> str:
    sql_of = expressions(part.period)
    return ", ".join([*(sql_of[column] for column in columns), more])
