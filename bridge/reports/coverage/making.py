"""Make the sums of some days of sites from counts, shifts and surveys.

Day by day that is a matter of sums; only where a day was counted in part are its hours looked at, and in such an hour
its surveys, one by one: as `reports/known_surveys.py` does for rows that have no sums.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache, partial
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from bridge.model.local_time import DAY_MS, day_starts_ms
from bridge.reports.coverage.covered_time import CoveredTime
from bridge.reports.coverage.modes import MODES
from bridge.reports.known_surveys import joined_hours
from bridge.reports.seller_shares import SellerShares
from bridge.reports.time_spans import AROUND_A_SALE_MS, hours_span, known_span
from bridge.store import coverage, places, report_queries
from bridge.store.coverage import CountedRow, FigureCell, KnownCell, SourceCell, SurveyGroup
from bridge.store.report_queries import FeedRun, Selection

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bridge.reports.time_spans import Span
    from bridge.store import Store

SiteDays = dict[str, set[str]]
"""Days, by site."""

DAYS_AT_ONCE = 7
SITE_DAYS_AT_ONCE = 200
_DAY_LENGTH = len("2026-11-22")
_QUARTER_MS = 900_000
_source = attrgetter("kind", "source_id", "day")
_run = attrgetter("kind", "checkout_point_id", "sent_seller_id", "console_id", "seller_id", "day")


@dataclass
class Sums:
    """The sums of some days: what `coverage.replace_days` stores."""

    figures: list[FigureCell] = field(default_factory=list)
    known: list[KnownCell] = field(default_factory=list)
    sources: list[SourceCell] = field(default_factory=list)


def portions(days: SiteDays) -> Iterator[SiteDays]:
    """Yield days that lie close together, few enough to sum up at once."""
    weeks: dict[int, SiteDays] = {}
    for site_id, of_site in days.items():
        for day in of_site:
            week = date.fromisoformat(day).toordinal() // DAYS_AT_ONCE
            weeks.setdefault(week, {}).setdefault(site_id, set()).add(day)
    for _, of_week in sorted(weeks.items()):
        portion: SiteDays = {}
        for site_id, of_site in of_week.items():
            portion[site_id] = of_site
            if sum(map(len, portion.values())) >= SITE_DAYS_AT_ONCE:
                yield portion
                portion = {}
        if portion:
            yield portion


def make_sums(store: Store, days: SiteDays) -> Sums:
    """Make the sums of some days that lie close together."""
    counted = _counted_sites(store, days)
    sums = Sums()
    if counted:
        unmanned: dict[str, list[tuple[str, str, str]]] = {}
        lasting = [site.lasts() for site in counted.values()]
        first, last = min(first for first, _ in lasting), max(last for _, last in lasting)
        for place in coverage.unmanned_hours(store, counted, first, last):
            unmanned.setdefault(place[0], []).append(place)
        for site_id, site in counted.items():
            site.share_out(sums, unmanned.get(site_id, []))
            sums.sources += site.sources()
        sums.known += _KnownSurveys(store, counted).cells()
    return sums


def make_sources(store: Store, days: SiteDays) -> Iterator[SourceCell]:
    """Make only the sums of sources, of some days that lie close together."""
    for site in _counted_sites(store, days).values():
        yield from site.sources()


def _counted_sites(store: Store, days: SiteDays) -> dict[str, _CountedSite]:
    timezones = places.timezones(store)
    sites = (
        _CountedSite(store, site_id, timezones[site_id], of_site)
        for site_id, of_site in days.items()
        if site_id in timezones
    )
    return {site.site_id: site for site in sites if site.counts}


class _CountedSite:
    """The counts of a site that tell of some of its days."""

    def __init__(self, store: Store, site_id: str, timezone: str, days: set[str]) -> None:
        self._store = store
        self.site_id, self.days = site_id, days
        self.bounds = partial(_bounds, timezone)
        begins, ends = self.bounds(min(days))[0], self.bounds(max(days))[1]
        self.counts = coverage.counts_around(store, site_id, begins, ends + AROUND_A_SALE_MS)
        self.time: dict[str, CoveredTime] = {}  # by kind

    def lasts(self) -> tuple[str, str]:
        """Return days between which all its counts lie, the last one included."""
        first, last = (date.fromisoformat(pick(self.days)) for pick in (min, max))
        ends = max(0, *(count.to_ms for count in self.counts)) // DAY_MS
        epoch = date(1970, 1, 1).toordinal()
        until = min(max(last.toordinal(), ends + epoch) + 1, date.max.toordinal())
        begins = min(min(count.from_ms for count in self.counts) // DAY_MS + epoch, first.toordinal())
        return str(date.fromordinal(max(begins - 1, 1))), str(date.fromordinal(until))

    def share_out(self, sums: Sums, unmanned: list[tuple[str, str, str]]) -> None:
        """Sum up what sellers have a part in, and note the time of it; `unmanned` are hours with surveys of nobody."""
        begins = min(known_span(count.from_ms, count.to_ms)[0] for count in self.counts)
        ends = max(known_span(count.from_ms, count.to_ms)[1] for count in self.counts)
        shares = SellerShares(coverage.shifts_around(self._store, self.site_id, begins, ends), unmanned)
        figures: dict[tuple[Any, ...], list[int]] = {}
        for run, console_id, day in self._runs():
            time = self.time.setdefault(run.kind, CoveredTime(self.bounds))
            found = shares.of(run)
            time.add(run, console_id, day, found)
            for share in found if day in self.days else ():
                key = self.site_id, day, console_id, run.checkout_point_id, share.seller_id or "", run.kind
                before = figures.get(key, [0, 0, 0])
                added = before[0] + share.figure, before[1] + share.unmanned, max(before[2], share.end_ms)
                figures[key] = [*added]
        sums.figures += [FigureCell(*key, *values) for key, values in figures.items()]

    def _runs(self) -> Iterator[tuple[FeedRun, str, str]]:
        """Yield counts that follow each other without a gap on a day, with their console and the day."""
        for (kind, point, sent, console_id, seller, day), rows in groupby(self.counts, key=_run):
            of_run = self.site_id, point, sent, kind, seller or None
            parts: list[tuple[int, int, int]] = []
            begins = ends = 0
            for row in rows:
                from_ms, to_ms = known_span(row.from_ms, row.to_ms)
                if parts and from_ms > ends:
                    yield FeedRun((), *of_run, begins, ends, parts), console_id, day
                    parts = []
                begins, ends = (min(begins, from_ms), max(ends, to_ms)) if parts else (from_ms, to_ms)
                parts.append((row.from_ms, row.to_ms, row.figure))
            yield FeedRun((), *of_run, begins, ends, parts), console_id, day

    def sources(self) -> Iterator[SourceCell]:
        """Yield what the counts of each source and day are like."""
        held = self._held()
        for (kind, source_id, day), rows in groupby(sorted(self.counts, key=_source), key=_source):
            if day in self.days:
                counts = list(rows)
                is_whole = any(not (count.checkout_point_id or count.sent_seller_id) for count in counts)
                is_long = any(count.to_ms - count.from_ms >= _QUARTER_MS for count in counts)
                yield SourceCell(self.site_id, day, kind, source_id, is_whole, is_long, (kind, source_id, day) in held)
                held.discard((kind, source_id, day))
        for kind, source_id, day in held:
            if day in self.days:
                yield SourceCell(self.site_id, day, kind, source_id, 0, 1, 1)

    def _held(self) -> set[tuple[str, str, str]]:
        """Return (kind, source, day) of counts that may be totals of others, which begin on that day.

        They are all that `find_faults` may take for such, and some more.
        """
        held: set[tuple[str, str, str]] = set()
        open_ones: list[CountedRow] = []
        for count in sorted(self.counts, key=_longest_first):
            open_ones = [one for one in open_ones if one.to_ms > count.from_ms and one.kind == count.kind]
            for one in open_ones:
                if _may_hold(one, count):
                    held.add((one.kind, one.source_id, count.day))
                if _may_hold(count, one):
                    held.add((one.kind, count.source_id, one.day))
            if count.to_ms > count.from_ms:
                open_ones.append(count)
        return held


def _longest_first(count: CountedRow) -> tuple[str, int, int]:
    return count.kind, count.from_ms, -count.to_ms


def _may_hold(one: CountedRow, other: CountedRow) -> bool:
    span, of_other = (one.from_ms, one.to_ms), (other.from_ms, other.to_ms)
    place, place_of_other = one[1:3], other[1:3]
    return (
        (one.source_id == other.source_id or span[1] - span[0] > of_other[1] - of_other[0])
        and span[0] <= of_other[0]
        and of_other[1] <= span[1]
        and place[0] in {"", place_of_other[0]}
        and place[1] in {"", place_of_other[1]}
        and (span, place) != (of_other, place_of_other)
    )


class _KnownSurveys:
    """Sums up the surveys that the counts of sites tell of."""

    def __init__(self, store: Store, sites: dict[str, _CountedSite]) -> None:
        self._store, self._sites = store, sites
        days = set[str]().union(*(site.days for site in sites.values()))
        self._period = min(days), max(days)
        self._sums: dict[tuple[Any, ...], list[int]] = {}

    def cells(self) -> list[KnownCell]:
        """Return the sums."""
        days = self._undecided(coverage.survey_groups(self._store, self._sites, *self._period, by_hour=False), None)
        if days:
            sites = {str(site_id) for site_id, *_ in days}
            groups = coverage.survey_groups(self._store, sites, *self._period, by_hour=True)
            hours = self._undecided(groups, days)
            for site_id, span in joined_hours({(str(site_id), str(hour)) for site_id, _, hour, *_ in hours}):
                self._add_one_by_one(site_id, span, hours)
        return [*self._cells()]

    def _cells(self) -> Iterator[KnownCell]:
        """Yield the sums, each with all modes that have the same: whatever the way to them, they are told in one."""
        by_modes: dict[tuple[Any, ...], dict[int, list[int]]] = {}
        for (*place, modes, known_from, known_until), sums in self._sums.items():
            by_modes.setdefault((*place, known_from, known_until), {})[modes] = sums
        for (*place, known_from, known_until), found in by_modes.items():
            for total, modes in _by_sums(found).items():
                yield KnownCell._make((*place, modes, known_from, known_until, *total))

    def _undecided(self, groups: Iterable[SurveyGroup], of_days: dict[_Undecided, int] | None) -> dict[_Undecided, int]:
        """Add the surveys of days or hours that are known in whole; return the modes in which others are in part."""
        undecided: dict[_Undecided, int] = {}
        decided: dict[tuple[str | int, ...], tuple[int, int]] = {}
        for group in groups:
            site, day = self._sites[group.site_id], group.first_hour[:_DAY_LENGTH]
            for kind, time in site.time.items() if day in site.days else ():
                bits = _ALL_MODES if of_days is None else of_days.get(_key(group, kind, day), 0)
                if not bits:
                    continue
                place = *group[:6], kind, bits
                if place not in decided:
                    decided[place] = _decide(time, group, day, bits)
                known, in_part = decided[place]
                if known:
                    self._add(group, kind, known, (day, ""), group.surveys, group.asked)
                if in_part:
                    undecided[_key(group, kind, day if of_days is None else group.first_hour)] = in_part
        return undecided

    def _add(self, group: SurveyGroup, kind: str, modes: int, when: tuple[str, str], surveys: int, asked: int) -> None:
        day = group.first_hour[:_DAY_LENGTH]
        key = (*group[:1], day, *group[1:4], group.question_id, group.question_revision, kind, modes, *when)
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = [0, 0]
        sums[0] += surveys
        sums[1] += asked

    def _add_one_by_one(self, site_id: str, span: Span, hours: dict[_Undecided, int]) -> None:
        everything = Selection("", "~", site_ids=(site_id,))
        for survey in report_queries.surveys_opened(self._store, ("console_id",), everything, site_id, *span):
            place = site_id, str(survey.group[0]), survey.checkout_point_id, survey.seller_id
            question = survey.question_id, survey.question_revision
            group = SurveyGroup(*place, survey.hour, survey.hour, *question, 1, survey.asked)
            day = survey.hour[:_DAY_LENGTH]
            for kind, time in self._sites[site_id].time.items():
                bits = hours.get(_key(group, kind, survey.hour), 0)
                found: dict[tuple[str, str], int] = {}
                for mode in MODES:
                    when = time.days_that_know(mode, group, day, survey.opened_at_ms) if mode.bit & bits else None
                    if when is not None:
                        found[when] = found.get(when, 0) | mode.bit
                for when, modes in found.items():
                    self._add(group, kind, modes, when, 1, survey.asked)


_Undecided = tuple[str | int, ...]
"""(site, kind, day or hour, console, checkout point, seller, question, revision) of surveys that are known in part."""
_ALL_MODES = sum(mode.bit for mode in MODES)


def _by_sums(found: dict[int, list[int]]) -> dict[tuple[int, int], int]:
    """Return the modes that have the same sums in all, of sums by modes that share some."""
    if len(found) == 1:
        ((modes, (surveys, asked)),) = found.items()
        return {(surveys, asked): modes}
    modes_of: dict[tuple[int, int], int] = {}
    for mode in MODES:
        own = [sums for modes, sums in found.items() if modes & mode.bit]
        if own:
            total = sum(surveys for surveys, _ in own), sum(asked for _, asked in own)
            modes_of[total] = modes_of.get(total, 0) | mode.bit
    return modes_of


def _key(group: SurveyGroup, kind: str, time: str) -> _Undecided:
    return group.site_id, kind, time, *group[1:4], group.question_id, group.question_revision


def _decide(time: CoveredTime, group: SurveyGroup, day: str, bits: int) -> tuple[int, int]:
    """Return the modes in which all these surveys are known, and those in which some may be."""
    # An hour that comes twice in autumn is not in the order of the hours' names.
    first, last = group.first_hour, group.last_hour
    is_ordered = first[16:] == last[16:] or first[:16] < last[:16]
    span = hours_span(first, last)
    known = in_part = 0
    for mode in MODES if not is_ordered or time.may_know(group, day, span) else ():
        if mode.bit & bits:
            is_known = time.knows(mode, group, day, span) if is_ordered else None
            known |= mode.bit if is_known else 0
            in_part |= mode.bit if is_known is None else 0
    return known, in_part


@lru_cache(maxsize=65_536)
def _bounds(timezone: str, day: str) -> Span:
    first = date.fromisoformat(day)
    following = first if first == date.max else first + timedelta(days=1)
    return day_starts_ms(first, timezone), day_starts_ms(following, timezone)
