"""Say at which sites the counts of a time may have faults: few, so that few are looked through one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge.reports.coverage.making import make_sources, portions
from bridge.reports.coverage.stale import stale_days
from bridge.store import coverage

if TYPE_CHECKING:
    from bridge.store import Store

FEWEST_NEIGHBOURS = 2


def suspect_sites(store: Store, site_ids: set[str], days: tuple[str, str]) -> list[str]:
    """Return, in order, the sites where `find_faults` may find something from one day up to another.

    Where no count holds another, none is a total; where one source alone counts for the whole site, none was silent
    while others counted.
    """
    sources = coverage.sources_of_months(store, site_ids, *(day[:7] for day in days))
    for portion in portions(stale_days(store, site_ids, *days)):
        sources += make_sources(store, portion)
    long = {(cell.site_id, cell.kind, cell.source_id) for cell in sources if cell.is_long}
    suspects = {cell.site_id for cell in sources if cell.holds and (cell.site_id, cell.kind, cell.source_id) in long}
    whole: dict[tuple[str, str], set[str]] = {}
    for cell in sources:
        if cell.is_whole and (cell.site_id, cell.kind, cell.source_id) in long:
            whole.setdefault((cell.site_id, cell.kind), set()).add(cell.source_id)
    suspects.update(site_id for (site_id, _), found in whole.items() if len(found) >= FEWEST_NEIGHBOURS)
    return sorted(suspects)
