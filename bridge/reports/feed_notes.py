"""Say in a report's rows what their sites' feeds count twice, or leave out, in the rows' time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.feed_faults import days_around, find_faults, in_words
from bridge.model.local_time import UNITS
from bridge.reports.corrections import row_span
from bridge.reports.coverage.suspects import suspect_sites
from bridge.reports.feeds import KINDS
from bridge.store import counts, imports

if TYPE_CHECKING:
    from bridge.model.feed_faults import FeedFault
    from bridge.reports.feeds import Kind
    from bridge.store import Store

    Row = dict[str, Any]


BEGUN_BEFORE = "are known only over an interval that begins before the period: ask for a period that holds all of it"
WHO = {"seller_id", "console_id", "checkout_point_id"}
"""Columns of which the counts of a whole site say nothing."""


def add_notes(store: Store, rows: list[Row]) -> None:
    """Add these notes to the rows that transactions or visitors are known for, or for others of the report.

    Of what the report knows nothing, say whether the reason is that it was counted from before the period on.
    """
    unknown = [kind for kind in KINDS if all(row[kind] is None for row in rows)]
    if rows and unknown:
        _add_notes_on_earlier(store, rows, unknown)
    if len(unknown) == len(KINDS):
        return
    days = days_around(min(row["settings"]["from"] for row in rows), max(row["settings"]["to"] for row in rows))
    sites = {site_id for row in rows for site_id in row["settings"]["timezones"]}
    is_merging = imports.is_visible(store)
    suspects = sorted(sites) if is_merging else suspect_sites(store, sites, days)
    found = (find_faults(counts.intervals(store, days, site_id, with_staged=is_merging)) for site_id in suspects)
    faults = [fault for of_site in found for fault in of_site]
    for row in rows if faults else ():
        spans = {site_id: row_span(row, timezone) for site_id, timezone in row["settings"]["timezones"].items()}
        row["notes"] += in_words(
            fault
            for fault in faults
            if fault.site_id in spans and _touches(fault, *spans[fault.site_id]) and _concerns(fault, row)
        )


def _add_notes_on_earlier(store: Store, rows: list[Row], unknown: list[Kind]) -> None:
    sites = {site_id: zone for row in rows for site_id, zone in row["settings"]["timezones"].items()}
    times = {tuple(row["settings"][name] for name in ("from", "to")) + tuple(map(row.get, UNITS)): row for row in rows}
    starts = {site_id: min(row_span(row, zone)[0] for row in times.values()) for site_id, zone in sites.items()}
    how = {"of_somebody": any(WHO & row.keys() for row in rows), "with_staged": imports.is_visible(store)}
    kinds = {site_id: counts.begun_before(store, site_id, start_ms, **how) for site_id, start_ms in starts.items()}
    for row in rows:
        found = set().union(*(kinds[site_id] for site_id in row["settings"]["timezones"]))
        row["notes"] += [f"{kind} {BEGUN_BEFORE}" for kind in unknown if kind in found]


def _touches(fault: FeedFault, from_ms: int, to_ms: int) -> bool:
    """Return whether a fault lies in a row's time: a total, with the first count that is added up in it.

    Where only one of them does, each figure stands in a row of its own.
    """
    if fault.form == "total":
        return from_ms <= fault.from_ms and fault.to_ms < to_ms
    return fault.from_ms < to_ms and from_ms < fault.to_ms


def _concerns(fault: FeedFault, row: Row) -> bool:
    """Return whether counts like those of a fault are part of a row's figure."""
    if row[fault.kind] is None:
        return False
    if row.get("total"):
        return True
    point = fault.checkout_point_id
    if "console_id" in row and point is None:
        return False
    if row.get("checkout_point_id", point) != point:
        return False
    return "seller_id" not in row or fault.seller_id == row["seller_id"] or (fault.seller_id is None and bool(point))
