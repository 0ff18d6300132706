"""Keep the rollups by local hour and day: they follow every change to a survey, plus and minus."""

# ruff: noqa: S608 - statements are put together from this module's own constants

from __future__ import annotations

from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING

from bridge.model.survey import SurveyRow
from bridge.store import imports

if TYPE_CHECKING:
    from bridge.model.survey import ForceMajeureRow
    from bridge.store.connection import Store


_OUTCOMES = {"yes": 0, "no": 1, "cant_say": 2, "silent": 3, "error": 4}
_FORCE_MAJEURES, _ASKED, _ASK_EVERY_UNKNOWN, _WIDTH = 5, 6, 7, 8
_KEY = "site_id, console_id, checkout_point_id, seller_id, question_id, question_revision, affected"
_COUNTED_BY = (
    *("hour", "checkout_point_id", "seller_id", "question_id", "question_revision", "affected", "outcome", "ask_every"),
)
_counted_by = itemgetter(*map(SurveyRow._fields.index, _COUNTED_BY))
_FIGURES = "yes, no, cant_say, silent, error, force_majeures, asked, ask_every_unknown"


class Deltas:
    """The changes of one transaction to the rollups, collected so that each row is written once."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str | int, ...], list[int]] = {}

    def add_surveys(self, site_id: str, console_id: str, rows: list[SurveyRow], sign: int) -> None:
        """Add surveys to the counts (`sign` 1), or take them out (-1)."""
        if not rows:
            return
        for (hour, point, seller, *rest, outcome, ask_every), count in Counter(map(_counted_by, rows)).items():
            if outcome not in _OUTCOMES:
                continue
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
        """Write what was gathered, by hour and by day: while an import is under way, beside what reports read."""
        hours = {group: figures for group, figures in self._rows.items() if any(figures)}
        days: dict[tuple[str | int, ...], list[int]] = {}
        for (hour, *rest), figures in hours.items():
            day = (str(hour)[:10], *rest)
            days[day] = [sum(pair) for pair in zip(days.get(day, [0] * _WIDTH), figures, strict=True)]
        suffix = "_change" if imports.is_accepted(store) else ""
        _save(store, f"rollup_hour{suffix}", "hour", hours)
        _save(store, f"rollup_day{suffix}", "day", days)
        self._rows.clear()


def _save(store: Store, table: str, period: str, rows: dict[tuple[str | int, ...], list[int]]) -> None:
    columns = _FIGURES.split(", ")
    sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in columns)
    store.run_many(
        f"INSERT INTO {table} ({period}, {_KEY}, {_FIGURES}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        f" ON CONFLICT DO UPDATE SET {sums}",
        [(*group, *figures) for group, figures in rows.items()],
    )
    keys = " AND ".join(f"{name} = ?" for name in (period, *_KEY.split(", ")))
    nothing = " AND ".join(f"{name} = 0" for name in columns)
    reduced = [group for group, figures in rows.items() if min(figures) < 0]
    store.run_many(f"DELETE FROM {table} WHERE {keys} AND {nothing}", reduced)


def merge_some(store: Store, limit: int) -> bool:
    """Add some of the changes that an import has gathered to the rollups; return whether there were any."""
    for period in ("hour", "day"):
        table = f"rollup_{period}"
        columns = f"{period}, {_KEY}, {_FIGURES}"
        rows = store.all(f"SELECT {columns} FROM {table}_change LIMIT ?", (limit,))
        if rows:
            changes = {row[:-_WIDTH]: list(row[-_WIDTH:]) for row in rows}
            _save(store, table, period, changes)
            keys = " AND ".join(f"{name} = ?" for name in (period, *_KEY.split(", ")))
            store.run_many(f"DELETE FROM {table}_change WHERE {keys}", changes)
            return True
    return False


def clear_rollups(store: Store) -> None:
    """Delete all rollups, before a rebuild."""
    store.run("DELETE FROM rollup_hour")
    store.run("DELETE FROM rollup_day")
