"""Say in a report's rows what was corrected after the fact in their time, renamed, or not set: a time zone."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import date
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from bridge.model.history import BRIDGE_ITSELF
from bridge.model.local_time import DAY_MS, UNITS, day_starts_ms, period_of, utc_date
from bridge.reports.reach import Reaches
from bridge.store import history, places
from bridge.text import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.model.history import RecordedChange
    from bridge.reports.reach import CorrectionReach
    from bridge.store import Store

    Row = dict[str, Any]
    Span = tuple[int, int]
    Thing = tuple[Any, ...]

LONG_MS = 8 * DAY_MS  # most corrections concern a day or less
NAMES_SHOWN = 3
NOUNS = {"site": "time zone", "zone_rules": "time zone", "silent_weight": "silent weight"}


def add_notes(store: Store, rows: list[Row]) -> None:
    """Add these notes to the rows of a report."""
    unset = set(places.sites_without_timezone(store))
    corrections = _Corrections(store, rows)
    former_names = _former_names(store) if any(row.get("seller_id") for row in rows) else {}
    for row in rows:
        row["notes"] += on_time_zones(sorted(unset & row["settings"]["timezones"].keys()))
        row["notes"] += corrections.notes(row)
        row["notes"] += _on_names(row, former_names.get(row.get("seller_id"), []))


def on_time_zones(sites: list[str]) -> Iterator[str]:
    """Say which sites have no time zone set, if any."""
    if sites:
        more = f" and {len(sites) - NAMES_SHOWN} more" if len(sites) > NAMES_SHOWN else ""
        yield (
            f"nobody has set the time zone of {', '.join(sites[:NAMES_SHOWN])}{more}: days and hours are those of UTC "
            "(see `trivox site set`)"
        )


def _former_names(store: Store) -> dict[str | None, list[tuple[int, str, str]]]:
    """Return (until_ms, name, site_id) of each name that sellers had before; an empty site is any."""
    found: dict[str | None, list[tuple[int, str, str]]] = {}
    for changed_at_ms, _, change in history.renamings(store):
        if change.before and change.after:
            found.setdefault(change.name, []).append((changed_at_ms, change.before["seller_name"], change.site_id))
    return found


def _on_names(row: Row, former: list[tuple[int, str, str]]) -> Iterator[str]:
    """Say what a seller was called in the row's time, or after it, unless he is again called as he was at first."""
    timezones = row["settings"]["timezones"]
    from_ms, _ = row_span(row, next(iter(timezones.values()), "UTC"))
    here = {"", *timezones}
    last_until_ms = {name: until_ms for until_ms, name, site_id in former if until_ms > from_ms and site_id in here}
    if last_until_ms and next(iter(last_until_ms)) == row["seller_name"]:
        return
    for name, until_ms in last_until_ms.items():
        if name != row["seller_name"]:
            yield f"was called {name} until {utc_date(until_ms)} (see `trivox history --kind seller`)"


class _Corrections:
    """The corrections of the time that a report is about, in order of the time that they touch."""

    def __init__(self, store: Store, rows: list[Row]) -> None:
        spans = [row_span(row, timezone) for row in rows for timezone in row["settings"]["timezones"].values()]
        outer = min((start for start, _ in spans), default=0), max((end for _, end in spans), default=0)
        reaches = Reaches(store, rows)
        around_ms = reaches.longest_ms  # a count in the report may be shared with who is on shift later
        found = _not_taken_back(history.corrections(store, outer[0] - around_ms, outer[1] + around_ms))
        touched = [reach for recorded in found for reach in reaches.of(recorded)]
        self._short = sorted((reach for reach in touched if _length_ms(reach) <= LONG_MS), key=_from_ms)
        self._long = [reach for reach in touched if _length_ms(reach) > LONG_MS]

    def notes(self, row: Row) -> Iterator[str]:
        """Yield a note for each day and person that corrected something which the row rests on."""
        if not (self._short or self._long):
            return
        told: dict[tuple[str, str], set[Thing]] = {}
        sites = set()
        for site_id, timezone in row["settings"]["timezones"].items():
            for recorded in self._touching(row, site_id, row_span(row, timezone)):
                day = utc_date(recorded.changed_at_ms)  # as in the history
                told.setdefault((day, recorded.origin.who), set()).add(_thing(recorded))
                sites.add(site_id)
        where = f" --site {sites.pop()}" if len(sites) == 1 else ""
        for (day, who), things in sorted(told.items()):
            kinds = Counter(kind for kind, *_ in things)
            what = ", ".join(_number_of(kind, count) for kind, count in sorted(kinds.items()))
            by = "the bridge itself" if who == BRIDGE_ITSELF.who else who
            yield f"corrected after the fact on {day} by {by}: {what} (see `trivox history{where}`)"

    def _touching(self, row: Row, site_id: str, span: Span) -> Iterator[RecordedChange]:
        from_ms, to_ms = span
        first = bisect_left(self._short, from_ms - LONG_MS, key=_from_ms)
        last = bisect_left(self._short, to_ms, key=_from_ms)
        for reach in (*self._short[first:last], *self._long):
            is_in_span = reach.from_ms < to_ms and reach.to_ms > from_ms
            if is_in_span and reach.recorded.change.site_id in {"", site_id} and reach.concerns(row):
                yield reach.recorded


def _not_taken_back(found: list[RecordedChange]) -> Iterator[RecordedChange]:
    """Yield the corrections, oldest first, of what is not again as it was before all of them."""
    first: dict[Thing, RecordedChange] = {}
    last: dict[Thing, RecordedChange] = {}
    for recorded in found:
        first.setdefault(_thing(recorded), recorded)
        last[_thing(recorded)] = recorded
    for recorded in found:
        thing = _thing(recorded)
        if first[thing].change.before != last[thing].change.after:
            yield recorded


def _thing(recorded: RecordedChange) -> Thing:
    """Return what was corrected: two shifts of a console are told apart by their start, two settings by their names."""
    change = recorded.change
    return change.kind, change.site_id, change.name, change.from_ms, *sorted(change.before or change.after or {})


def _number_of(kind: str, count: int) -> str:
    number = plural(count, NOUNS.get(kind, kind))
    return f"new rules of {number}" if kind == "zone_rules" else number


def _length_ms(reach: CorrectionReach) -> int:
    return reach.to_ms - reach.from_ms


_from_ms = attrgetter("from_ms")


def row_span(row: Row, timezone: str) -> Span:
    """Return a row's time at a site, in ms: (start, end), the end not included."""
    settings = row["settings"]
    from_day, to_day = (date.fromisoformat(settings[name]) for name in ("from", "to"))
    spans = [(day_starts_ms(from_day, timezone), day_starts_ms(to_day, timezone))]
    spans += (period_of(unit, row[unit], timezone) for unit in UNITS if row.get(unit) is not None)
    return max(start for start, _ in spans), min(end for _, end in spans)
