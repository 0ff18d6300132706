"""What is usual at a place: how many answers of each kind came there in the last 8 weeks.

The base of an alarm is that of the very hour of the day at the place, in local time. Where that hour had fewer than 30
answers, it is that of the hour at the whole site, and failing that, of all hours at the site; below 30 answers nobody
knows what is usual. Today does not count: what is judged is not to be held against itself. Neither key questions nor
revisions of their texts are mixed.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.alarm import AnswerCount, chance_of
from bridge.model.local_time import MINUTE_MS, local, zone
from bridge.store import alarm_answers, places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.store import Store
    from bridge.store.alarm_answers import PlaceCounts

BASE_DAYS = 56
ENOUGH_ANSWERS = 30
KEPT_MS = MINUTE_MS  # what was read is used for so long


AlarmSpan = tuple[int, int]
"""The instants of the first and the last answer that are judged."""


class AlarmTopic(NamedTuple):
    """What alarms are about, but for the place; `answer` is the one that comes so often."""

    question_id: str
    question_revision: int
    answer: str


class Usual(NamedTuple):
    """What is usual, and what it was counted of: the place's own `hour`, `site_hour` or `all_hours` of the site."""

    known: AnswerCount
    of: str


class AlarmPart(NamedTuple):
    """The part of a site that is judged: some of its checkout points ('': none of them), or the site as a whole."""

    points: frozenset[str]
    is_site: bool


class AlarmBases:
    """The bases of all sites, each read again after a minute, or when old surveys came."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, dict[str, tuple[int, list[PlaceCounts]]]] = {}  # by site, by hour or day

    def forget(self, site_id: str) -> None:
        """Read the bases of a site again."""
        self._read.pop(site_id, None)

    def of_hour(self, site_id: str, at_ms: int, timezone: str) -> list[PlaceCounts]:
        """Return the answers at a site in an instant's hour of the day, in the 8 weeks before its day."""
        moment = local(at_ms, timezone)
        key = moment.strftime("%Y-%m-%d %H")
        kept = self._kept(site_id, key)
        if kept is None:
            hours = _hours_before(moment.date().isoformat(), moment.hour, timezone)
            kept = self._keep(site_id, key, alarm_answers.counts_of_hours(self._store, site_id, hours))
        return kept

    def of_days(self, site_id: str, at_ms: int, timezone: str) -> list[PlaceCounts]:
        """Return the answers at a site in the 8 weeks before an instant's day."""
        key = local(at_ms, timezone).date().isoformat()
        kept = self._kept(site_id, key)
        if kept is None:
            kept = self._keep(site_id, key, alarm_answers.counts_of_days(self._store, site_id, days_before(key)))
        return kept

    def _kept(self, site_id: str, key: str) -> list[PlaceCounts] | None:
        read_at_ms, counts = self._read.get(site_id, {}).get(key, (0, []))
        return counts if 0 <= self._store.now_ms - read_at_ms < KEPT_MS else None

    def _keep(self, site_id: str, key: str, counts: list[PlaceCounts]) -> list[PlaceCounts]:
        of_site = self._read.setdefault(site_id, {})
        now_ms = self._store.now_ms
        for other in [other for other, (read_at_ms, _) in of_site.items() if now_ms - read_at_ms >= KEPT_MS]:
            del of_site[other]
        of_site[key] = now_ms, counts
        return counts


class SiteBase:
    """What is usual at a site."""

    def __init__(self, bases: AlarmBases, site_id: str, timezone: str) -> None:
        self._bases = bases
        self.site_id = site_id
        self.timezone = timezone

    def chance(self, span: AlarmSpan, found: AnswerCount, topic: AlarmTopic, part: AlarmPart) -> float | None:
        """Return the chance of what was found in a quarter of an hour; None: nobody knows."""
        usual = self.usual(span, found, topic, part)
        return None if usual is None else chance_of(found, usual.known)

    def usual(self, span: AlarmSpan, found: AnswerCount, topic: AlarmTopic, part: AlarmPart) -> Usual | None:
        """Return what is usual; where the answers came in two hours, in the one that explains more of them."""
        hours = {local(at_ms, self.timezone).hour: at_ms for at_ms in span}
        found_usual = [self._usual_at(ms, topic, part) for ms in hours.values()]
        if None in found_usual:
            return None
        return max((usual for usual in found_usual if usual), key=lambda usual: chance_of(found, usual.known))

    def _usual_at(self, at_ms: int, topic: AlarmTopic, part: AlarmPart) -> Usual | None:
        enough = (usual for usual in self._bases_of(at_ms, topic, part) if usual.known.answers >= ENOUGH_ANSWERS)
        return next(enough, None)

    def _bases_of(self, at_ms: int, topic: AlarmTopic, part: AlarmPart) -> Iterator[Usual]:
        hour = self._bases.of_hour(self.site_id, at_ms, self.timezone)
        yield Usual(_sum(hour, topic, part.points), "hour")
        if not part.is_site:
            yield Usual(_sum(hour, topic, None), "site_hour")
        points = part.points if part.is_site else None
        yield Usual(_sum(self._bases.of_days(self.site_id, at_ms, self.timezone), topic, points), "all_hours")


def _sum(counts: list[PlaceCounts], topic: AlarmTopic, points: frozenset[str] | None) -> AnswerCount:
    """Count the answers to a question at some checkout points, or at all (None)."""
    rows = [row for row in counts if row[1:3] == topic[:2] and (points is None or row.checkout_point_id in points)]
    index = rows[0]._fields.index(topic.answer) if rows else 0
    return AnswerCount(sum(row.yes + row.no + row.cant_say for row in rows), sum(int(row[index]) for row in rows))


def days_before(day: str) -> list[str]:
    """Return the names of the 56 local days before a day."""
    today = datetime.fromisoformat(day).date()
    return [(today - timedelta(days=number)).isoformat() for number in range(1, BASE_DAYS + 1)]


@lru_cache(maxsize=4_096)
def _hours_before(day: str, hour: int, timezone: str) -> list[str]:
    """Return the names of an hour of the day on the 56 local days before a day, as reports name them.

    Where the clock goes back there are two of that hour; one that it skips names no answers.
    """
    names: dict[str, None] = {}
    for before in days_before(day):
        for fold in (0, 1):
            moment = datetime.fromisoformat(before).replace(hour=hour, fold=fold, tzinfo=zone(timezone))
            names[moment.isoformat(timespec="minutes")] = None
    return list(names)


def sites_without_base(store: Store, now_ms: int) -> list[str]:
    """Return the sites where answers came today, but too few before to tell what is usual."""
    return [
        site_id
        for site_id, timezone in places.timezones(store).items()
        if _lacks_base(store, site_id, now_ms, timezone)
    ]


def _lacks_base(store: Store, site_id: str, now_ms: int, timezone: str) -> bool:
    today = local(now_ms, timezone).date().isoformat()
    asked = {row[1:3] for row in alarm_answers.counts_of_days(store, site_id, [today]) if sum(row[3:])}
    known: Counter[tuple[str, int]] = Counter()
    for row in alarm_answers.counts_of_days(store, site_id, days_before(today)):
        known[row[1:3]] += sum(row[3:])
    return any(known[question] < ENOUGH_ANSWERS for question in asked)
