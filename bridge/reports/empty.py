"""Say why a report is empty, and which days have surveys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.reports.days import ranges
from bridge.store import places, report_queries
from bridge.store.report_queries import Selection

if TYPE_CHECKING:
    from bridge.reports.report_query import ReportQuery
    from bridge.store import Store

MOST_RANGES = 5


def why_empty(store: Store, query: ReportQuery) -> str:
    """Return a sentence on the days that have surveys of what the report is limited to."""
    timezones = places.timezones(store)
    periods = {(selection.from_day, selection.to_day) for selection in query.selections(timezones)}
    if not periods:
        periods = {(str(first), str(end)) for first, end in (query.days_in("UTC"),)}
    own = " on each site's own days," if len(periods) > 1 else ""
    asked = " or ".join(f"from {first} up to, not including, {end}" for first, end in sorted(periods))
    none = f"There are no surveys{own} {asked}"
    limited = Selection("", "", query.question_id, query.site_ids, query.consoles, query.seller_ids)
    days = report_queries.days_with_surveys(store, limited)
    if days:
        found = ranges(days)
        more = f", and {len(found) - MOST_RANGES} times more before that" if len(found) > MOST_RANGES else ""
        return f"{none}: there are some on {', '.join(found[-MOST_RANGES:])}{more}."
    if query.question_id or query.site_ids or query.consoles or query.seller_ids:
        return f"{none}, nor on other days, of what you named: ask for less."
    return f"{none}, nor on any other day: none has arrived yet that counts (see `trivox doctor`)."
