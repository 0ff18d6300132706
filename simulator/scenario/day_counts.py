"""Count what a console's till and a site's people counter counted on a day."""

from collections.abc import Iterator, Sequence

from simulator.oracle.facts import TrueCount
from simulator.people.diary import DiaryEntry
from simulator.scenario.local_hours import local_hours
from simulator.scenario.sites import PlannedPost, PlannedShift, PlannedSite

SALE_BEFORE_MS = range(2_000, 30_000)  # from the sale to the moment at which the customer is asked or leaves


def transactions(
    site: PlannedSite, post: PlannedPost, entries: Sequence[DiaryEntry], shifts: Sequence[PlannedShift]
) -> list[TrueCount]:
    """Return the till's count for each shift and local hour, or each sale."""
    count = _each_sale if site.each_sale else _sales_by_hour
    return list(count(site, post, [entry.at_ms for entry in entries if entry.bought], shifts))


def _sales_by_hour(
    site: PlannedSite, post: PlannedPost, sales: Sequence[int], shifts: Sequence[PlannedShift]
) -> Iterator[TrueCount]:
    index = 0
    for shift in shifts:
        for from_ms, to_ms, _ in local_hours(site.zone, shift.from_ms, shift.to_ms):
            first = index
            while index < len(sales) and sales[index] < to_ms:
                index += 1
            where = post.console_id, shift.seller.seller_id
            yield TrueCount("transactions", post.site_id, from_ms, index - first, *where, to_ms=to_ms)


def _each_sale(
    _site: PlannedSite, post: PlannedPost, sales: Sequence[int], shifts: Sequence[PlannedShift]
) -> Iterator[TrueCount]:
    index = 0
    for shift in shifts:
        before_ms = shift.from_ms - 1
        while index < len(sales) and sales[index] < shift.to_ms:
            spread_ms = sales[index] * 7919 % len(SALE_BEFORE_MS)  # as good as drawn, and the same each time
            before_ms = max(before_ms + 1, sales[index] - SALE_BEFORE_MS[spread_ms])
            yield TrueCount("transactions", post.site_id, before_ms, 1, post.console_id, shift.seller.seller_id)
            index += 1


def visitors(site: PlannedSite, entries: Sequence[DiaryEntry], shifts: Sequence[PlannedShift]) -> list[TrueCount]:
    """Return the people counter's count for each local hour of the site."""
    arrivals = sorted((entry.at_ms, entry.visitors) for entry in entries if entry.visitors)
    counts: list[TrueCount] = []
    if not shifts:
        return counts
    index = 0
    opens_ms, closes_ms = min(shift.from_ms for shift in shifts), max(shift.to_ms for shift in shifts)
    for from_ms, to_ms, _ in local_hours(site.zone, opens_ms, closes_ms):
        people = 0
        while index < len(arrivals) and arrivals[index][0] < to_ms:
            people += arrivals[index][1]
            index += 1
        counts.append(TrueCount("visitors", site.site_id, from_ms, people, to_ms=to_ms))
    return counts
