"""Find what a till or people counter counts twice, and where one is silent while its neighbours count. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HOUR_MS = 3_600_000
LONGEST_MS = 4 * HOUR_MS  # what is counted over a longer time does not say when somebody came
SILENT_SHARE = 0.25  # of a day's time in which neighbours counted somebody
FEWEST_PARTS = 2  # of other sources: one alone may be equal by chance
FEWEST_DAYS_OF_HABIT = 3
LONG_ZERO_MS = 4 * HOUR_MS
EXPECTED_INSTEAD_OF_ZERO = 10  # by its share of what all counted: so many do not stay away by chance
DAY_H, WEEK_H = 24, 168
DAYS_MISSED_AFTER_ITS_END = 3  # a source that never counts again was taken away
DAYS_AROUND = 28  # that tell what is usual, and in which long counts begin


class CountedInterval(NamedTuple):
    """A count of a source, with the local hour in which it begins, as `2026-11-22T13:00+02:00`."""

    site_id: str
    kind: str
    source_id: str
    hour: str
    from_ms: int
    to_ms: int
    figure: int
    checkout_point_id: str | None
    seller_id: str | None

    @property
    def day(self) -> str:
        """The local day that it belongs to."""
        return self.hour[: len("2026-11-22")]

    @property
    def hour_ms(self) -> int:
        """When its first hour began."""
        return _start_of(self.hour)[1]

    def hours(self) -> range:
        """Return the numbers of the local hours that it lies in."""
        first, start_ms = _start_of(self.hour)
        return range(first, first + 1 + max(0, self.to_ms - 1 - start_ms) // HOUR_MS)

    def may_hold(self, other: CountedInterval) -> bool:
        """Return whether this count includes another one of its source, by time, checkout point and seller."""
        return (
            self.from_ms <= other.from_ms
            and other.to_ms <= self.to_ms
            and self.checkout_point_id in {None, other.checkout_point_id}
            and self.seller_id in {None, other.seller_id}
            and self[4:6] + self[7:] != other[4:6] + other[7:]
        )


class FeedFault(NamedTuple):
    """What is wrong with a source's counts from one instant to another.

    `form` is `total`, counted beside its parts, the first of which begins at `to_ms`; `silent`, for so many ms of a day
    in which others counted; or `zero`, nobody, while others counted `elsewhere`. The counts name a checkout point and a
    seller, or None.
    """

    form: Literal["total", "silent", "zero"]
    site_id: str
    kind: str
    source_id: str
    day: str
    from_ms: int
    to_ms: int
    silent_ms: int = 0
    elsewhere: int = 0
    checkout_point_id: str | None = None
    seller_id: str | None = None


@lru_cache(maxsize=4096)
def _start_of(hour: str) -> tuple[int, int]:
    """Return a local hour's number and the instant at which it began."""
    moment = datetime.fromisoformat(hour)
    return moment.toordinal() * DAY_H + moment.hour, int(moment.timestamp()) * 1000


def days_around(from_day: str, to_day: str) -> tuple[str, str]:
    """Return the days whose counts `find_faults` needs to judge a period."""
    first, last = (date.fromisoformat(day).toordinal() for day in (from_day, to_day))
    around = max(first - DAYS_AROUND, date.min.toordinal()), min(last + DAYS_AROUND, date.max.toordinal())
    return date.fromordinal(around[0]).isoformat(), date.fromordinal(around[1]).isoformat()


def find_faults(intervals: Iterable[CountedInterval]) -> list[FeedFault]:
    """Return the faults; intervals are in order of site, kind and source, then of `from_ms`, the longer one first."""
    faults: list[FeedFault] = []
    for _, of_kind in groupby(intervals, key=attrgetter("site_id", "kind")):
        by_source = [list(of_source) for _, of_source in groupby(of_kind, key=attrgetter("source_id"))]
        for total, first_part_ms in _totals(by_source):
            faults.append(FeedFault("total", *total[:3], total.day, total.from_ms, first_part_ms, 0, 0, *total[-2:]))
        faults += _silences(by_source)
        faults += _zeros(by_source)
    return faults


@dataclass
class _Parts:
    """What a count may be the total of: how many counts there are in it, their sum, and the start of the first."""

    first_ms: int = 0
    own: int = 0
    others: int = 0
    sum_of_others: int = 0

    def add(self, part: CountedInterval, *, is_own: bool) -> None:
        if not self.own + self.others:
            self.first_ms = part.from_ms
        self.own += is_own
        self.others += not is_own
        self.sum_of_others += 0 if is_own else part.figure


def _totals(by_source: list[list[CountedInterval]]) -> Iterator[tuple[CountedInterval, int]]:
    """Yield each count that adds up others, with the start of the first of them.

    Of its own source any count in it is one; those of others only add up to it by intent if the sum is just the same.
    """
    open_ones: list[CountedInterval] = []  # those that may still hold what follows, the longest first
    parts: dict[CountedInterval, _Parts] = defaultdict(_Parts)
    for interval in sorted((interval for of_source in by_source for interval in of_source), key=_start_and_length):
        open_ones = [other for other in open_ones if other.to_ms > interval.from_ms]
        for other in open_ones:
            is_own = other.source_id == interval.source_id
            if other.may_hold(interval) and (is_own or _is_longer(other, interval)):
                parts[other].add(interval, is_own=is_own)
        if interval.to_ms > interval.from_ms:
            open_ones.append(interval)
    for total, found in parts.items():
        is_sum = found.others >= FEWEST_PARTS and found.sum_of_others == total.figure > 0
        if found.own or is_sum:
            yield total, found.first_ms


def _start_and_length(interval: CountedInterval) -> tuple[int, int]:
    return interval.from_ms, -interval.to_ms


def _is_longer(one: CountedInterval, other: CountedInterval) -> bool:
    return one.to_ms - one.from_ms > other.to_ms - other.from_ms


def _silences(by_source: list[list[CountedInterval]]) -> Iterator[FeedFault]:
    """Yield each day on which a source was silent for long while others of its site and kind counted somebody.

    Tills at checkout points open and close, each when it must, so only counts of the whole site are compared.
    """
    whole = [of_source for of_source in map(_of_whole_site, by_source) if of_source]
    counting: dict[int, set[str]] = defaultdict(set)
    began_ms: dict[int, int] = {}
    for interval in (interval for of_source in whole for interval in of_source):
        if interval.figure and 0 < interval.to_ms - interval.from_ms <= LONGEST_MS:
            for hour in interval.hours():
                counting[hour].add(interval.source_id)
                began_ms.setdefault(hour, interval.hour_ms + (hour - interval.hours().start) * HOUR_MS)
    for of_source in whole:
        busy = sorted(hour for hour, sources in counting.items() if sources - {of_source[0].source_id})
        for missed in _missed(of_source, busy):
            day = date.fromordinal(missed[0] // DAY_H).isoformat()
            span = began_ms[missed[0]], began_ms[missed[-1]] + HOUR_MS
            yield FeedFault("silent", *of_source[0][:3], day, *span, len(missed) * HOUR_MS)


def _missed(of_source: list[CountedInterval], busy: list[int]) -> Iterator[list[int]]:
    """Yield the hours of each day in which a source is missed, if they are many; `busy` are those of its neighbours."""
    own = {hour for interval in of_source for hour in busy[_slice(busy, interval.hours())]}
    first_day = of_source[0].hours().start // DAY_H
    last_day = max(interval.hours()[-1] for interval in of_source) // DAY_H
    habit = _Habit(own, [hour for hour in busy if first_day <= hour // DAY_H <= last_day])
    for day, of_day in groupby(busy, key=lambda hour: hour // DAY_H):
        if first_day <= day <= last_day + DAYS_MISSED_AFTER_ITS_END:
            hours = list(of_day)
            missed = [hour for hour in hours if hour not in own and habit.expects(hour)]
            if missed and len(missed) >= SILENT_SHARE * len(hours):
                yield missed


def _slice(hours: list[int], some: range) -> slice:
    return slice(bisect_left(hours, some.start), bisect_left(hours, some.stop))


class _Habit:
    """In which hours of the week, or of the day as long as few weeks are known, a source usually counts."""

    def __init__(self, own: set[int], busy: list[int]) -> None:
        self._known: dict[tuple[int, int], list[bool]] = defaultdict(list)
        for hour in busy:
            for period in (WEEK_H, DAY_H):
                self._known[period, hour % period].append(hour in own)

    def expects(self, hour: int) -> bool:
        """Return whether it counted in at least half of such hours; where few are known, it is expected."""
        for period in (WEEK_H, DAY_H):
            known = self._known[period, hour % period]
            if len(known) >= FEWEST_DAYS_OF_HABIT:
                return sum(known) >= len(known) / 2
        return True


def _of_whole_site(of_source: list[CountedInterval]) -> list[CountedInterval]:
    return [one for one in of_source if one.checkout_point_id is None and one.seller_id is None]


def _zeros(by_source: list[list[CountedInterval]]) -> Iterator[FeedFault]:
    """Yield each long time in which a source counted nobody, and by its share of all counts should have.

    What it does on most days is its habit: a door that is locked in the evening.
    """
    whole = [_of_whole_site(of_source) for of_source in by_source]
    for of_source in whole:
        counted = sum(interval.figure for interval in of_source)
        others = [one for other in whole if other is not of_source for one in other if one.figure]
        if not (counted and others):
            continue
        share = counted / sum(one.figure for one in others)
        found = list(_zeros_of(of_source, share, sorted(others, key=_start_and_length)))
        days = len({interval.day for interval in of_source})
        if days < FEWEST_DAYS_OF_HABIT or len(found) <= days / 2:
            yield from found


def _zeros_of(of_source: list[CountedInterval], share: float, others: list[CountedInterval]) -> Iterator[FeedFault]:
    for (day, is_zero), run in groupby(of_source, key=lambda interval: (interval.day, not interval.figure)):
        zeros = list(run)
        from_ms, to_ms = zeros[0].from_ms, zeros[-1].to_ms
        if is_zero and to_ms - from_ms >= LONG_ZERO_MS:
            first, last = (bisect_left(others, at_ms, key=attrgetter("from_ms")) for at_ms in (from_ms, to_ms))
            elsewhere = sum(one.figure for one in others[first:last] if one.to_ms <= to_ms)
            if share * elsewhere >= EXPECTED_INSTEAD_OF_ZERO:
                yield FeedFault("zero", *zeros[0][:3], day, from_ms, to_ms, 0, elsewhere)


def in_words(faults: Iterable[FeedFault]) -> list[str]:
    """Return a sentence, without its full stop, for each source and form of fault."""
    sentences = []
    by_source_and_form = attrgetter("site_id", "kind", "source_id", "form")
    for (site_id, kind, source_id, form), found in groupby(
        sorted(faults, key=by_source_and_form), key=by_source_and_form
    ):
        days = list(found)
        first = f"first on {days[0].day}"
        hours = sum(fault.silent_ms or fault.to_ms - fault.from_ms for fault in days) / HOUR_MS
        if form == "silent":
            sentences.append(
                f"{kind} of {site_id} lack those of {source_id} for {hours:.1f} h in which its neighbours counted, "
                f"{first}"
            )
        elif form == "zero":
            elsewhere = sum(fault.elsewhere for fault in days)
            sentences.append(
                f"{site_id}/{source_id} counted no {kind} for {hours:.1f} h in which its neighbours counted "
                f"{elsewhere}, {first}: see whether it works"
            )
        else:
            totals = "a total stands" if len(days) == 1 else f"{len(days)} totals stand"
            sentences.append(
                f"{kind} of {site_id}/{source_id} are counted twice: {totals} beside the counts added up in it, "
                f"{first}; remove one or the other"
            )
    return sentences
