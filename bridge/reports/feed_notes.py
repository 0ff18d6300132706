"""Say in a report's rows what their sites' feeds count twice, or leave out, in the rows' time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.feed_faults import days_around, find_faults, in_words
from bridge.reports.corrections import row_span
from bridge.store import counts, imports

if TYPE_CHECKING:
    from bridge.model.feed_faults import FeedFault
    from bridge.store import Store

    Row = dict[str, Any]


def add_notes(store: Store, rows: list[Row]) -> None:
    """Add these notes to the rows that transactions or visitors are known for, or for others of the report."""
    if all(row["transactions"] is None and row["visitors"] is None for row in rows):
        return
    days = days_around(min(row["settings"]["from"] for row in rows), max(row["settings"]["to"] for row in rows))
    sites = {site_id for row in rows for site_id in row["settings"]["timezones"]}
    site_id = sites.pop() if len(sites) == 1 else None
    faults = find_faults(counts.intervals(store, days, site_id, with_staged=imports.is_visible(store)))
    for row in rows if faults else ():
        spans = {site_id: row_span(row, timezone) for site_id, timezone in row["settings"]["timezones"].items()}
        row["notes"] += in_words(
            fault
            for fault in faults
            if fault.site_id in spans and _touches(fault, *spans[fault.site_id]) and _concerns(fault, row)
        )


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
