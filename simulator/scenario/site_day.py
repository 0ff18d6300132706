"""Sum up a site's day, or the part of it that was played: from diary entries to counts and totals.

Files and live runs share this module, so that they expect the same of a bridge.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from itertools import takewhile
from typing import Any, NamedTuple, Self

from simulator.oracle.cheats import CheatTally, Opportunity
from simulator.oracle.facts import ReportSetup, TrueCount
from simulator.oracle.kpis import Totals
from simulator.oracle.surveys import declarations, surveys
from simulator.people.diary import DiaryEntry
from simulator.scenario.console_day import ConsoleDay
from simulator.scenario.day_counts import transactions, visitors
from simulator.scenario.sites import PlannedPost, PlannedShift, PlannedSite

HALF_HOUR_MS = 1_800_000  # from closing until everything has had its effect
SALE_KNOWN_MS = 60_000  # from a sale that is sent by itself; its customer has been asked by then
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


class ScenarioPlan(NamedTuple):
    """The sites, days and seed of a run, and what its reports know."""

    sites: list[PlannedSite]
    setup: ReportSetup
    first_day: date
    days: int
    seed: int


class RunTruth(NamedTuple):
    """What a run truly was: the totals for the expected KPIs, and who cheated."""

    totals: Totals
    cheats: CheatTally

    @classmethod
    def of(cls, plan: ScenarioPlan) -> Self:
        """Return the truth of a run that has not begun."""
        return cls(Totals(plan.setup, GROUPINGS), CheatTally())

    def join(self, other: Self) -> None:
        """Add the truth of other sites."""
        self.totals.join(other.totals)
        self.cheats.join(other.cheats)


class PlayedPart(NamedTuple):
    """The part of a plan that was really played: from `from_ms`, at each (site, console) through its `through_ms`."""

    from_ms: int
    through_ms: Mapping[tuple[str, str], int]

    def has(self, entry: DiaryEntry) -> bool:
        """Return whether the entry begins at or after `from_ms`; a shift counts unless it has ended by then."""
        return entry.at_ms >= self.from_ms or (entry.is_shift and entry.until_ms > self.from_ms)

    def of(self, stream: Iterable[DiaryEntry], through_ms: int) -> list[DiaryEntry]:
        """Return the entries of a console's stream that belong to this part; draw no more than needed."""
        return [entry for entry in takewhile(lambda entry: entry.at_ms <= through_ms, stream) if self.has(entry)]


class WorkedPost(NamedTuple):
    """A checkout point's day, or a part of it: what happened, who worked, and what could have been cheated at."""

    post: PlannedPost
    entries: Sequence[DiaryEntry]
    shifts: Sequence[PlannedShift]
    opportunities: Sequence[Opportunity]


class SiteDay:
    """A site's day; add its checkout points, then sum it up."""

    def __init__(self, site: PlannedSite) -> None:
        self._site = site
        self._shifts: list[PlannedShift] = []
        self._posts: list[WorkedPost] = []
        self.entries: list[DiaryEntry] = []

    def add(self, worked: WorkedPost) -> None:
        """Add a checkout point's day."""
        self._posts.append(worked)
        self._shifts += worked.shifts
        self.entries += worked.entries

    def counts(self) -> list[TrueCount]:
        """Return the counts of the tills and the people counter."""
        site = self._site
        counts: list[TrueCount] = []
        if site.tills:
            for worked in self._posts:
                counts += transactions(site, worked.post, worked.entries, worked.shifts)
        if site.door:
            counts += visitors(site, self.entries, self._shifts)
        return counts

    def sum_up(self, truth: RunTruth) -> list[TrueCount]:
        """Add the day to the truth; return its counts."""
        counts = self.counts()
        true_surveys = [survey for worked in self._posts for survey in surveys(worked.entries, worked.post.rules)]
        declared = [declaration for worked in self._posts for declaration in declarations(worked.entries)]
        truth.totals.add(true_surveys, declared, counts)
        truth.totals.merge()
        for worked in self._posts:
            truth.cheats.add(worked.opportunities, self._site.zone)
        return counts


def part_of_day(plan: ScenarioPlan, site: PlannedSite, day: date, part: PlayedPart) -> SiteDay:
    """Return the part of a site's day that was played."""
    site_day = SiteDay(site)
    for post in site.posts:
        through_ms = part.through_ms.get((post.site_id, post.console_id), 0)
        console_day = ConsoleDay(site, post, day, plan.seed)
        if console_day.shifts and console_day.shifts[0].from_ms <= through_ms:
            shifts = _clipped(console_day.shifts, part.from_ms, through_ms)
            entries = part.of(console_day.stream(), through_ms)
            opportunities = [
                one for one in console_day.opportunities if one.until_ms >= part.from_ms and one.at_ms <= through_ms
            ]
            site_day.add(WorkedPost(post, entries, shifts, opportunities))
    return site_day


def _clipped(shifts: Sequence[PlannedShift], from_ms: int, through_ms: int) -> list[PlannedShift]:
    """Return the shifts cut to the part played; the end is exclusive, so it is a millisecond after `through_ms`."""
    clipped = [
        PlannedShift(shift.seller, max(shift.from_ms, from_ms), min(shift.to_ms, through_ms + 1)) for shift in shifts
    ]
    return [shift for shift in clipped if shift.from_ms < shift.to_ms]


def known_ms(count: TrueCount) -> int:
    """Return the instant by which a till or people counter knows a count."""
    return count.at_ms + SALE_KNOWN_MS if count.to_ms is None else count.to_ms


def count_message(count: TrueCount, setup: ReportSetup) -> tuple[str, dict[str, Any]]:
    """Return topic and payload of the message with which a till or people counter sends a count."""
    payload: dict[str, Any] = {"kind": count.kind, "from_ms": count.at_ms, "count": count.count}
    payload["to_ms"] = count.at_ms if count.to_ms is None else count.to_ms
    if count.kind == "visitors":
        return f"trivox/v1/{count.site_id}/{DOOR}/counts", {"id": f"{count.at_ms}", **payload}
    point = setup.checkout_points[count.site_id, count.console_id or ""]
    payload |= {"checkout_point_id": point, "seller_id": count.seller_id}
    return f"trivox/v1/{count.site_id}/{TILLS}/counts", {"id": f"{point}:{count.at_ms}", **payload}
