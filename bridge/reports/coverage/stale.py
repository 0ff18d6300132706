"""Say which days have sums that are stale, and make all sums anew."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.reports.coverage.making import SiteDays, make_sums, portions
from bridge.store import coverage, imports
from bridge.store.coverage import StaleMark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store

    Ranges = list[tuple[str, str]]
    """(first day, last day), in order and apart from each other."""

DAYS_LISTED = 62  # of a longer time only the days are looked at of which something is known
MONTHS_AT_ONCE = 20
SITES_AT_ONCE = 10


def stale_days(store: Store, site_ids: set[str], from_day: str, to_day: str) -> SiteDays:
    """Return the days from one up to another whose sums are stale, by site, of some sites."""
    return _days(store, _ranges(store, site_ids), from_day, coverage.day_before(to_day))


def refresh(store: Store) -> Iterator[None]:
    """Make anew what is stale, in steps, each of which may be a transaction of its own; not while an import counts."""
    sites = sorted({mark.site_id for mark in coverage.marks(store)})
    for start in range(0, len(sites), SITES_AT_ONCE):
        if imports.is_accepted(store):
            return
        _list_days(store, sites[start : start + SITES_AT_ONCE])
        yield
    for portion in portions(_marked_days(store)):
        if imports.is_accepted(store):
            return
        sums = make_sums(store, portion)
        coverage.replace_days(store, portion, sums.figures, sums.known, sums.sources)
        yield
    months = sorted(coverage.stale_months(store))
    for start in range(0, len(months), MONTHS_AT_ONCE):
        for site_id, month in months[start : start + MONTHS_AT_ONCE]:
            coverage.make_month(store, site_id, month)
        yield


def _list_days(store: Store, site_ids: list[str]) -> None:
    """Put a mark for each day in the place of those for longer times, at some sites."""
    days = _days(store, _ranges(store, {*site_ids}), *coverage.EVERY_DAY)
    for site_id in site_ids:
        listed = [StaleMark(site_id, day, day, 0) for day in sorted(days.get(site_id, ()))]
        coverage.replace_marks(store, site_id, listed)


def _marked_days(store: Store) -> SiteDays:
    days: SiteDays = {}
    for mark in coverage.marks(store):
        if mark.from_day == mark.to_day:
            days.setdefault(mark.site_id, set()).add(mark.from_day)
    return days


def _ranges(store: Store, site_ids: set[str]) -> dict[str, Ranges]:
    """Return the marked days of some sites, with those of the long counts that reach into them."""
    found: dict[str, Ranges] = {}
    reaching: dict[str, Ranges] = {}
    for mark in coverage.marks(store):
        if mark.site_id in site_ids:
            found.setdefault(mark.site_id, []).append(mark[1:3])
            if mark.reaches:
                reaching.setdefault(mark.site_id, []).append(mark[1:3])
    for site_id, ranges in reaching.items():
        united = _united(ranges)
        for day, first, last in coverage.long_counts(store, site_id):
            index = bisect_right(united, last, key=itemgetter(0)) - 1
            if index >= 0 and united[index][1] >= first:
                found[site_id].append((day, day))
    return {site_id: _united(ranges) for site_id, ranges in found.items()}


def _united(ranges: Ranges) -> Ranges:
    united: Ranges = []
    for first, last in sorted(ranges):
        if united and first <= united[-1][1]:
            united[-1] = united[-1][0], max(united[-1][1], last)
        else:
            united.append((first, last))
    return united


def _days(store: Store, ranges: dict[str, Ranges], first_day: str, last_day: str) -> SiteDays:
    """Return the days of some ranges within a time, its last day included: of a long time those that matter."""
    days: SiteDays = {}
    for site_id, of_site in ranges.items():
        found = days.setdefault(site_id, set())
        for first, last in of_site:
            begins, ends = max(first, first_day), min(last, last_day)
            listed = _listed(begins, ends)
            found.update(coverage.days_known(store, site_id, begins, ends) if listed is None else listed)
    return {site_id: of_site for site_id, of_site in days.items() if of_site}


def _listed(first_day: str, last_day: str) -> list[str] | None:
    """Return all days from one to another, if they are few; None if they are many."""
    try:
        first, last = date.fromisoformat(first_day).toordinal(), date.fromisoformat(last_day).toordinal()
    except ValueError:
        return None
    return None if last - first >= DAYS_LISTED else [str(date.fromordinal(day)) for day in range(first, last + 1)]
