"""Read transactions, visitors and known surveys for a report's rows from sums; of stale days, sums are made first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from bridge.model.local_time import months_within
from bridge.reports.coverage.making import SiteDays, make_sums, portions
from bridge.reports.coverage.modes import mode_of
from bridge.reports.coverage.stale import stale_days
from bridge.reports.feeds import FeedTotal
from bridge.store import coverage_queries, imports
from bridge.store.coverage import month_after, stale_months
from bridge.store.coverage_queries import Part

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.reports.coverage.making import Sums
    from bridge.reports.known_surveys import KnownCounts, Totals
    from bridge.store import Store
    from bridge.store.coverage import FigureCell, KnownCell
    from bridge.store.report_queries import Group, Selection

MadeSums = dict[tuple[str, ...], list["Sums"]]
"""By the first day, the day after the last one, and the sites."""


def can_tell(store: Store, columns: tuple[str, ...], selections: list[Selection]) -> bool:
    """Return whether sums hold what a report asks for.

    They do not know hours, nor consoles or several sellers whose counts a row is to add up; and what an import is
    adding is not in them yet.
    """
    return not (
        "hour" in columns
        or imports.is_visible(store)
        or any(
            selection.consoles is not None
            or (selection.seller_ids is not None and "seller_id" not in columns and len(selection.seller_ids) != 1)
            for selection in selections
        )
    )


def read_coverage(
    store: Store, columns: tuple[str, ...], selections: list[Selection], site_ids: Iterable[str], made: MadeSums
) -> tuple[Totals, list[KnownCounts]]:
    """Return the figures by group and kind, and the known surveys of each group; `site_ids` are all sites.

    `made` keeps the sums that are made of stale days for another call on the same snapshot.
    """
    coverage = _Coverage(columns, made, {}, [])
    for selection in selections:
        sites = {*site_ids} if selection.site_ids is None else {*selection.site_ids}
        coverage.read(store, selection, sites)
    return coverage.totals, coverage.known


@dataclass
class _Coverage:
    columns: tuple[str, ...]
    made: MadeSums
    totals: Totals
    known: list[KnownCounts]

    def read(self, store: Store, selection: Selection, sites: set[str]) -> None:
        by_seller = "seller_id" in self.columns or selection.seller_ids is not None
        mode = mode_of(self.columns, by_seller=by_seller)
        stale = stale_days(store, sites, selection.from_day, selection.to_day)
        for part in _parts(store, self.columns, selection, sites, stale):
            for figure in coverage_queries.figures(store, self.columns, part, by_seller=by_seller):
                self._add_figure(*figure)
            for group, question_id, revision, *counts in coverage_queries.known(store, self.columns, part, mode.bit):
                self.known.append(((group, question_id, revision), *counts))
        key = selection.from_day, selection.to_day, *sorted(sites)
        if key not in self.made:
            self.made[key] = [make_sums(store, portion) for portion in portions(stale)]
        for sums in self.made[key]:
            self._add_sums(sums, selection, mode.bit, by_seller=by_seller)

    def _add_figure(
        self, group: Group, site_id: str, kind: str, figure: int, unmanned: int, end_ms: int, is_of_whole_site: int
    ) -> None:
        total = self.totals.setdefault((group, kind), FeedTotal())
        total.figure += figure
        total.unmanned += unmanned
        total.is_of_whole_site |= bool(is_of_whole_site)
        total.ends_ms[site_id] = max(total.ends_ms.get(site_id, 0), end_ms)

    def _add_sums(self, sums: Sums, selection: Selection, mode: int, *, by_seller: bool) -> None:
        sellers = selection.seller_ids
        for cell in sums.figures:
            if sellers is None or cell.seller_id in sellers:
                is_of_whole_site = not (cell.checkout_point_id or cell.seller_id)
                unmanned = cell.unmanned if by_seller else 0
                group = self._group(cell)
                self._add_figure(group, cell.site_id, cell.kind, cell.figure, unmanned, cell.end_ms, is_of_whole_site)
        for known in sums.known:
            if (
                known.modes & mode
                and (sellers is None or known.seller_id in sellers)
                and selection.question_id in {None, known.question_id}
                and (
                    known.known_from >= selection.from_day
                    or (known.known_until and known.known_until < selection.to_day)
                )
            ):
                question = self._group(known), known.question_id, known.question_revision
                self.known.append((question, known.kind, known.surveys, known.asked))  # type: ignore[arg-type]

    def _group(self, cell: FigureCell | KnownCell) -> Group:
        return tuple(_value(cell, column) for column in self.columns)


def _value(cell: Any, column: str) -> str | None:
    """Return the value of a report's column, of a sum by day."""
    if column == "week":
        year, week, _ = date.fromisoformat(cell.day).isocalendar()
        return f"{year:04}-W{week:02}"
    if column == "month":
        return str(cell.day[:7])
    return getattr(cell, column) or None


def _parts(
    store: Store, columns: tuple[str, ...], selection: Selection, sites: set[str], stale: SiteDays
) -> Iterator[Part]:
    """Yield what to read: whole months by the month where nothing in them is stale, and the rest by the day."""
    everywhere = sorted(sites)
    first, last = months_within(date.fromisoformat(selection.from_day), date.fromisoformat(selection.to_day))
    if first >= last or {"day", "week"} & set(columns):
        yield Part("day", selection.from_day, selection.to_day, everywhere, stale, selection)
        return
    by_day: SiteDays = {}
    for site_id, month in {
        *stale_months(store),
        *((site_id, day[:7]) for site_id, days in stale.items() for day in days),
    }:
        if site_id in sites and first <= month < last:
            by_day.setdefault(site_id, set()).add(month)
    yield Part("month", first, last, everywhere, by_day, selection)
    edges = (selection.from_day, f"{first}-01"), (f"{last}-01", selection.to_day)
    for from_day, to_day in edges:
        if from_day < to_day:
            yield Part("day", from_day, to_day, everywhere, stale, selection)
    for month in sorted({month for months in by_day.values() for month in months}):
        here = sorted(site_id for site_id, months in by_day.items() if month in months)
        yield Part("day", f"{month}-01", month_after(month), here, stale, selection)
