"""Store what transactions and visitors say of surveys, summed up by day and month, and which sums are stale.

`reports/coverage` makes the sums. Whatever writes counts, shifts, placements, time zones or surveys marks the days that
they concern as stale, with one of the functions `mark_…`. Everything here is made of those tables, so that a rebuild
needs nothing but marks.
"""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.local_time import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from bridge.store.connection import Store

EVERY_DAY = ("", "~")
"""The first and last day of a mark that concerns all days."""
LONG_MS = 72_000_000  # as in the indexes counts_long and shift_long
_LONG_COUNT = f"to_ms - from_ms > {LONG_MS}"
MUCH = 500  # marks
_SURVEYS = "CAST(total(yes + no + cant_say + silent) AS INTEGER), CAST(total(asked) AS INTEGER)"
_AMONG = "IN (SELECT value FROM json_each(?))"
_OF_FIGURE = "console_id, checkout_point_id, seller_id, kind"
_OF_KNOWN = "console_id, checkout_point_id, seller_id, question_id, question_revision, kind, modes"
_TABLES = "coverage_figure", "coverage_known", "coverage_source"
_MARK = "INSERT OR IGNORE INTO coverage_stale VALUES (?, ?, ?, ?)"


class StaleMark(NamedTuple):
    """Days of a site, the last one included, whose sums are to be made anew; with `reaches`, so are some before.

    Those are the days of the long counts that reach into these days.
    """

    site_id: str
    from_day: str
    to_day: str
    reaches: int


class CountedTimes(NamedTuple):
    """When a count was made: the local hour of `from_ms`, and its interval."""

    site_id: str
    hour: str
    from_ms: int
    to_ms: int


class CountedRow(NamedTuple):
    """A count in force, with the local day in which it begins; empty: no such checkout point, seller or console."""

    kind: str
    checkout_point_id: str
    sent_seller_id: str
    console_id: str
    seller_id: str
    day: str
    from_ms: int
    to_ms: int
    figure: int
    source_id: str


class SurveyGroup(NamedTuple):
    """The surveys of a day or hour that have a console, checkout point, seller and question in common, and `asked`."""

    site_id: str
    console_id: str
    checkout_point_id: str
    seller_id: str
    first_hour: str
    last_hour: str
    question_id: str
    question_revision: int
    surveys: int
    asked: int


class FigureCell(NamedTuple):
    """The part of a seller in the transactions or visitors of a day."""

    site_id: str
    day: str
    console_id: str
    checkout_point_id: str
    seller_id: str
    kind: str
    figure: int
    unmanned: int
    end_ms: int


class KnownCell(NamedTuple):
    """The surveys of a day that counts tell of, for the ways to group them that `modes` has bits of."""

    site_id: str
    day: str
    console_id: str
    checkout_point_id: str
    seller_id: str
    question_id: str
    question_revision: int
    kind: str
    modes: int
    known_from: str
    known_until: str
    surveys: int
    asked: int


class SourceCell(NamedTuple):
    """What a source's counts of a day, or of the month that stands in its place, are like."""

    site_id: str
    day: str
    kind: str
    source_id: str
    is_whole: int
    is_long: int
    holds: int


# What is stale ----------------------------------------------------------------------------------------------------


def mark_surveys(store: Store, days: Iterable[tuple[str, str, bool]]) -> None:
    """Mark days in which surveys changed, each (site, day, whether some had no seller).

    Those are of time with nobody on shift, which has a part in the counts of the evening before, too.
    """
    rows = [(site, day_before(day) if is_unmanned else day, day, int(is_unmanned)) for site, day, is_unmanned in days]
    store.run_many(_MARK, rows)


def day_before(day: str) -> str:
    """Return the day before a day."""
    return _plus(day, -1)


def mark_counts(store: Store, counts: Iterable[CountedTimes]) -> None:
    """Mark the days that counts concern which are new, or are to be replaced."""
    marks = {(count.site_id, *_days_of_count(count.hour, count.to_ms - count.from_ms), 0) for count in counts}
    store.run_many(_MARK, marks)


def mark_counts_named(store: Store, names: Iterable[tuple[str, str, str]]) -> None:
    """Mark the days that the counts in force with these names, (site, source, id), concern."""
    columns = "site_id, hour, from_ms, to_ms"
    where = "site_id = ? AND source_id = ? AND id = ?"
    found = [row for name in names for row in store.all(f"SELECT {columns} FROM counts WHERE {where}", name)]
    mark_counts(store, map(CountedTimes._make, found))


def _days_of_count(hour: str, lasts_ms: int) -> tuple[str, str]:
    """Return the first and last day that a count may tell of, by the local hour in which it begins.

    A sale soon after midnight tells of the evening before. The last day is taken widely: as long as the count is, and
    for two hours and a half more, for its own hour, around a sale, and where clocks change.
    """
    day, hours = hour[:10], int(hour[11:13])
    return (day if hours else day_before(day)), _plus(day, (hours * 3600 + lasts_ms // 1000 + 9000) // 86_400)


def mark_shifts(store: Store, console_key: int, times: Iterable[tuple[int, int]]) -> None:
    """Mark the days that shifts concern, each from an instant to another."""
    site_id = _site_of(store, console_key)
    store.run_many(_MARK, {(site_id, _utc_day(from_ms, -2), _utc_day(to_ms, 1), 1) for from_ms, to_ms in times})


def mark_placement(store: Store, console_key: int, from_ms: int) -> None:
    """Mark the days from a placement on."""
    store.run(_MARK, (_site_of(store, console_key), _utc_day(from_ms, -2), EVERY_DAY[1], 1))


def mark_sites(store: Store, site_ids: Iterable[str]) -> None:
    """Mark all days of some sites."""
    store.run_many(_MARK, [(site_id, *EVERY_DAY, 1) for site_id in site_ids])


def _site_of(store: Store, console_key: int) -> str:
    row = store.one("SELECT site_id FROM console WHERE console_key = ?", (console_key,))
    return str(row[0]) if row else ""


def _utc_day(at_ms: int, more: int) -> str:
    """Return the date of an instant, so many days later: all time zones are within a day of UTC.

    Another day before is that of the counts that reach into it.
    """
    return _plus("1970-01-01", at_ms // DAY_MS + more)


@lru_cache(maxsize=4096)
def _plus(day: str, days: int) -> str:
    number = date.fromisoformat(day).toordinal() + days
    return str(date.fromordinal(min(max(number, 1), date.max.toordinal())))


def mark_all(store: Store) -> None:
    """Mark everything."""
    mark_sites(store, [str(site_id) for (site_id,) in store.all("SELECT site_id FROM site")])


def marks(store: Store) -> list[StaleMark]:
    """Return all marks."""
    return [StaleMark(*row) for row in store.each("SELECT site_id, from_day, to_day, reaches FROM coverage_stale")]


def is_much_stale(store: Store) -> bool:
    """Return whether so much is stale that a report would better wait until it is made anew."""
    row = store.one("SELECT count(*) > ? OR max(to_day) = ? FROM coverage_stale", (MUCH, EVERY_DAY[1]))
    return bool(row and row[0])


def replace_marks(store: Store, site_id: str, rows: list[StaleMark]) -> None:
    """Put marks in the place of all those of a site."""
    store.run("DELETE FROM coverage_stale WHERE site_id = ?", (site_id,))
    store.insert("INSERT OR IGNORE INTO coverage_stale", rows)


def long_counts(store: Store, site_id: str) -> list[tuple[str, str, str]]:
    """Return (its own day, first day, last day) of each long count of a site; the days are taken widely."""
    return store.all(
        "SELECT substr(hour, 1, 10), coalesce(date(from_ms / 1000, 'unixepoch', '-1 day'), ''),"
        f" coalesce(date(to_ms / 1000, 'unixepoch', '+1 day'), '~') FROM counts WHERE site_id = ? AND {_LONG_COUNT}",
        (site_id,),
    )


def days_known(store: Store, site_id: str, from_day: str, to_day: str) -> set[str]:
    """Return the days, the last one included, of which a site may have counts, surveys or sums."""
    sums = " UNION ".join(f"SELECT day FROM {table} WHERE site_id = ?1 AND day BETWEEN ?2 AND ?3" for table in _TABLES)
    rows = store.all(
        f"{sums} UNION SELECT substr(hour, 1, 10) FROM counts WHERE site_id = ?1"
        " AND substr(hour, 1, 10) BETWEEN ?2 AND ?3",
        (site_id, from_day, to_day),
    )
    months = store.all("SELECT DISTINCT month FROM rollup_site_month WHERE site_id = ?", (site_id,))
    days = (str(date.fromordinal(number)) for (month,) in months for number in _days_of_month(month))
    return {str(day) for (day,) in rows} | {day for day in days if from_day <= day <= to_day}


def _days_of_month(month: str) -> range:
    return range(date.fromisoformat(f"{month}-01").toordinal(), date.fromisoformat(month_after(month)).toordinal())


def sources_of_months(store: Store, site_ids: Collection[str], first: str, last: str) -> list[SourceCell]:
    """Return what the counts of each source and month are like, from a month to another, of some sites."""
    rows = store.all(
        "SELECT site_id, month, kind, source_id, is_whole, is_long, holds FROM coverage_source_month"
        f" WHERE site_id {_AMONG} AND month BETWEEN ? AND ?",
        (json.dumps([*site_ids]), first, last),
    )
    return [SourceCell(*row) for row in rows]


def stale_months(store: Store) -> set[tuple[str, str]]:
    """Return (site, month) of the months whose days were summed up since."""
    return set(store.all("SELECT site_id, month FROM coverage_stale_month"))


# What sums are made of --------------------------------------------------------------------------------------------


def counts_around(store: Store, site_id: str, from_ms: int, to_ms: int) -> list[CountedRow]:
    """Return the counts of a site that may tell of a time, or begin in it; in order, so that some make runs.

    The order is by all that a run has in common, then by time.
    """
    columns = (
        "kind, coalesce(checkout_point_id, ''), coalesce(seller_id, ''), coalesce(at_console_id, ''),"
        " coalesce(of_seller_id, ''), substr(hour, 1, 10), from_ms, to_ms, count, source_id"
    )
    rows = store.all(
        f"SELECT {columns} FROM counts WHERE site_id = ?1 AND from_ms >= ?2 - {LONG_MS} AND from_ms < ?3"
        f" UNION ALL SELECT {columns} FROM counts INDEXED BY counts_long WHERE site_id = ?1"
        f" AND from_ms < ?2 - {LONG_MS} AND to_ms > ?2 AND {_LONG_COUNT}"
        " ORDER BY 1, 2, 3, 4, 5, 6, 7",
        (site_id, from_ms, to_ms),
    )
    return [CountedRow(*row) for row in rows]


def shifts_around(store: Store, site_id: str, from_ms: int, to_ms: int) -> list[tuple[str, str, int, int, str]]:
    """Return (site, checkout point, from_ms, to_ms, seller) of a site's shifts, as far as some may lie in a time.

    A shift ends early, or begins late, where its console was moved away from the checkout point or to it.
    """
    shifts = "SELECT console_key, started_at_ms, ended_at_ms, seller_id FROM shift"
    mine = "console_key IN (SELECT console_key FROM console WHERE site_id = ?1)"
    return store.all(
        "SELECT ?1, checkout_point_id, max(started_at_ms, from_ms), min(ended_at_ms, coalesce(to_ms, ended_at_ms)),"
        f" seller_id FROM ({shifts} WHERE {mine} AND started_at_ms >= ?2 - {LONG_MS} AND started_at_ms < ?3 UNION ALL"
        f" {shifts} INDEXED BY shift_long WHERE {mine} AND started_at_ms < ?2 - {LONG_MS} AND ended_at_ms > ?2"
        f" AND ended_at_ms - started_at_ms > {LONG_MS}) JOIN (SELECT console_key, from_ms,"
        "  lead(from_ms) OVER (PARTITION BY console_key ORDER BY from_ms) AS to_ms, checkout_point_id FROM placement"
        f"  WHERE {mine}) USING (console_key)"
        " WHERE from_ms < ended_at_ms AND coalesce(to_ms, ended_at_ms) > started_at_ms",
        (site_id, from_ms, to_ms),
    )


def unmanned_hours(store: Store, site_ids: Collection[str], from_day: str, to_day: str) -> list[tuple[str, str, str]]:
    """Return (site, checkout point, hour) of the surveys of no seller, in a period, its last day included."""
    return store.all(
        "SELECT DISTINCT site_id, checkout_point_id, hour FROM rollup_hour WHERE hour >= ? AND hour < ?"
        f" AND seller_id = '' AND yes + no + cant_say + silent > 0 AND site_id {_AMONG}",
        (from_day, f"{to_day}~", json.dumps([*site_ids])),
    )


def survey_groups(
    store: Store, site_ids: Collection[str], from_day: str, to_day: str, *, by_hour: bool
) -> Iterator[SurveyGroup]:
    """Yield the surveys of a period, its last day included, by day or hour."""
    keys = "site_id, console_id, checkout_point_id, seller_id"
    sql = (
        f"SELECT {keys}, min(hour), max(hour), question_id, question_revision, {_SURVEYS} FROM rollup_hour"
        f" WHERE hour >= ? AND hour < ? AND site_id {_AMONG}"
        f" GROUP BY {'hour' if by_hour else 'substr(hour, 1, 10)'}, {keys}, question_id, question_revision"
    )
    for row in store.each(sql, (from_day, f"{to_day}~", json.dumps([*site_ids]))):
        if row[-2]:
            yield SurveyGroup(*row)


# The sums ---------------------------------------------------------------------------------------------------------


def replace_days(
    store: Store,
    days: dict[str, set[str]],
    figures: list[FigureCell],
    known: list[KnownCell],
    sources: list[SourceCell],
) -> None:
    """Put the sums of some days, by site, in the place of those that there are, and take their marks away."""
    keys = [(site_id, day) for site_id, of_site in days.items() for day in of_site]
    for table in _TABLES:
        store.run_many(f"DELETE FROM {table} WHERE site_id = ? AND day = ?", keys)
    store.insert("INSERT INTO coverage_figure", figures)
    store.insert("INSERT INTO coverage_known", known)
    store.insert("INSERT INTO coverage_source", sources)
    store.run_many("DELETE FROM coverage_stale WHERE site_id = ?1 AND from_day = ?2 AND to_day = ?2", keys)
    months = {(site_id, day[:7]) for site_id, day in keys}
    store.run_many("INSERT OR IGNORE INTO coverage_stale_month VALUES (?, ?)", months)


_IN_MONTH = "WHERE site_id = ?1 AND day >= ?2 AND day < ?3"
_MAKE_FIGURES = (
    f"INSERT INTO coverage_figure_month SELECT site_id, substr(day, 1, 7), {_OF_FIGURE}, sum(figure), sum(unmanned),"
    f" max(end_ms) FROM coverage_figure {_IN_MONTH} GROUP BY site_id, substr(day, 1, 7), {_OF_FIGURE}"
)
# What is known from one of a month's days on, or until one of them, is known in all of the month.
_WHEN = "iif(is_within, ?2, known_from), iif(is_within, '', known_until)"
_MAKE_KNOWN = (
    f"INSERT INTO coverage_known_month SELECT site_id, substr(day, 1, 7), {_OF_KNOWN}, {_WHEN}, sum(surveys),"
    " sum(asked) FROM (SELECT *, known_from >= ?2 OR (known_until > '' AND known_until < ?3) AS is_within"
    f" FROM coverage_known {_IN_MONTH}) GROUP BY site_id, substr(day, 1, 7), {_OF_KNOWN}, {_WHEN}"
)
_MAKE_SOURCES = (
    "INSERT INTO coverage_source_month SELECT site_id, substr(day, 1, 7), kind, source_id, max(is_whole),"
    f" max(is_long), max(holds) FROM coverage_source {_IN_MONTH} GROUP BY site_id, substr(day, 1, 7), kind, source_id"
)


def make_month(store: Store, site_id: str, month: str) -> None:
    """Sum up the days of a month of a site."""
    for table in _TABLES:
        store.run(f"DELETE FROM {table}_month WHERE site_id = ? AND month = ?", (site_id, month))
    for sql in (_MAKE_FIGURES, _MAKE_KNOWN, _MAKE_SOURCES):
        store.run(sql, (site_id, f"{month}-01", month_after(month)))
    store.run("DELETE FROM coverage_stale_month WHERE site_id = ? AND month = ?", (site_id, month))


def month_after(month: str) -> str:
    """Return the day after the last one of a month."""
    year, number = int(month[:4]), int(month[5:7])
    return f"{year:04}-{number + 1:02}-01" if number < 12 else f"{year + 1:04}-01-01"  # noqa: PLR2004 - months


def clear(store: Store) -> None:
    """Delete all sums and mark everything, before a rebuild."""
    for table in _TABLES:
        store.run(f"DELETE FROM {table}")
        store.run(f"DELETE FROM {table}_month")
    store.run("DELETE FROM coverage_stale")
    store.run("DELETE FROM coverage_stale_month")
    mark_all(store)
