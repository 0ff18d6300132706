"""What happened at a site on a day, from the diary's entries to tills' figures and sums, whole or in part.

Files and live runs use the same, so that what is expected of a bridge means the same for both.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import takewhile
from typing import Any, NamedTuple

from simulator.oracle.facts import Count, World
from simulator.oracle.kpis import Totals
from simulator.oracle.surveys import declarations, surveys
from simulator.people.diary import Entry
from simulator.scenario.people_day import Day, transactions, visitors
from simulator.scenario.sites import OnShift, Place, Post

HALF_HOUR_MS = 1_800_000  # after closing nothing happens any more
TILLS, DOOR = "tills", "door"

GROUPINGS: tuple[tuple[str, ...], ...] = (
    ("question",),
    ("site",),
    ("console",),
    ("checkout_point",),
    ("seller",),
    ("hour",),
    ("day",),
    ("week",),
    ("month",),
    ("site", "week"),
)


class Order(NamedTuple):
    """What is to be made."""

    places: list[Place]
    world: World
    first_day: date
    days: int
    seed: int


class Part(NamedTuple):
    """What of an order was really run: from an instant on, at each console (site, console) up to another one."""

    from_ms: int
    through_ms: Mapping[tuple[str, str], int]

    def has(self, entry: Entry) -> bool:
        """Whether it begins in time; a shift counts if it is not over yet."""
        return entry.at_ms >= self.from_ms or (entry.kind == "shift" and entry.until_ms > self.from_ms)

    def of(self, stream: Iterable[Entry], through_ms: int) -> list[Entry]:
        """The entries of a console's stream that are in it; no more is drawn than is needed."""
        return [entry for entry in takewhile(lambda entry: entry.at_ms <= through_ms, stream) if self.has(entry)]


class SiteDay:
    """A site's day: its consoles are added, then it is summed up."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._shifts: list[OnShift] = []
        self._posts: list[tuple[Post, Sequence[Entry], Sequence[OnShift]]] = []
        self.entries: list[Entry] = []

    def add(self, post: Post, entries: Sequence[Entry], shifts: Sequence[OnShift]) -> None:
        """What happened at a console, and who was on shift."""
        self._posts.append((post, entries, shifts))
        self._shifts += shifts
        self.entries += entries

    def counts(self) -> list[tuple[int, Count]]:
        """What tills and the people counter tell, each with the end of its interval."""
        place = self._place
        found: list[tuple[int, Count]] = []
        if place.tills:
            for post, entries, shifts in self._posts:
                found += transactions(place, post, entries, shifts)
        if place.door:
            found += visitors(place, self.entries, self._shifts)
        return found

    def sum_up(self, totals: Totals) -> list[tuple[int, Count]]:
        """Add it to the totals; the counts."""
        for post, entries, _ in self._posts:
            totals.add(surveys(entries, post.rules), declarations(entries), ())
        counts = self.counts()
        totals.add((), (), (count for _, count in counts))
        totals.merge()
        return counts


def part_of_day(order: Order, place: Place, day: date, part: Part) -> SiteDay:
    """The part of a site's day that was run."""
    lived = SiteDay(place)
    for post in place.posts:
        through_ms = part.through_ms.get((post.site_id, post.console_id), 0)
        today = Day(place, post, day, order.seed)
        if today.shifts and today.shifts[0].from_ms <= through_ms:
            lived.add(post, part.of(today.stream(), through_ms), _clipped(today.shifts, part.from_ms, through_ms))
    return lived


def _clipped(shifts: Sequence[OnShift], from_ms: int, through_ms: int) -> list[OnShift]:
    """The shifts as far as tills were watched: an instant's sales end a millisecond after it."""
    clipped = [OnShift(one.seller, max(one.from_ms, from_ms), min(one.to_ms, through_ms + 1)) for one in shifts]
    return [one for one in clipped if one.from_ms < one.to_ms]


def count_message(count: Count, to_ms: int, world: World) -> tuple[str, dict[str, Any]]:
    """Topic and payload by which a till or a people counter tells a figure up to `to_ms`."""
    told: dict[str, Any] = {"kind": count.kind, "from_ms": count.at_ms, "to_ms": to_ms, "count": count.count}
    if count.kind == "visitors":
        return f"trivox/v1/{count.site_id}/{DOOR}/counts", {"id": f"{count.at_ms}", **told}
    point = world.checkout_points[count.site_id, count.console_id or ""]
    told |= {"checkout_point_id": point, "seller_id": count.seller_id}
    return f"trivox/v1/{count.site_id}/{TILLS}/counts", {"id": f"{point}:{count.at_ms}", **told}
