"""Say in a report's rows what their sites' feeds count twice, or leave out, in the rows' time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bridge.model.feed_faults import find_faults, in_words
from bridge.reports.corrections import row_span
from bridge.store import counts, imports

if TYPE_CHECKING:
    from bridge.store import Store

    Row = dict[str, Any]


def add_notes(store: Store, rows: list[Row]) -> None:
    """Add these notes to the rows that transactions or visitors are known for, or for others of the report."""
    if all(row["transactions"] is None and row["visitors"] is None for row in rows):
        return
    days = min(row["settings"]["from"] for row in rows), max(row["settings"]["to"] for row in rows)
    faults = find_faults(counts.intervals(store, days, with_staged=imports.is_visible(store)))
    for row in rows if faults else ():
        spans = {site_id: row_span(row, timezone) for site_id, timezone in row["settings"]["timezones"].items()}
        row["notes"] += in_words(
            fault
            for fault in faults
            if fault.site_id in spans
            and fault.from_ms < spans[fault.site_id][1]
            and spans[fault.site_id][0] < fault.to_ms
        )
