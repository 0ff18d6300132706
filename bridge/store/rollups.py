"""Keep the rollups, by the local hour, day and month: they follow every change to a survey, plus and minus.

Those of sites leave out console and checkout point, so that they have fewer rows; a report reads the smallest that has
what it asks for. All are what a rebuild makes of the surveys.
"""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

from collections import Counter
from operator import add, itemgetter
from typing import TYPE_CHECKING, NamedTuple

from bridge.model.survey import SurveyRow
from bridge.store import coverage, flags, imports

if TYPE_CHECKING:
    from bridge.model.survey import ForceMajeureRow
    from bridge.store.connection import Store


_OUTCOMES = {"yes": 0, "no": 1, "cant_say": 2, "silent": 3, "error": 4}
_FORCE_MAJEURES, _ASKED, _ASK_EVERY_UNKNOWN, _WIDTH = 5, 6, 7, 8
_COUNTED_BY = (
    *("hour", "checkout_point_id", "seller_id", "question_id", "question_revision", "affected", "outcome", "ask_every"),
)
_counted_by = itemgetter(*map(SurveyRow._fields.index, _COUNTED_BY))
_FIGURES = "yes, no, cant_say, silent, error, force_majeures, asked, ask_every_unknown"
_OF_CONSOLE = (
    *("site_id", "console_id", "checkout_point_id", "seller_id", "question_id", "question_revision", "affected"),
)
_OF_SITE = ("site_id", "seller_id", "question_id", "question_revision", "affected")

Rows = dict[tuple[str | int, ...], list[int]]
"""Figures by period and group."""


class Level(NamedTuple):
    """One of the rollups: its table, the local period that it counts by, how long that one's name is, and its group.

    It is summed up from the rollup `of`, by the hour or by another level; the hour's name begins with the day's.
    """

    table: str
    period: str
    length: int
    group: tuple[str, ...]
    of: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of its primary key."""
        return (self.period, *self.group)

    def sums(self, source: Level, rows: Rows) -> Rows:
        """Return the rows of this level that rows of its source add up to."""
        pick = itemgetter(*(source.key.index(name) for name in self.group))
        sums: Rows = {}
        for key, figures in rows.items():
            own = (str(key[0])[: self.length], *pick(key))
            before = sums.get(own)
            sums[own] = figures if before is None else list(map(add, before, figures))
        return {key: figures for key, figures in sums.items() if any(figures)}


HOUR = Level("rollup_hour", "hour", len("2026-11-22T13:00+02:00"), _OF_CONSOLE)
DAY = Level("rollup_day", "day", len("2026-11-22"), _OF_CONSOLE, "rollup_hour")
MONTH = Level("rollup_month", "month", len("2026-11"), _OF_CONSOLE, "rollup_day")
SITE_DAY = Level("rollup_site_day", "day", len("2026-11-22"), _OF_SITE, "rollup_day")
SITE_MONTH = Level("rollup_site_month", "month", len("2026-11"), _OF_SITE, "rollup_site_day")
LEVELS = {level.table: level for level in (HOUR, DAY, MONTH, SITE_DAY, SITE_MONTH)}
"""Each after the one that it is summed up from."""


class Deltas:
    """The changes of one transaction to the rollups, collected so that each row is written once."""

    def __init__(self) -> None:
        self._rows: Rows = {}
        self._days: set[tuple[str, str, bool]] = set()  # (site, day, whether some surveys had no seller)

    def add_surveys(self, site_id: str, console_id: str, rows: list[SurveyRow], sign: int) -> None:
        """Add surveys to the counts (`sign` 1), or take them out (-1)."""
        if not rows:
            return
        for (hour, point, seller, *rest, outcome, ask_every), count in Counter(map(_counted_by, rows)).items():
            if outcome not in _OUTCOMES:
                continue
            self._days.add((site_id, hour[: DAY.length], not seller))
            figures = self._figures(hour, site_id, console_id, point or "", seller or "", *rest)
            figures[_OUTCOMES[outcome]] += sign * count
            if outcome != "error":
                figures[_ASKED] += sign * count * (1 if ask_every is None else ask_every)
                figures[_ASK_EVERY_UNKNOWN] += sign * count * (ask_every is None)

    def add_force_majeure(self, site_id: str, console_id: str, row: ForceMajeureRow, sign: int) -> None:
        """Add a force majeure to the counts (`sign` 1), or take it out (-1)."""
        figures = self._figures(
            *(row.hour, site_id, console_id, row.checkout_point_id or "", row.seller_id or ""),
            *(row.question_id, row.question_revision, 0),
        )
        figures[_FORCE_MAJEURES] += sign

    def _figures(self, *group: str | int) -> list[int]:
        figures = self._rows.get(group)
        if figures is None:
            figures = self._rows[group] = [0] * _WIDTH
        return figures

    def save(self, store: Store) -> None:
        """Write what was gathered, at each level: while an import is under way, beside what reports read."""
        flags.mark_due(store, {str(group[0])[:7] for group, figures in self._rows.items() if any(figures)})
        found = {HOUR.table: {group: figures for group, figures in self._rows.items() if any(figures)}}
        suffix = "_change" if imports.is_accepted(store) else ""
        coverage.mark_surveys(store, self._days)
        self._days.clear()
        for name, level in LEVELS.items():
            if level.of:
                found[name] = level.sums(LEVELS[level.of], found[level.of])
            _save(store, level, suffix, found[name])
        self._rows.clear()


def _save(store: Store, level: Level, suffix: str, rows: Rows) -> None:
    columns = _FIGURES.split(", ")
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in columns)
    places = ", ".join("?" * (len(level.key) + _WIDTH))
    store.run_many(
        f"INSERT INTO {level.table}{suffix} ({', '.join(level.key)}, {_FIGURES}) VALUES ({places})"
        f" ON CONFLICT DO UPDATE SET {sums}",
        [(*group, *figures) for group, figures in rows.items()],
    )
    nothing = " AND ".join(f"{name} = 0" for name in columns)
    reduced = [group for group, figures in rows.items() if min(figures) < 0]
    store.run_many(f"DELETE FROM {level.table}{suffix} WHERE {_is_key(level)} AND {nothing}", reduced)


def _is_key(level: Level) -> str:
    return " AND ".join(f"{name} = ?" for name in level.key)


def merge_some(store: Store, limit: int) -> bool:
    """Add some of the changes that an import has gathered to the rollups; return whether there were any."""
    for level in LEVELS.values():
        columns = f"{', '.join(level.key)}, {_FIGURES}"
        rows = store.all(f"SELECT {columns} FROM {level.table}_change LIMIT ?", (limit,))
        if rows:
            changes = {row[:-_WIDTH]: list(row[-_WIDTH:]) for row in rows}
            _save(store, level, "", changes)
            store.run_many(f"DELETE FROM {level.table}_change WHERE {_is_key(level)}", changes)
            return True
    return False


def clear_rollups(store: Store) -> None:
    """Delete all rollups, before a rebuild."""
    flags.mark_all_due(store)
    for table in LEVELS:
        store.run(f"DELETE FROM {table}")
    coverage.clear(store)
